package kmstest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// opened returns what was wrapped and opened once, so that a driver that remembers what it opened has it.
func opened(t testing.TB, d kms.Driver, plaintext []byte, ec kms.Context) kms.Wrapped {
	t.Helper()
	w := wrap(t, d, plaintext, ec)
	opens(t, d, w, ec, plaintext)
	return w
}

func roundTrip(t testing.TB, h Harness) {
	contexts := []kms.Context{
		nil,
		{},
		{"tenant": "acme"},
		{"tenant": ""},
		many(),
		{"Straße": "Größe 📏", "鍵": "値", "a\x00b": "\n\"\\="},
		{"holdfast:purpose": "tenant-key", "tenant": "acme"},
		{"tenant": strings.Repeat("x", maxContext-overhead-len("tenant"))},
	}
	for _, ec := range contexts {
		for _, n := range []int{1, 32, kms.MaxPlaintext} {
			opens(t, h.Driver, wrap(t, h.Driver, secret(n), ec), maps.Clone(ec), secret(n))
		}
	}
	opens(t, h.Driver, wrap(t, h.Driver, secret(32), nil), kms.Context{}, secret(32)) // nil is empty
}

// anyPlaintext wraps every size, and bytes that whatever takes them for a number, a text or padding would change.
func anyPlaintext(t testing.TB, h Harness) {
	for n := 1; n <= kms.MaxPlaintext; n++ {
		opened(t, h.Driver, secret(n), pairs())
	}
	key := secret(30)
	for _, plaintext := range [][]byte{
		make([]byte, 1),
		make([]byte, 32),
		make([]byte, kms.MaxPlaintext),
		bytes.Repeat([]byte{0xff}, 32),
		slices.Concat([]byte{0, 0}, key),
		slices.Concat(key, []byte{0, 0}),
		slices.Concat(key[:15], []byte{0, 0}, key[15:]),
		slices.Concat(key, []byte{2, 2}), // PKCS #7
		slices.Concat(key, []byte{0x80, 0}),
		slices.Concat([]byte(" \t"), key, []byte("\r\n")),
		[]byte("AAECAwQFBgcICQoLDA0ODw=="),
		[]byte("000102030405060708090a0b0c0d0e0f"),
	} {
		opened(t, h.Driver, plaintext, pairs())
	}
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

// hidesPlaintext looks for any 9 bytes of the plaintext, as they are or as text, in all that is stored.
func hidesPlaintext(t testing.TB, h Harness) {
	const part = 9 // a multiple of 3, so that base64 of it stands in base64 of what holds it
	plaintext := secret(kms.MaxPlaintext)
	stored, err := wrap(t, h.Driver, plaintext, pairs()).AppendBinary(nil)
	require.NoError(t, err)
	upper := bytes.ToUpper(stored)
	for i := range len(plaintext) - part + 1 {
		p := plaintext[i : i+part]
		shown := bytes.Contains(stored, p) ||
			bytes.Contains(upper, fmt.Appendf(nil, "%X", p)) ||
			bytes.Contains(stored, base64.StdEncoding.AppendEncode(nil, p)) ||
			bytes.Contains(stored, base64.URLEncoding.AppendEncode(nil, p))
		require.False(t, shown, "what was wrapped holds a part of the plaintext")
	}
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
