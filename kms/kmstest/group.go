package kmstest

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// recipients returns the parts of what a group wrapped. Each of them opens alone.
func recipients(t testing.TB, w kms.Wrapped) []kms.Wrapped {
	t.Helper()
	list, err := w.Recipients()
	require.NoError(t, err)
	return list
}

// group returns what a group would have made of list: FORMAT.md section 5.
func group(t testing.TB, ref kms.Ref, list []kms.Wrapped) kms.Wrapped {
	t.Helper()
	blob := []byte{byte(len(list))}
	for _, w := range list {
		one, err := w.AppendBinary(nil)
		require.NoError(t, err)
		blob = append(binary.BigEndian.AppendUint16(blob, uint16(len(one))), one...)
	}
	return kms.Wrapped{Ref: ref, Blob: blob}
}

// groupDisguises puts each part of w under each name in as.
func groupDisguises(t testing.TB, w, as kms.Wrapped) (forged []kms.Wrapped) {
	t.Helper()
	for _, name := range recipients(t, as) {
		for _, part := range recipients(t, w) {
			for _, version := range []string{name.Version, part.Version} {
				list := []kms.Wrapped{{Ref: name.Ref, Version: version, Blob: part.Blob}}
				forged = append(forged, group(t, as.Ref, list))
			}
		}
	}
	return forged
}

// groupFlippedBits flips a bit in each byte of one part, which the others make up for or not, and in each byte of
// all parts at once, which nothing does.
func groupFlippedBits(t testing.TB, h Harness) {
	w := opened(t, h.Driver, secret(32), pairs())
	w.Blob = bytes.Clone(w.Blob)
	for i := range w.Blob {
		for _, bit := range h.bits(i) {
			w.Blob[i] ^= 1 << bit
			got, err := h.Driver.Unwrap(own(t), w, pairs())
			if err == nil {
				require.True(t, bytes.Equal(secret(32), got), "a changed blob opens to other bytes")
			} else {
				require.Nil(t, got)
				only(t, err, kms.ErrCiphertext, kms.ErrNotFound)
			}
			w.Blob[i] ^= 1 << bit
		}
	}
	list := recipients(t, w)
	longest := 0
	for _, part := range list {
		longest = max(longest, len(part.Blob))
	}
	flip := func(i, bit int) {
		for _, part := range list {
			part.Blob[i%len(part.Blob)] ^= 1 << bit
		}
	}
	for i := range longest {
		for _, bit := range h.bits(i) {
			flip(i, bit)
			refuses(t, h.Driver, group(t, w.Ref, list), pairs(), kms.ErrCiphertext)
			flip(i, bit)
		}
	}
	for _, part := range list {
		opens(t, h.Driver, group(t, w.Ref, []kms.Wrapped{part}), pairs(), secret(32))
	}
}
