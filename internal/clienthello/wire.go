package clienthello

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// What records and handshake messages are (RFC 8446 sections 5.1 and 4, RFC 5246 section 7.4).
const (
	recordAlert     = 21
	recordHandshake = 22

	typeClientHello       = 1
	typeServerHello       = 2
	typeServerKeyExchange = 12
	typeServerHelloDone   = 14

	alertWarning     = 1
	alertCloseNotify = 0
)

// maxRecord is the longest plaintext of a record in bytes (RFC 8446 section 5.1).
const maxRecord = 1 << 14

// readRecord returns the next record. The error is io.EOF where there is none.
func readRecord(r io.Reader) (kind byte, body []byte, err error) {
	var header [5]byte
	if n, err := io.ReadFull(r, header[:]); err != nil {
		if n == 0 && hungUp(err) {
			return 0, nil, io.EOF
		}
		return 0, nil, cut(err)
	}
	size := int(be.Uint16(header[3:]))
	if header[1] != 3 || size == 0 || size > maxRecord {
		return 0, nil, malformed("it begins with %q", header[:])
	}
	body = make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, cut(err)
	}
	return header[0], body, nil
}

// hungUp says whether the other side ended the connection: politely, or by a reset.
func hungUp(err error) bool {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number == syscall.ECONNRESET || number == syscall.EPIPE || number == wsaConnAborted || number == wsaConnReset
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
}

// Windows has numbers of its own for it, which are none elsewhere.
const (
	wsaConnAborted = 10053
	wsaConnReset   = 10054
)

// cut returns what it means that a record ends early.
func cut(err error) error {
	if hungUp(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("it ends within a record, or has more than %d bytes", maxAnswer)
	}
	return err
}

// cutMessage returns the first handshake message of b, nil if it is not complete, and what follows it.
func cutMessage(b []byte) (kind byte, message, rest []byte) {
	c := cursor{rest: b}
	kind = c.u8()
	size := int(c.u8())<<16 | int(c.u16())
	message = c.bytes(size)
	if c.bad {
		return 0, nil, b
	}
	return kind, message, c.rest
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotTLS, fmt.Sprintf(format, args...))
}

var be = binary.BigEndian

// list16 returns numbers of two bytes each.
func list16[T ~uint16](values []T) []byte {
	var b []byte
	for _, v := range values {
		b = be.AppendUint16(b, uint16(v))
	}
	return b
}

// vector8 returns b after its length in one byte.
func vector8(b []byte) []byte { return append([]byte{byte(len(b))}, b...) }

// vector16 returns b after its length in two bytes.
func vector16(b []byte) []byte { return append(be.AppendUint16(nil, uint16(len(b))), b...) }

// cursor reads from the front of rest. After a read of more than there is, it is bad and all reads are zero.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) bytes(n int) []byte {
	if n > len(c.rest) {
		c.bad, c.rest = true, nil
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) u8() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.bytes(2); b != nil {
		return be.Uint16(b)
	}
	return 0
}

func (c *cursor) vector8() []byte  { return c.bytes(int(c.u8())) }
func (c *cursor) vector16() []byte { return c.bytes(int(c.u16())) }
