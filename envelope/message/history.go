package message

// history is which messages of one sender a [Window] has accepted.
type history struct {
	highest uint64 // sequence number
	last    int64  // the latest time of them, in Unix milliseconds
	floor   int64  // up to this time, in Unix milliseconds, there may be others, from before the sender was forgotten
	seen    ring   // of highest and the numbers below it
}

// judge returns why the history speaks against a message, nil when it does not.
func (h *history) judge(sequence uint64, at int64) error {
	switch {
	case sequence <= h.highest && h.highest-sequence >= h.seen.width():
		return errBelow
	case sequence <= h.highest && h.seen.has(sequence):
		return ErrReplayed
	case at <= h.floor:
		return errForgotten
	}
	return nil
}

// accept adds a message that judge has nothing against.
func (h *history) accept(sequence uint64, at int64) {
	if sequence > h.highest {
		h.seen.fill(h.highest+1, sequence-h.highest, false)
		h.highest = sequence
	}
	h.seen.fill(sequence, 1, true)
	h.last = max(h.last, at)
}

// ring is a set of numbers, of which at most as many as its width follow one another. Number n is bit n mod width, as in RFC 6479: a number takes the bit of the one a width below it.
type ring []uint64

const word = 64 // bits of an element

func (r ring) width() uint64 { return uint64(len(r)) * word }

func (r ring) has(n uint64) bool {
	n %= r.width()
	return r[n/word]&(1<<(n%word)) != 0
}

// fill puts the numbers from first on, so many of them, into the set or out of it.
func (r ring) fill(first, count uint64, in bool) {
	count = min(count, r.width())
	for count > 0 {
		at := first % r.width()
		n := min(word-at%word, count) // bits of one element
		mask := ^uint64(0) >> (word - n) << (at % word)
		if in {
			r[at/word] |= mask
		} else {
			r[at/word] &^= mask
		}
		first += n
		count -= n
	}
}

// narrowed returns the set as a ring of fewer elements, where highest is the highest number.
func (r ring) narrowed(highest uint64, elements int) ring {
	to := make(ring, elements)
	for n := highest - min(highest, to.width()-1); ; n++ {
		if r.has(n) {
			to.fill(n, 1, true)
		}
		if n == highest {
			return to
		}
	}
}
