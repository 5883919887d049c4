package message

import (
	"container/list"

	"github.com/holdfast-go/holdfast/aead"
)

// keyRoom has the data keys that were announced to a [Subscriber], at most limit of them. When there are more it takes out one of the topic that brought most, as the broker has it, so that who may write to one topic alone drives out
// nobody else's; of topics that brought as many, one of that whose use is longest ago, and of that the key whose use is. It is not safe for concurrent use.
type keyRoom struct {
	limit   int
	keys    map[aead.KeyID]*list.Element
	sources map[string]*source
	longest int
	by      map[int]*list.List // of *source, by how many keys they have, the least recently used first
}

// source is a topic that brought keys.
type source struct {
	topic string
	keys  *list.List // of *announced, the least recently used first
	at    *list.Element
}

// announced is a data key that was announced.
type announced struct {
	dataKey
	id    aead.KeyID
	topic string // whose records it opens
	from  string // that brought it
}

func newKeyRoom(limit int) *keyRoom {
	return &keyRoom{limit: limit, keys: map[aead.KeyID]*list.Element{}, sources: map[string]*source{}, by: map[int]*list.List{}}
}

// get returns a key, or nil.
func (r *keyRoom) get(id aead.KeyID) *announced {
	e := r.keys[id]
	if e == nil {
		return nil
	}
	k := e.Value.(*announced)
	s := r.sources[k.from]
	s.keys.MoveToBack(e)
	r.by[s.keys.Len()].MoveToBack(s.at)
	return k
}

// put adds a key that is not there, and returns the one that had to go, or nil.
func (r *keyRoom) put(k *announced) (gone *announced) {
	if len(r.keys) >= r.limit {
		gone = r.by[r.longest].Front().Value.(*source).keys.Front().Value.(*announced)
		r.remove(gone.id)
	}
	s := r.sources[k.from]
	if s == nil {
		s = &source{topic: k.from, keys: list.New()}
		r.sources[k.from] = s
	}
	r.leave(s)
	r.keys[k.id] = s.keys.PushBack(k)
	r.enter(s)
	return gone
}

// brought tells whether a key is there. Where a topic that brought fewer has brought it too, it counts as that one's: its own, where another copied it.
func (r *keyRoom) brought(id aead.KeyID, from string) bool {
	e := r.keys[id]
	if e == nil {
		return false
	}
	k := e.Value.(*announced)
	have := 0
	if s := r.sources[from]; s != nil {
		have = s.keys.Len()
	}
	if k.from != from && have+1 < r.sources[k.from].keys.Len() {
		r.remove(id)
		k.from = from
		r.put(k)
	}
	return true
}

func (r *keyRoom) remove(id aead.KeyID) {
	e := r.keys[id]
	s := r.sources[e.Value.(*announced).from]
	r.leave(s)
	s.keys.Remove(e)
	delete(r.keys, id)
	r.enter(s)
}

// leave takes a source from where it is by its number of keys, before that changes.
func (r *keyRoom) leave(s *source) {
	n := s.keys.Len()
	if n == 0 {
		return
	}
	r.by[n].Remove(s.at)
	if r.by[n].Len() == 0 {
		delete(r.by, n)
	}
}

// enter puts a source to where it is now, or away.
func (r *keyRoom) enter(s *source) {
	n := s.keys.Len()
	if n == 0 {
		delete(r.sources, s.topic)
	} else {
		if r.by[n] == nil {
			r.by[n] = list.New()
		}
		s.at = r.by[n].PushBack(s)
	}
	r.longest = max(r.longest, n)
	for r.longest > 0 && r.by[r.longest] == nil {
		r.longest--
	}
}

// clear takes all keys out and clears them.
func (r *keyRoom) clear() {
	for _, e := range r.keys {
		e.Value.(*announced).key.Destroy()
	}
	*r = *newKeyRoom(r.limit)
}
