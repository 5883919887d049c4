package aead

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func parse(t testing.TB, b []byte) *Key {
	t.Helper()
	k, err := ParseKey(b)
	require.NoError(t, err)
	return k
}

func TestNewKeysDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		seen[string(NewKey().Bytes())] = true
	}
	require.Len(t, seen, 100)
}

func TestParseKey(t *testing.T) {
	for _, n := range []int{0, 1, 16, 31, 33, 64} {
		k, err := ParseKey(make([]byte, n))
		require.ErrorIs(t, err, ErrKeySize, "%d bytes", n)
		require.Nil(t, k)
	}
	_, err := ParseKey(nil)
	require.ErrorIs(t, err, ErrKeySize)
	require.Equal(t, pattern(KeySize), parse(t, pattern(KeySize)).Bytes())
}

func TestKeyCopiesInAndOut(t *testing.T) {
	b := pattern(KeySize)
	k := parse(t, b)
	clear(b)
	require.Equal(t, pattern(KeySize), k.Bytes())
	clear(k.Bytes())
	require.Equal(t, pattern(KeySize), k.Bytes())
	sealed := k.Seal(nil, []byte("x"), nil)
	_, err := parse(t, pattern(KeySize)).Open(nil, sealed, nil)
	require.NoError(t, err)
}

func TestKeyNames(t *testing.T) {
	k := parse(t, bytes.Repeat([]byte{1}, KeySize))
	const commitment = "a2410c233b5e9a79c7a257a6e82dd3ff83426edf0f3a7178c07f39277322727b"
	c := k.Commitment()
	require.Equal(t, commitment, hex.EncodeToString(c[:]))
	require.Equal(t, commitment[:32], k.ID().String())
	require.Equal(t, "aead.Key("+commitment[:8]+")", k.String())
}

func TestEqual(t *testing.T) {
	k := NewKey()
	require.True(t, k.Equal(k))
	require.True(t, k.Equal(parse(t, k.Bytes())))
	require.False(t, k.Equal(NewKey()))
	for i := range KeySize {
		require.False(t, k.Equal(parse(t, flip(k.Bytes(), i*8))))
	}
}

func TestDerive(t *testing.T) {
	k := NewKey()
	require.True(t, k.Derive("a", []byte("x")).Equal(parse(t, k.Bytes()).Derive("a", []byte("x"))))
	c := k.Commitment()
	seen := map[string]bool{string(k.Bytes()): true, string(c[:]): true}
	for i, d := range []*Key{
		k.Derive("a"),
		k.Derive("b"),
		k.Derive("app/a"),
		k.Derive("commitment"),
		k.Derive("record"),
		k.Derive("a", nil),
		k.Derive("a", []byte("ab"), []byte("c")),
		k.Derive("a", []byte("a"), []byte("bc")),
		k.Derive("a").Derive("a"),
	} {
		require.NotContains(t, seen, string(d.Bytes()), "case %d", i)
		seen[string(d.Bytes())] = true
	}
}

func TestDeriveLabels(t *testing.T) {
	k := NewKey()
	for _, label := range []string{"", "A", "a_b", "a\x00", "ä", strings.Repeat("a", 61)} {
		require.Panics(t, func() { k.Derive(label) }, "%q", label)
	}
	for _, label := range []string{"a", "a-b/c 9", strings.Repeat("a", 60)} {
		require.NotPanics(t, func() { k.Derive(label) }, "%q", label)
	}
	// A label that panics leaves the key as it was, also for a Destroy that waits for uses in flight.
	k.Destroy()
}

func TestZeroKey(t *testing.T) {
	var k Key
	for _, c := range []struct {
		name string
		use  func()
	}{
		{"Seal", func() { k.Seal(nil, nil, nil) }},
		{"Open", func() { _, _ = k.Open(nil, make([]byte, 100), nil) }},
		{"Bytes", func() { k.Bytes() }},
		{"ID", func() { k.ID() }},
		{"Commitment", func() { k.Commitment() }},
		{"Derive", func() { k.Derive("a") }},
		{"Equal", func() { k.Equal(NewKey()) }},
		{"Equal to it", func() { NewKey().Equal(&k) }},
		{"Destroy", func() { k.Destroy() }},
		{"NewWriter", func() { _, _ = NewWriter(new(bytes.Buffer), &k, nil, nil) }},
		{"NewReader", func() { _, _ = NewReader(bytes.NewReader(make([]byte, 200)), &k, nil, nil) }},
		{"NewReaderAt", func() { _, _ = NewReaderAt(bytes.NewReader(make([]byte, 200)), 200, &k, nil, nil) }},
		{"NewSealReader", func() { _, _ = NewSealReader(new(bytes.Buffer), &k, nil, nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				message, _ := recover().(string)
				require.Contains(t, message, "NewKey")
				require.Contains(t, message, "ParseKey")
			}()
			c.use()
		})
	}
	require.Equal(t, "aead.Key(zero)", k.String())
	text, err := k.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "aead.Key(zero)", string(text))
	require.Equal(t, "aead.Key(zero)", k.LogValue().String())
}
