package message

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// WindowOptions are the settings of [NewWindow] and [ParseWindow]. nil and the zero value are the defaults.
type WindowOptions struct {
	// Senders is how many senders are remembered at a time, instances of one name each for itself. 0 means 10,000. At most 1,000,000.
	Senders int
	// Width is how many sequence numbers of a sender are told apart: its highest, and those below it. Messages that others have overtaken by more are refused. 0 means 4096.
	// A multiple of 64, at most 1,048,576.
	Width int
}

const (
	defaultSenders, maxSenders = 10_000, 1_000_000
	defaultWidth, maxWidth     = 4096, 1 << 20

	maxAhead = 5 * time.Minute // that a sender's clock may be ahead of ours
	never    = math.MinInt64   // the time of a floor that refuses nothing
)

// Window refuses messages that were accepted before, whatever brings them again: at-least-once delivery, a consumer that starts again, or an attacker. [Topic] and [Subscriber] ask Check when they open a message, and
// the caller calls Accept once it is processed. It is safe for concurrent use, and one Window may serve many topics and goroutines of those who trust one another; but whoever may seal a message can
// claim any Sender and number in it, so tenants who don't trust one another need a Window each.
//
// It takes up to Senders times Width/8 + 500 bytes and the senders' names: 10 MB by default. When there are more senders it forgets the one from which it has accepted nothing for longest, and never
// takes a message of that one for new again: of a sender that it does not know it refuses all that is not later than every message that it has forgotten. To bound how long it may so refuse new senders it refuses
// what claims to be from more than 5 minutes ahead of this machine's clock. So Senders should be more than there are at work at a time.
//
// A new Window knows nothing, and accepts once more what one before it did: a process that starts again goes on with [ParseWindow].
type Window struct {
	mu      sync.Mutex
	width   int
	floor   int64 // the latest time of what was forgotten, in Unix milliseconds
	senders *lru[Sender, *history]
}

var (
	errBelow     = fmt.Errorf("%w: its sequence number is below the window", ErrTooOld)
	errForgotten = fmt.Errorf("%w: its sender is not known, or was forgotten", ErrTooOld)
	errAhead     = fmt.Errorf("%w: its time is more than %v ahead of this clock", ErrTooOld, maxAhead)
)

// NewWindow returns a Window that has accepted nothing. It fails with kms.ErrInvalid when an option is out of bounds.
func NewWindow(o *WindowOptions) (*Window, error) { return edge(newWindow(o)) }

func newWindow(o *WindowOptions) (*Window, error) {
	senders, width := defaultSenders, defaultWidth
	if o != nil && o.Senders != 0 {
		senders = o.Senders
	}
	if o != nil && o.Width != 0 {
		width = o.Width
	}
	if senders < 1 || senders > maxSenders {
		return nil, invalid("Senders is %d: 1 to %d are possible", senders, maxSenders)
	}
	if !goodWidth(width) {
		return nil, invalid("Width is %d: multiples of %d up to %d are possible", width, word, maxWidth)
	}
	return &Window{width: width, floor: never, senders: newLRU[Sender, *history](senders)}, nil
}

func goodWidth(n int) bool { return n >= word && n <= maxWidth && n%word == 0 }

// Check returns nil when the message was never accepted, and changes nothing. It fails with [ErrReplayed] where it was, with [ErrTooOld] where that can't be told, and with [ErrUnstamped] for a message without a
// Sender, as all are whose Topic has none. Of tombstones and passed plaintext it has nothing to tell: they always pass. Two calls that meet may both return nil: what is to happen once needs one goroutine for each sender, or a lock from Check to Accept.
func (w *Window) Check(m Message) error {
	_, err := edge(w, w.check(m))
	return err
}

func (w *Window) check(m Message) error {
	if m.Tombstone || m.Plain {
		return nil
	}
	if err := w.usable(m.Sender); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	h, _ := w.senders.peek(m.Sender)
	return w.judge(h, &m)
}

// Accept notes that the message was processed. It returns false, and changes nothing, where Check fails now: of calls for the same message, also at the same time, one gets true.
func (w *Window) Accept(m Message) bool {
	if m.Tombstone || m.Plain {
		return true
	}
	if w.usable(m.Sender) != nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	h, known := w.senders.peek(m.Sender)
	if w.judge(h, &m) != nil {
		return false
	}
	if !known {
		m.Sender.Name = strings.Clone(m.Sender.Name) // of what may be a part of a larger string
		w.remember(m.Sender, w.after(nil, &m))
		return true
	}
	w.senders.get(m.Sender) // is forgotten last
	h.accept(m.Sequence, m.Time.UnixMilli())
	return true
}

// after returns a copy of a sender's history with a message accepted that judge has nothing against. h is nil for a sender that is not known.
func (w *Window) after(h *history, m *Message) *history {
	at := m.Time.UnixMilli()
	next := &history{highest: m.Sequence, last: at, floor: w.floor}
	if h == nil {
		next.seen = make(ring, w.width/word)
	} else {
		*next = *h
		next.seen = slices.Clone(h.seen)
	}
	next.accept(m.Sequence, at)
	return next
}

// usable returns what speaks against the Window or a message's sender whatever was accepted.
func (w *Window) usable(s Sender) error {
	switch {
	case w == nil || w.senders == nil:
		return invalid("zero Window: use NewWindow")
	case s == Sender{}:
		return ErrUnstamped
	case len(s.Name) > maxSender:
		return invalid("the Sender's name is over %d bytes", maxSender)
	}
	return nil
}

// judge returns why a message is refused. h is nil for a sender that is not known.
func (w *Window) judge(h *history, m *Message) error {
	at := m.Time.UnixMilli() // rounds all the same way, so that no message is later than itself
	if h == nil && at <= w.floor {
		return errForgotten
	}
	if h != nil {
		if err := h.judge(m.Sequence, at); err != nil {
			return err
		}
	}
	if at > time.Now().Add(maxAhead).UnixMilli() {
		return errAhead // or the floor would be there once its sender is forgotten
	}
	return nil
}

// remember stores the history of a sender that is not known, as the one that is forgotten last.
func (w *Window) remember(s Sender, h *history) {
	if forgotten, ok := w.senders.put(s, h); ok {
		w.floor = max(w.floor, forgotten.value.last)
	}
}
