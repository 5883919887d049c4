package field

import (
	"fmt"

	"github.com/holdfast-go/holdfast/envelope"
)

const maxPad = 4096 // bytes that the length of a value may be rounded up to

// pad marks what appendValue has written as padded, and appends 80 and zeros up to a multiple of n bytes.
func pad(b []byte, n int) []byte {
	b[0] |= padded
	b = append(b, 0x80)
	for len(b)%n != 0 {
		b = append(b, 0)
	}
	return b
}

// unpad returns what was padded.
func unpad(b []byte) ([]byte, error) {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == 0x80 {
			return b[:i], nil
		}
		if b[i] != 0 {
			break
		}
	}
	return nil, fmt.Errorf("%w: bad padding", envelope.ErrFormat)
}
