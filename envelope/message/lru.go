package message

import (
	"container/list"
	"iter"
)

// lru is a map of at most limit pairs that forgets the least recently used one. It is not safe for concurrent use.
type lru[K comparable, V any] struct {
	limit int
	order *list.List // of pair[K, V], the least recently used first
	pairs map[K]*list.Element
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

// newLRU returns an empty lru of at most limit pairs, at least 1.
func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), pairs: map[K]*list.Element{}}
}

// len returns how many pairs there are.
func (l *lru[K, V]) len() int { return len(l.pairs) }

// peek returns the value of a key, which does not count as its use.
func (l *lru[K, V]) peek(k K) (v V, ok bool) {
	e, ok := l.pairs[k]
	if !ok {
		return v, false
	}
	return e.Value.(pair[K, V]).value, true
}

// get returns the value of a key, which is the most recently used one then.
func (l *lru[K, V]) get(k K) (v V, ok bool) {
	e, ok := l.pairs[k]
	if !ok {
		return v, false
	}
	l.order.MoveToBack(e)
	return e.Value.(pair[K, V]).value, true
}

// put stores a pair, the most recently used one then, and returns the pair that was forgotten for it, if one was.
func (l *lru[K, V]) put(k K, v V) (forgotten pair[K, V], ok bool) {
	if e, known := l.pairs[k]; known {
		e.Value = pair[K, V]{k, v}
		l.order.MoveToBack(e)
		return forgotten, false
	}
	if len(l.pairs) >= l.limit {
		forgotten, ok = l.order.Remove(l.order.Front()).(pair[K, V])
		delete(l.pairs, forgotten.key)
	}
	l.pairs[k] = l.order.PushBack(pair[K, V]{k, v})
	return forgotten, ok
}

// all returns the pairs, the least recently used first. The lru must not change meanwhile.
func (l *lru[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for e := l.order.Front(); e != nil; e = e.Next() {
			if p := e.Value.(pair[K, V]); !yield(p.key, p.value) {
				return
			}
		}
	}
}
