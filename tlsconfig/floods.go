package tlsconfig

import (
	"sync"
	"time"
)

// floods says which refusals an Observer hears of, where strangers choose how many there are: of the reasons of a Guard one each in a second. Its zero value is ready, and it is safe for concurrent use.
type floods struct {
	mu   sync.Mutex
	last map[Reason]time.Time // told
}

// tells says whether an Observer is to hear of an event.
func (f *floods) tells(e *Event) bool {
	switch {
	case e.Kind != KindRefused:
		return true
	case e.Reason != ReasonAddress && e.Reason != ReasonRate && e.Reason != ReasonBusy:
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if last, ok := f.last[e.Reason]; ok && now.Sub(last) < time.Second {
		return false
	}
	if f.last == nil {
		f.last = map[Reason]time.Time{}
	}
	f.last[e.Reason] = now
	return true
}
