package envelope

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/whole"
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
	size      int
	canonical []byte // the context
	context   kms.Context
	wrapped   kms.Wrapped
	list      []kms.Wrapped // its recipients
	spare     int           // zeros between the wrapped key and the MAC
}

// HeaderSize returns the length of a message's header from its first 6 bytes; more may follow. Errors: [ErrTruncated], [ErrFormat].
func HeaderSize(prefix []byte) (int, error) { return edge(headerSize(prefix)) }

func headerSize(prefix []byte) (int, error) {
	if len(prefix) < prefixSize {
		return 0, ErrTruncated
	}
	size := int(binary.BigEndian.Uint16(prefix[2:]))
	context := int(binary.BigEndian.Uint16(prefix[4:]))
	if prefix[0] != firstByte || prefix[1] != version || size%granule != 0 || context > maxContext || prefixSize+context > size-macSize {
		return 0, malformed("this is no message, or a later version's")
	}
	return size, nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrFormat, what) }

// readHeader reads a whole header; its length is bounded before it is believed.
func readHeader(r io.Reader) ([]byte, error) {
	b := make([]byte, prefixSize, 512)
	if err := readFull(r, b); err != nil {
		return nil, err
	}
	size, err := headerSize(b)
	if err != nil {
		return nil, err
	}
	b = append(b, make([]byte, size-prefixSize)...)
	return b, readFull(r, b[prefixSize:])
}

func readFull(r io.Reader, b []byte) error {
	_, err := whole.Read(r, b)
	if err == io.EOF {
		err = ErrTruncated
	}
	if err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	return nil
}

// parseHeader reads a header off the front of b.
func parseHeader(b []byte) (*header, error) {
	size, err := headerSize(b)
	if err != nil {
		return nil, err
	}
	if len(b) < size {
		return nil, ErrTruncated
	}
	rest := b[prefixSize : size-macSize]
	n := int(binary.BigEndian.Uint16(b[4:]))
	h := &header{size: size, canonical: rest[:n:n]}
	h.context, err = kms.ParseContext(h.canonical)
	if err == nil {
		err = checkContext(h.context)
	}
	if err != nil {
		return nil, malformed("its context")
	}
	h.wrapped, rest, err = kms.ParseWrapped(rest[n:])
	if err != nil {
		return nil, malformed("its wrapped key")
	}
	h.list, err = h.wrapped.Recipients()
	if err != nil {
		return nil, malformed("its list of recipients")
	}
	for _, c := range rest {
		if c != 0 {
			return nil, malformed("its padding")
		}
	}
	h.spare = len(rest)
	return h, nil
}

// need is how many bytes a header takes without padding.
func need(canonical []byte, w kms.Wrapped) int {
	const lengths = 1 + 2 + 1 + 2 // of the wrapped key's fields
	return prefixSize + len(canonical) + lengths + len(w.Provider) + len(w.KeyID) + len(w.Version) + len(w.Blob) + macSize
}

// smallest is the length of a header that just fits.
func smallest(canonical []byte, w kms.Wrapped) int {
	return (need(canonical, w) + granule - 1) / granule * granule
}

// roomy is the length of a stream's header.
func roomy(canonical []byte, w kms.Wrapped) int {
	return (need(canonical, w) + streamSpare + streamBlock - 1) / streamBlock * streamBlock
}

// buildHeader returns the header, size bytes long.
func buildHeader(dataKey *[32]byte, canonical []byte, w kms.Wrapped, size int) ([]byte, error) {
	if n := need(canonical, w); n > size || size > maxHeader {
		return nil, fmt.Errorf("%w: the header needs %d bytes and would be %d of at most %d: seal the data anew, with a smaller context or fewer recipients", ErrTooLarge, n, size, maxHeader)
	}
	b := make([]byte, prefixSize, size)
	b[0], b[1] = firstByte, version
	binary.BigEndian.PutUint16(b[2:], uint16(size))
	binary.BigEndian.PutUint16(b[4:], uint16(len(canonical)))
	b, err := w.AppendBinary(append(b, canonical...))
	if err != nil {
		return nil, err
	}
	b = b[:size-macSize]
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
		return ErrOpen
	}
	return nil
}
