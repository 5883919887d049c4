package kmstest

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// secret returns n bytes to wrap, different for each n.
func secret(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(n + 7*i + 1)
	}
	return b
}

func pairs() kms.Context { return kms.Context{"kind": "data", "tenant": "acme"} }

// wrap wraps what must be wrappable.
func wrap(t testing.TB, d kms.Driver, plaintext []byte, ec kms.Context) kms.Wrapped {
	t.Helper()
	w, err := d.Wrap(own(t), plaintext, ec)
	require.NoError(t, err)
	return w
}

// opens requires that w unwraps to want.
func opens(t testing.TB, d kms.Driver, w kms.Wrapped, ec kms.Context, want []byte) {
	t.Helper()
	got, err := d.Unwrap(own(t), w, ec)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "Unwrap returns other bytes than were wrapped")
}

func roundTrip(t testing.TB, h Harness) {
	many := kms.Context{}
	for i := range 20 {
		many[fmt.Sprint("key", i)] = fmt.Sprint("value", i)
	}
	contexts := []kms.Context{
		nil,
		{},
		{"tenant": "acme"},
		{"tenant": ""},
		many,
		{"Straße": "Größe 📏", "鍵": "値", "a\x00b": "\n\"\\="},
		{"holdfast:purpose": "tenant-key", "tenant": "acme"},
	}
	for _, ec := range contexts {
		for _, n := range []int{1, 32, kms.MaxPlaintext} {
			opens(t, h.Driver, wrap(t, h.Driver, secret(n), ec), maps.Clone(ec), secret(n))
		}
	}
	opens(t, h.Driver, wrap(t, h.Driver, secret(32), nil), kms.Context{}, secret(32)) // nil is empty
}

func namesItsKey(t testing.TB, h Harness) {
	ref := h.Driver.Ref()
	require.NotEmpty(t, ref.Provider)
	if !h.Group { // all groups have one name
		require.NotEmpty(t, ref.KeyID)
		require.NotEqual(t, ref, h.Other.Ref(), "the harness needs two keys")
	}
	w := wrap(t, h.Driver, secret(32), pairs())
	require.Equal(t, ref, w.Ref)
	require.Equal(t, ref, h.Driver.Ref())
	if v, ok := h.Driver.(kms.Versioner); ok {
		require.Equal(t, v.CurrentVersion(), w.Version)
	}
	stored, err := w.AppendBinary(nil)
	require.NoError(t, err)
	read, rest, err := kms.ParseWrapped(stored)
	require.NoError(t, err)
	require.Empty(t, rest)
	opens(t, h.Driver, read, pairs(), secret(32))
	k, ok := h.Driver.(*kms.Key)
	if !ok {
		k, err = kms.NewKey(h.Driver, nil)
		require.NoError(t, err)
	}
	require.NoError(t, k.Check(t.Context()))
	require.False(t, k.Stale(w))
}

func wrapsDiffer(t testing.TB, h Harness) {
	a, b := wrap(t, h.Driver, secret(32), pairs()), wrap(t, h.Driver, secret(32), pairs())
	require.False(t, bytes.Equal(a.Blob, b.Blob), "two wraps of one plaintext are equal")
	opens(t, h.Driver, a, pairs(), secret(32))
	opens(t, h.Driver, b, pairs(), secret(32))
}

func argumentsStay(t testing.TB, h Harness) {
	plaintext, ec := append(secret(32), "spare"...), pairs()
	w := wrap(t, h.Driver, plaintext[:32], ec)
	require.True(t, bytes.Equal(append(secret(32), "spare"...), plaintext), "Wrap changed the plaintext")
	require.Equal(t, pairs(), ec, "Wrap changed the context")

	length := len(w.Blob)
	backing := append(bytes.Clone(w.Blob), "spare"...)
	before := bytes.Clone(backing)
	w.Blob = backing[:length]
	opens(t, h.Driver, w, ec, secret(32))
	require.True(t, bytes.Equal(before, backing), "Unwrap changed the blob")
	require.Equal(t, pairs(), ec, "Unwrap changed the context")
	refuses(t, h.Driver, w, nil, kms.ErrCiphertext, kms.ErrAccessDenied)
	require.True(t, bytes.Equal(before, backing), "a failed Unwrap changed the blob")
}

func resultsAreCallers(t testing.TB, h Harness) {
	plaintext, ec := secret(32), pairs()
	w := wrap(t, h.Driver, plaintext, ec)
	blob := bytes.Clone(w.Blob)
	clear(plaintext)
	ec["tenant"] = "other"
	second := wrap(t, h.Driver, secret(64), pairs())
	clear(second.Blob)
	require.True(t, bytes.Equal(blob, w.Blob), "one Wrap's result changes with the next")
	opens(t, h.Driver, w, pairs(), secret(32))

	first, err := h.Driver.Unwrap(own(t), w, pairs())
	require.NoError(t, err)
	clear(w.Blob)
	require.True(t, bytes.Equal(secret(32), first), "what Unwrap returned changes with the blob")
	w.Blob = blob
	clear(first)
	opens(t, h.Driver, w, pairs(), secret(32))
}
