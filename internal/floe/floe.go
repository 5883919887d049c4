// Package floe is FLOE (c2sp.org/FLOE; ePrint 2025/2275) with AES-256-GCM and
// HKDF-Expand-SHA-384: a header that commits to key, IV and additional data,
// then segments that stand each for themselves. Sections 3 of envelope/FORMAT.md has the bytes.
// There is no I/O here: the caller brings the segments.
package floe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

const (
	KeySize        = 32
	HeaderSize     = paramsSize + ivSize + tagSize
	Overhead       = wordSize + nonceSize + gcmTagSize // of each segment
	MinSegmentSize = 40                                // of an encrypted segment, in bytes
	MaxSegments    = 1 << 40

	paramsSize     = 10
	ivSize         = 32
	tagSize        = 32
	wordSize       = 4
	nonceSize      = 12
	gcmTagSize     = 16
	messageKeySize = 48
	rotation       = 20 // log2 of the segments under one segment key
	notLast        = 0xFFFFFFFF
)

// The errors of a stream, which package aead exports.
var (
	ErrOpen      = errors.New("aead: message authentication failed")
	ErrTruncated = fmt.Errorf("aead: stream is truncated: %w", io.ErrUnexpectedEOF)
	ErrFormat    = errors.New("aead: malformed stream")
	ErrTooLarge  = errors.New("aead: size over the limit")
)

// Stream is what both sides know once the header is made or checked. It is
// safe for concurrent use.
type Stream struct {
	SegmentSize int // of every encrypted segment but the last, in bytes

	header     [paramsSize + ivSize]byte // the part that the KDF binds
	aad        []byte
	messageKey func() []byte // a closure: dumpers that follow unexported fields stop here
	rotation   uint
	segmentKey atomic.Pointer[segmentKey] // the last one used
}

// segmentKey is AES-256-GCM for the segments whose numbers share their high bits.
type segmentKey struct {
	cipher.AEAD
	number uint64
}

// Seal starts a stream: it returns its state and its header, with a fresh random IV.
// segmentSize must be at least MinSegmentSize.
func Seal(key *[KeySize]byte, aad []byte, segmentSize int) (*Stream, [HeaderSize]byte) {
	s := &Stream{SegmentSize: segmentSize, aad: append([]byte(nil), aad...), rotation: rotation}
	binary.BigEndian.PutUint32(s.header[2:], uint32(segmentSize))
	binary.BigEndian.PutUint32(s.header[6:], ivSize)
	rand.Read(s.header[paramsSize:])
	s.derive(key)
	var header [HeaderSize]byte
	n := copy(header[:], s.header[:])
	copy(header[n:], s.headerTag(key))
	return s, header
}

// Open checks a stream's header, all of it before it derives anything to decrypt with, and returns the
// stream's state. Errors: ErrFormat for other parameters than ours, ErrTooLarge for segments
// of more than maxSegment bytes, ErrOpen for another key or other additional data.
func Open(key *[KeySize]byte, aad []byte, header *[HeaderSize]byte, maxSegment int) (*Stream, error) {
	size := binary.BigEndian.Uint32(header[2:])
	switch {
	case header[0] != 0 || header[1] != 0 || binary.BigEndian.Uint32(header[6:]) != ivSize || size < MinSegmentSize:
		return nil, ErrFormat
	case uint64(size) > uint64(maxSegment):
		return nil, fmt.Errorf("%w: segments of %d bytes, at most %d allowed", ErrTooLarge, size, maxSegment)
	}
	s := &Stream{SegmentSize: int(size), aad: append([]byte(nil), aad...), rotation: rotation}
	n := copy(s.header[:], header[:])
	if subtle.ConstantTimeCompare(s.headerTag(key), header[n:]) != 1 {
		return nil, ErrOpen
	}
	s.derive(key)
	return s, nil
}

func (s *Stream) derive(key *[KeySize]byte) {
	b := s.kdf(key[:], []byte("MESSAGE_KEY:"), messageKeySize)
	s.messageKey = func() []byte { return b }
}

func (s *Stream) headerTag(key *[KeySize]byte) []byte {
	return s.kdf(key[:], []byte("HEADER_TAG:"), tagSize)
}

// kdf is FLOE_KDF: the info is header || purpose || aad.
func (s *Stream) kdf(key, purpose []byte, n int) []byte {
	info := make([]byte, 0, len(s.header)+len(purpose)+len(s.aad))
	info = append(append(append(info, s.header[:]...), purpose...), s.aad...)
	b, err := hkdf.Expand(sha512.New384, key, string(info), n)
	if err != nil {
		panic("floe: internal error: " + err.Error()) // keys and outputs here are within every limit
	}
	return b
}

// cipher returns the AEAD of a segment.
func (s *Stream) cipher(index uint64) cipher.AEAD {
	number := index >> s.rotation << s.rotation
	if k := s.segmentKey.Load(); k != nil && k.number == number {
		return k.AEAD
	}
	key := s.kdf(s.messageKey(), binary.BigEndian.AppendUint64([]byte("DEK:"), number), KeySize)
	block, err := aes.NewCipher(key)
	clear(key)
	if err != nil {
		panic("floe: internal error: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("floe: internal error: " + err.Error())
	}
	s.segmentKey.Store(&segmentKey{AEAD: aead, number: number})
	return aead
}

// Cursor seals or opens segments of a stream, one at a time and in any order.
// Each goroutine needs its own.
type Cursor struct {
	s  *Stream
	ad [9]byte // here so that no segment allocates
}

// Cursor returns a new cursor.
func (s *Stream) Cursor() *Cursor { return &Cursor{s: s} }

// Seal appends the encrypted segment of that number to dst. The caller keeps each
// number to one plaintext of at most SegmentSize-Overhead bytes, exactly as many unless it
// is the last, and numbers below MaxSegments. dst must not overlap plaintext.
func (c *Cursor) Seal(dst, plaintext []byte, index uint64, last bool) []byte {
	if n := c.s.SegmentSize - Overhead; len(plaintext) > n || !last && len(plaintext) < n || index >= MaxSegments {
		panic("floe: segment out of order or size")
	}
	word := uint32(notLast)
	if last {
		word = uint32(len(plaintext) + Overhead)
	}
	dst = binary.BigEndian.AppendUint32(dst, word)
	return c.s.cipher(index).Seal(dst, nil, plaintext, c.position(index, last))
}

// Open appends to dst the plaintext of the encrypted segment of that number. ErrOpen says that it is
// not that segment, or not last as claimed. dst must not overlap segment.
func (c *Cursor) Open(dst, segment []byte, index uint64, last bool) ([]byte, error) {
	if len(segment) < Overhead || index >= MaxSegments {
		return nil, ErrOpen
	}
	out, err := c.s.cipher(index).Open(dst, nil, segment[wordSize:], c.position(index, last))
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

// position is the additional data of a segment: u64 number || last.
func (c *Cursor) position(index uint64, last bool) []byte {
	binary.BigEndian.PutUint64(c.ad[:], index)
	c.ad[8] = 0
	if last {
		c.ad[8] = 1
	}
	return c.ad[:]
}

// Frame reads a segment's length word off the next bytes of the stream, of which there are at
// least SegmentSize unless the stream ends there. It returns the segment's length and
// whether it claims to be the last. Errors: ErrTruncated, ErrFormat.
func (s *Stream) Frame(next []byte) (n int, last bool, err error) {
	if len(next) < wordSize {
		return 0, false, ErrTruncated
	}
	word := binary.BigEndian.Uint32(next)
	n = s.SegmentSize
	if word != notLast {
		if word < Overhead || uint64(word) > uint64(s.SegmentSize) {
			return 0, false, ErrFormat
		}
		n, last = int(word), true
	}
	if n > len(next) {
		return 0, false, ErrTruncated
	}
	return n, last, nil
}
