package tlsconfig

import (
	"context"
	"time"
)

// loadLimit is how long an identity may take to give its certificate, which may be to ask a KMS.
const loadLimit = 30 * time.Second

// follow calls load when moved is closed, which changed then replaces, and also after the time that the last load returned unless that is 0. It returns when ctx ends.
func follow(ctx context.Context, moved <-chan struct{}, changed func() <-chan struct{}, load func(context.Context) time.Duration) {
	var again time.Duration
	for {
		var retry <-chan time.Time
		if again > 0 {
			retry = time.After(jitter(again))
		}
		select {
		case <-ctx.Done():
			return
		case <-moved:
		case <-retry:
		}
		next := changed() // before load, or a change during it is missed
		if same := next == moved && next != nil; same && isClosed(next) {
			next = nil // it should have been replaced: don't spin
		}
		moved = next
		if again = load(ctx); moved == nil && again == 0 {
			again = pollMax
		}
	}
}

// isClosed says whether a channel that nobody sends to is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
