package message

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
)

// The form of a plaintext: FORMAT.md section 11.
const (
	withKey   = 0x01
	withStamp = 0x02
	padded    = 0x80
	knownForm = withKey | withStamp | padded

	maxKey    = 1<<16 - 1 // bytes of a key that travels inside
	maxSender = 1<<8 - 1  // bytes of a sender's name
)

// form is how a topic's plaintexts look.
type form struct {
	key   bool // travels inside
	stamp bool
	pad   bool
}

// encode returns the plaintext of m, with room for more bytes behind it.
func (f form) encode(m *Message, more int) []byte {
	n := 1 + len(m.Value)
	key, stamp := f.key && m.Key != nil, f.stamp
	if key {
		n += 2 + len(m.Key)
	}
	if stamp {
		n += 1 + len(m.Sender.Name) + instanceSize + 8 + 8
	}
	size := n
	if f.pad {
		size = padme(n + 1)
	}
	b := make([]byte, 1, size+more)
	if key {
		b[0] |= withKey
		b = binary.BigEndian.AppendUint16(b, uint16(len(m.Key)))
		b = append(b, m.Key...)
	}
	if stamp {
		b[0] |= withStamp
		b = append(b, byte(len(m.Sender.Name)))
		b = append(b, m.Sender.Name...)
		b = append(b, m.Sender.Instance[:]...)
		b = binary.BigEndian.AppendUint64(b, m.Sequence)
		b = binary.BigEndian.AppendUint64(b, uint64(m.Time.UnixMilli()))
	}
	b = append(b, m.Value...)
	if f.pad {
		b[0] |= padded
		b = append(b, 0x80)
		b = b[:size] // zeros: nothing was there before
	}
	return b
}

// padme returns the length that n bytes are padded to: what of it is below the exponent's own length in bits is zero, at most 12% more. Nikitin et al., PETS 2019, section 4.
func padme(n int) int {
	if n < 2 {
		return n
	}
	e := bits.Len(uint(n)) - 1
	low := e - bits.Len(uint(e))
	mask := 1<<max(low, 0) - 1
	return (n + mask) &^ mask
}

// decode reads a plaintext into m, whose Value and Key lie in b then.
func decode(b []byte, m *Message) error {
	if len(b) == 0 || b[0]&^knownForm != 0 {
		return fmt.Errorf("%w: the record is no message of a known form", envelope.ErrFormat)
	}
	kind, rest := b[0], b[1:]
	if kind&padded != 0 {
		rest = bytes.TrimRight(rest, "\x00")
		if len(rest) == 0 || rest[len(rest)-1] != 0x80 {
			return errPadding
		}
		rest = rest[:len(rest)-1]
		if padme(1+len(rest)+1) != len(b) {
			return errPadding
		}
	}
	if kind&withKey != 0 {
		if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
			return errShort
		}
		n := 2 + int(binary.BigEndian.Uint16(rest))
		m.Key, rest = rest[2:n:n], rest[n:]
	}
	if kind&withStamp != 0 {
		if len(rest) < 1 || len(rest) < 1+int(rest[0])+instanceSize+16 {
			return errShort
		}
		n := 1 + int(rest[0])
		m.Sender.Name = string(rest[1:n])
		copy(m.Sender.Instance[:], rest[n:])
		rest = rest[n+instanceSize:]
		m.Sequence = binary.BigEndian.Uint64(rest)
		m.Time = time.UnixMilli(int64(binary.BigEndian.Uint64(rest[8:])))
		rest = rest[16:]
	}
	m.Value = rest[:len(rest):len(rest)]
	return nil
}

var (
	errPadding = fmt.Errorf("%w: the message's padding", envelope.ErrFormat)
	errShort   = fmt.Errorf("%w: the message ends within its form", envelope.ErrFormat)
)
