// Package derive makes the keys and names that every Holdfast format derives
// from a 32-byte key, as section 1 of envelope/FORMAT.md defines them.
package derive

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

// Size is the length of every key here, in bytes.
const Size = 32

const (
	prefix   = "holdfast/v1 "
	maxLabel = 64 // bytes
)

// Key returns HKDF-Expand-SHA-256(key, "holdfast/v1 " || label || 00 || info, 32),
// each part of info preceded by its length as a 32-bit integer. The key must be
// uniformly random. A label that is empty, over 64 bytes or holds anything but
// a-z 0-9 space - / is a programmer's error and panics.
func Key(key *[Size]byte, label string, info ...[]byte) [Size]byte {
	n := 0
	for _, part := range info {
		n += 4 + len(part)
	}
	return Joined(key, label, string(AppendParts(make([]byte, 0, n), info...)))
}

// Joined is Key where info is joined already, as [AppendParts] does it.
func Joined(key *[Size]byte, label, info string) [Size]byte {
	checkLabel(label)
	return expand(key, prefix+label+"\x00"+info)
}

// Commitment returns HKDF-Expand-SHA-256(key, "holdfast/v1 commitment", 32). Its
// info has no 00, so no Key yields the same bytes.
func Commitment(key *[Size]byte) [32]byte {
	return expand(key, prefix+"commitment")
}

// AppendParts appends each part preceded by its length as a 32-bit integer.
func AppendParts(b []byte, parts ...[]byte) []byte {
	for _, part := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}

func expand(key *[Size]byte, info string) (out [Size]byte) {
	okm, err := hkdf.Expand(sha256.New, key[:], info, Size)
	if err != nil {
		panic("derive: internal error: " + err.Error()) // 32 bytes of key and of output are within every limit
	}
	copy(out[:], okm)
	clear(okm)
	return out
}

func checkLabel(label string) {
	if len(label) == 0 || len(label) > maxLabel {
		panic("derive: label must be 1 to 64 bytes")
	}
	for _, c := range []byte(label) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == ' ', c == '-', c == '/':
		default:
			panic("derive: label may hold a-z 0-9 space - / only")
		}
	}
}
