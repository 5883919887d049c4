package envelope_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
)

// fuzzed are the errors that bytes can cause.
func fuzzed(t *testing.T, err error) {
	t.Helper()
	if a := envelope.ActionFor(err); a != envelope.Reject {
		t.Fatalf("%v is for %v", err, a)
	}
}

// change returns a copy of one of known, with x put over it at a place by exclusive or, beyond its end too, and cut to a length. Every process of a
// fuzzer has keys of its own, so that inputs can't be whole records.
func change(known [][]byte, which uint8, at, length uint16, x []byte) []byte {
	b := bytes.Clone(known[int(which)%len(known)])
	for i, c := range x {
		if j := int(at) + i; j < len(b) {
			b[j] ^= c
		} else {
			b = append(b, c)
		}
	}
	return b[:min(len(b), int(length))]
}

// addChanges adds inputs for change.
func addChanges(f *testing.F, known [][]byte) {
	for i, b := range known {
		f.Add(uint8(i), uint16(0), uint16(len(b)), []byte{})
		f.Add(uint8(i), uint16(0), uint16(len(b)-1), []byte{})
		f.Add(uint8(i), uint16(0), uint16(len(b)), []byte{2})
		f.Add(uint8(i), uint16(5), uint16(len(b)), []byte{1})
		f.Add(uint8(i), uint16(len(b)-1), uint16(len(b)), []byte{1})
		f.Add(uint8(i), uint16(len(b)), uint16(len(b)+1), []byte{0})
		f.Add(uint8(i), uint16(20), uint16(17), []byte{0})
		f.Add(uint8(i), uint16(20), uint16(0), []byte{0})
	}
}

// FuzzOpenRecord opens changed records: what opens is as it was sealed, for its scope, in place as elsewhere.
func FuzzOpenRecord(f *testing.F) {
	g := newRig(f, nil)
	ctx := context.Background()
	acme := g.Tenant("acme")
	scopes := []envelope.Scope{acme, acme.Subject("ada"), g.Tenant("other")}
	var known [][]byte
	owner := map[string]int{}
	for i, scope := range scopes {
		for _, n := range []int{0, 1, 100} {
			record, err := scope.Seal(ctx, streamBytes(n), binding)
			require.NoError(f, err)
			known, owner[string(record)] = append(known, record), i
		}
	}
	addChanges(f, known)
	f.Fuzz(func(t *testing.T, which uint8, at, length uint16, x []byte) {
		b := change(known, which, at, length, x)
		given := bytes.Clone(b)
		for i, scope := range scopes {
			got, err := scope.Open(ctx, b, binding)
			if !bytes.Equal(given, b) {
				t.Fatal("the input was changed")
			}
			of, ok := owner[string(b)]
			if ok = ok && of == i; ok != (err == nil) {
				t.Fatalf("sealed for it: %t, error: %v", ok, err)
			}
			dst := bytes.Clone(b)
			inPlace, errInPlace := scope.AppendOpen(ctx, dst[:0], dst, binding)
			if (err == nil) != (errInPlace == nil) || !bytes.Equal(got, inPlace) {
				t.Fatalf("apart %v, in place %v", err, errInPlace)
			}
			if err == nil {
				if !bytes.Equal(streamBytes(len(got)), got) {
					t.Fatalf("opened to %x", got)
				}
				continue
			}
			if got != nil {
				t.Fatal("returned bytes and an error")
			}
			fuzzed(t, err)
		}
	})
}

// FuzzOpenStream opens changed streams: what opens is the whole of one that was sealed, and both ways agree.
func FuzzOpenStream(f *testing.F) {
	g := newRig(f, nil)
	ctx := context.Background()
	acme := g.Tenant("acme")
	warm(f, g.Tenant("other"))
	var known [][]byte
	for _, n := range []int{0, 1, 100, 300} {
		var sealed bytes.Buffer
		w, err := acme.NewWriter(ctx, &sealed, binding, &aead.StreamOptions{SegmentSize: 64})
		require.NoError(f, err)
		_, err = w.Write(streamBytes(n))
		require.NoError(f, err)
		require.NoError(f, w.Close())
		known = append(known, sealed.Bytes())
	}
	addChanges(f, known)
	o := &aead.StreamOptions{MaxSegmentSize: 1 << 16, Workers: 1}
	f.Fuzz(func(t *testing.T, which uint8, at, length uint16, x []byte) {
		b := change(known, which, at, length, x)
		var got, gotAt []byte
		r, err := acme.NewReader(ctx, bytes.NewReader(b), binding, o)
		if err == nil {
			got, err = io.ReadAll(r)
		}
		ra, errAt := acme.NewReaderAt(ctx, bytes.NewReader(b), int64(len(b)), binding, o)
		if errAt == nil {
			gotAt, errAt = io.ReadAll(io.NewSectionReader(ra, 0, ra.Size()))
		}
		whole := slices.ContainsFunc(known, func(k []byte) bool { return bytes.Equal(k, b) })
		if (err == nil) != whole || (errAt == nil) != whole {
			t.Fatalf("sealed so: %t, Reader: %v, ReaderAt: %v", whole, err, errAt)
		}
		if !bytes.HasPrefix(streamBytes(1000), got) {
			t.Fatalf("opened to %x", got)
		}
		if whole {
			if !bytes.Equal(got, gotAt) {
				t.Fatalf("Reader opens to %x, ReaderAt to %x", got, gotAt)
			}
			return
		}
		_, errOther := g.Tenant("other").NewReader(ctx, bytes.NewReader(b), binding, o)
		for _, err := range []error{err, errAt, errOther} {
			if !errors.Is(err, envelope.ErrTooLarge) { // segments larger than allowed
				fuzzed(t, err)
			}
		}
	})
}
