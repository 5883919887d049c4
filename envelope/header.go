package envelope

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/kms"
)

// A header is FORMAT.md section 5: prefix || context || wrapped data key || zeros || HMAC.
const (
	firstByte   = 0xF6
	version     = 1
	prefixSize  = 6 // first byte, version, u16 header length, u16 context length
	macSize     = sha256.Size
	granule     = 64          // a header's length is a multiple of it
	maxHeader   = 65535 &^ 63 // 65 472
	maxContext  = 8 << 10     // canonical, in bytes
	streamBlock = 4 << 10     // a stream's header is a multiple of it,
	streamSpare = 2 << 10     // and has at least this many zeros, for recipients to come
)

// header is a parsed header. Nothing in it is authenticated before its MAC is checked.
type header struct {
	size    int
	context []byte // canonical
	wrapped kms.Wrapped
	spare   int // zeros between the wrapped key and the MAC
}

// HeaderSize returns the length of a message's header from its first 6 bytes; more may follow. Errors: [ErrTruncated], [ErrFormat].
func HeaderSize(prefix []byte) (int, error) {
	if len(prefix) < prefixSize {
		return 0, fmt.Errorf("envelope: %w", ErrTruncated)
	}
	size := int(binary.BigEndian.Uint16(prefix[2:]))
	context := int(binary.BigEndian.Uint16(prefix[4:]))
	if prefix[0] != firstByte || prefix[1] != version || size%granule != 0 || context > maxContext || prefixSize+context > size-macSize {
		return 0, malformed("this is no message, or a later version's")
	}
	return size, nil
}

func malformed(what string) error { return fmt.Errorf("envelope: %w: %s", ErrFormat, what) }

// parseHeader reads a header off the front of b.
func parseHeader(b []byte) (*header, error) {
	size, err := HeaderSize(b)
	if err != nil {
		return nil, err
	}
	if len(b) < size {
		return nil, fmt.Errorf("envelope: %w", ErrTruncated)
	}
	rest := b[prefixSize : size-macSize]
	n := int(binary.BigEndian.Uint16(b[4:]))
	h := &header{size: size, context: rest[:n:n]}
	ec, err := kms.ParseContext(h.context)
	if err == nil {
		err = checkContext(ec)
	}
	if err != nil {
		return nil, malformed("its context")
	}
	h.wrapped, rest, err = kms.ParseWrapped(rest[n:])
	if err != nil {
		return nil, malformed("its wrapped key")
	}
	for _, c := range rest {
		if c != 0 {
			return nil, malformed("its padding")
		}
	}
	h.spare = len(rest)
	return h, nil
}

// buildHeader returns the header of a message; size 0 means the smallest that fits, with spare zeros at least, as a multiple of unit.
func buildHeader(dataKey *[32]byte, context []byte, w kms.Wrapped, size, unit, spare int) ([]byte, error) {
	wrapped, err := w.AppendBinary(nil)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	need := prefixSize + len(context) + len(wrapped) + spare + macSize
	if size == 0 {
		size = (need + unit - 1) / unit * unit
	}
	if need > size || size > maxHeader {
		return nil, fmt.Errorf("envelope: %w: the header needs %d bytes and has room for %d: seal the data again, with a smaller context or fewer recipients", ErrTooLarge, need, min(size, maxHeader))
	}
	b := make([]byte, prefixSize, size)
	b[0], b[1] = firstByte, version
	binary.BigEndian.PutUint16(b[2:], uint16(size))
	binary.BigEndian.PutUint16(b[4:], uint16(len(context)))
	b = append(append(b, context...), wrapped...)[:size-macSize]
	return append(b, headerMAC(dataKey, b)...), nil
}

// headerMAC authenticates the header's bytes before the MAC.
func headerMAC(dataKey *[32]byte, b []byte) []byte {
	key := derive.Key(dataKey, "header")
	defer clear(key[:])
	mac := hmac.New(sha256.New, key[:])
	mac.Write(b)
	return mac.Sum(nil)
}

// verify checks the MAC of the header at the front of b.
func (h *header) verify(dataKey *[32]byte, b []byte) error {
	if !hmac.Equal(headerMAC(dataKey, b[:h.size-macSize]), b[h.size-macSize:h.size]) {
		return fmt.Errorf("envelope: %w", ErrOpen)
	}
	return nil
}
