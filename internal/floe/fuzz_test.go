package floe

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// FuzzHeader opens headers under the key of the vectors: those open that have the tag
// which the specification's formula gives, and sizes within the limits.
func FuzzHeader(f *testing.F) {
	key, aad := (*[KeySize]byte)(pattern(KeySize)), []byte("ad")
	for _, v := range loadVectors(f) {
		if b := unhex(f, v.In); len(b) >= HeaderSize {
			f.Add(b[:HeaderSize])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != HeaderSize {
			return
		}
		header := [HeaderSize]byte(b)
		size := binary.BigEndian.Uint32(b[2:])
		params := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{0, 0}, size), 32)
		tag := expandByHand(key[:], 32, b[:42], []byte("HEADER_TAG:"), aad)
		want := "ok"
		switch {
		case !bytes.Equal(params, b[:10]) || size < 40 || size > readerLimit:
			want = "format"
		case !bytes.Equal(tag, b[42:]):
			want = "open"
		}
		if _, err := Open(key, aad, &header, readerLimit); class(err) != want {
			t.Fatalf("%x: %v, want %s", header, err, want)
		}
	})
}

// FuzzSegment frames and opens segments: of those only the stream's own open, at their place. It
// also seals what it is given, and opens it.
func FuzzSegment(f *testing.F) {
	var stream []byte
	for _, v := range loadVectors(f) {
		b := unhex(f, v.In)
		if v.Name == "S=64 last full" {
			stream = b
		}
		if len(b) > HeaderSize {
			f.Add(b[HeaderSize:], uint64(0), false)
		}
	}
	s, err := Open((*[KeySize]byte)(pattern(KeySize)), []byte("ad"), (*[HeaderSize]byte)(stream), readerLimit)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 4 {
		f.Add(stream[HeaderSize+64*i:], uint64(i), i == 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, index uint64, last bool) {
		if n, framedLast, err := s.Frame(b); err == nil {
			if n < Overhead || n > s.SegmentSize || n > len(b) || !framedLast && n != s.SegmentSize {
				t.Fatalf("framed %d of %d bytes", n, len(b))
			}
			if out, err := s.Cursor().Open(nil, b[:n], index, last); err == nil {
				at := HeaderSize + 64*index
				if index > 3 || last != (index == 3) || !bytes.Equal(stream[at+4:at+64], b[4:n]) {
					t.Fatalf("opened segment %s as number %d", hex.EncodeToString(b[:n]), index)
				}
				if !bytes.Equal(out, pattern(32)) {
					t.Fatalf("opened to %x", out)
				}
			}
		} else if class(err) == err.Error() {
			t.Fatalf("unknown error: %v", err)
		}
		plaintext, index := b[:min(len(b), 32)], index%MaxSegments
		last = last || len(plaintext) < 32
		sealed := s.Cursor().Seal(nil, plaintext, index, last)
		n, framedLast, err := s.Frame(sealed)
		if err != nil || n != len(sealed) || framedLast != last {
			t.Fatalf("framed a sealed segment as %d bytes, last %v: %v", n, framedLast, err)
		}
		if out, err := s.Cursor().Open(nil, sealed, index, last); err != nil || !bytes.Equal(out, plaintext) {
			t.Fatalf("a sealed segment does not open: %v", err)
		}
	})
}
