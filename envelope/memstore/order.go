package memstore

import (
	"iter"
	"slices"
	"sort"
)

// maxChunk is how many keys are moved at most to insert one, so that a million keys take seconds and not minutes.
const maxChunk = 512

// order holds keys in ascending order, in chunks of 1 to maxChunk.
type order struct{ chunks [][]string }

// insert adds a key that is not there.
func (o *order) insert(key string) {
	if len(o.chunks) == 0 {
		o.chunks = [][]string{{key}}
		return
	}
	i := o.find(key)
	at, _ := slices.BinarySearch(o.chunks[i], key)
	c := slices.Insert(o.chunks[i], at, key)
	o.chunks[i] = c
	if len(c) > maxChunk {
		half := len(c) / 2
		o.chunks = slices.Insert(o.chunks, i+1, slices.Clone(c[half:]))
		o.chunks[i] = c[:half]
	}
}

// from returns the keys from key on.
func (o *order) from(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(o.chunks) == 0 {
			return
		}
		i := o.find(key)
		at, _ := slices.BinarySearch(o.chunks[i], key)
		for _, c := range o.chunks[i:] {
			for _, k := range c[at:] {
				if !yield(k) {
					return
				}
			}
			at = 0
		}
	}
}

// find returns the chunk that key is in or belongs in: the last one that does not begin after it.
func (o *order) find(key string) int {
	return max(0, sort.Search(len(o.chunks), func(i int) bool { return o.chunks[i][0] > key })-1)
}
