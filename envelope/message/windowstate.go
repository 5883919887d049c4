package message

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/envelope"
)

// FORMAT.md section 11.
var windowStart = []byte{0xf8, 0x02}

const (
	windowHeader = 2 + 4 + 8 + 4                // bytes before the first sender
	senderFixed  = 1 + instanceSize + 8 + 8 + 8 // bytes of a sender but name and bits
)

// AppendBinary appends the Window's state to b: 18 bytes, and for each sender 33, its name and Width/8. A state from before a message lets that message through again. It holds the senders' names, and is not authenticated:
// whoever may change it can do the same, so seal it where others can write. It fails with kms.ErrInvalid on the zero Window alone.
func (w *Window) AppendBinary(b []byte) ([]byte, error) { return edge(w.appendBinary(b, nil)) }

// AppendAccepted appends the state as it will be once m is accepted, and accepts nothing: store it in the transaction of what m does, and call Accept when that has ended well. So one that is rolled back leaves a Window under which m is new still. Of
// a transaction that may have ended either way the stored state knows: go on with [ParseWindow] of that. It fails as Check does.
func (w *Window) AppendAccepted(b []byte, m Message) ([]byte, error) {
	return edge(w.appendAccepted(b, m))
}

func (w *Window) appendAccepted(b []byte, m Message) ([]byte, error) {
	if m.Tombstone || m.Plain {
		return w.appendBinary(b, nil)
	}
	if err := w.usable(m.Sender); err != nil {
		return nil, err
	}
	return w.appendBinary(b, &m)
}

// appendBinary appends the state, with m accepted where there is one. That its sender may be one too many parseWindow sees to.
func (w *Window) appendBinary(b []byte, m *Message) ([]byte, error) {
	if w == nil || w.senders == nil {
		return nil, invalid("zero Window: use NewWindow")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var next *history
	count := w.senders.len()
	if m != nil {
		last, known := w.senders.peek(m.Sender)
		if err := w.judge(last, m); err != nil {
			return nil, err
		}
		if next = w.after(last, m); !known {
			count++
		}
	}
	b = slices.Grow(b, windowHeader+count*(senderFixed+w.width/8))
	b = append(b, windowStart...)
	b = binary.BigEndian.AppendUint32(b, uint32(w.width))
	b = binary.BigEndian.AppendUint64(b, uint64(w.floor))
	b = binary.BigEndian.AppendUint32(b, uint32(count))
	for s, h := range w.senders.all() {
		if m == nil || s != m.Sender {
			b = appendSender(b, s, h)
		}
	}
	if next != nil {
		b = appendSender(b, m.Sender, next) // is forgotten last
	}
	return b, nil
}

func appendSender(b []byte, s Sender, h *history) []byte {
	b = append(b, byte(len(s.Name)))
	b = append(b, s.Name...)
	b = append(b, s.Instance[:]...)
	b = binary.BigEndian.AppendUint64(b, h.highest)
	b = binary.BigEndian.AppendUint64(b, uint64(h.last))
	b = binary.BigEndian.AppendUint64(b, uint64(h.floor))
	for _, bits := range h.seen {
		b = binary.BigEndian.AppendUint64(b, bits)
	}
	return b
}

// ParseWindow returns the Window whose state AppendBinary wrote, under options of its own. With fewer Senders it forgets, as it would have at work, those from which it has accepted nothing for longest. Its Width is the
// smaller one of the two: what the state has no room for it can't tell. It fails with envelope.ErrFormat when b is no such state or goes on after its end, and with kms.ErrInvalid when an option is out of bounds.
func ParseWindow(b []byte, o *WindowOptions) (*Window, error) { return edge(parseWindow(b, o)) }

func parseWindow(b []byte, o *WindowOptions) (*Window, error) {
	w, err := newWindow(o)
	if err != nil {
		return nil, err
	}
	if len(b) < windowHeader || !bytes.HasPrefix(b, windowStart) {
		return nil, errNoWindow
	}
	width, count := binary.BigEndian.Uint32(b[2:]), binary.BigEndian.Uint32(b[14:])
	floor := int64(binary.BigEndian.Uint64(b[6:]))
	if width > maxWidth || !goodWidth(int(width)) {
		return nil, errNoWindow
	}
	w.floor, w.width = floor, min(w.width, int(width))
	known := map[Sender]bool{} // also those that are forgotten again
	b = b[windowHeader:]
	for range count {
		s, h, rest, err := parseSender(b, int(width))
		if err != nil {
			return nil, err
		}
		if s == (Sender{}) || known[s] || h.floor > floor || h.last <= h.floor || !h.seen.has(h.highest) {
			return nil, errNoWindow
		}
		if int(width) != w.width {
			h.seen = h.seen.narrowed(h.highest, w.width/word)
		}
		known[s] = true
		w.remember(s, h)
		b = rest
	}
	if len(b) > 0 {
		return nil, errNoWindow
	}
	return w, nil
}

// parseSender reads a sender, with a ring of so many bits, from the start of b and returns what follows.
func parseSender(b []byte, width int) (s Sender, h *history, rest []byte, err error) {
	if len(b) == 0 || len(b) < senderFixed+int(b[0])+width/8 {
		return s, nil, nil, errNoWindow
	}
	n := 1 + int(b[0])
	s.Name = string(b[1:n])
	n += copy(s.Instance[:], b[n:])
	h = &history{
		highest: binary.BigEndian.Uint64(b[n:]),
		last:    int64(binary.BigEndian.Uint64(b[n+8:])),
		floor:   int64(binary.BigEndian.Uint64(b[n+16:])),
		seen:    make(ring, width/word),
	}
	n += 24
	for i := range h.seen {
		h.seen[i] = binary.BigEndian.Uint64(b[n+8*i:])
	}
	return s, h, b[n+width/8:], nil
}

var errNoWindow = fmt.Errorf("%w: it is no state of a Window", envelope.ErrFormat)
