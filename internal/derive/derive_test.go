package derive

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func keyOf(b byte) *[Size]byte {
	return (*[Size]byte)(bytes.Repeat([]byte{b}, Size))
}

func TestCommitmentKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		key  byte
		want string
	}{
		{1, "a2410c233b5e9a79c7a257a6e82dd3ff83426edf0f3a7178c07f39277322727b"},
		{3, "3ee99960482dff8d27d724de0fd12280578d3683aac1f6172e9ae5a49b66e991"},
	} {
		got := Commitment(keyOf(c.key))
		require.Equal(t, c.want, hex.EncodeToString(got[:]))
	}
}

// expandByHand is HKDF-Expand-SHA-256 for one block of output.
func expandByHand(key *[Size]byte, info string) [Size]byte {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(info + "\x01"))
	return [Size]byte(h.Sum(nil))
}

func TestKey(t *testing.T) {
	k := keyOf(7)
	for _, c := range []struct {
		name, label string
		info        [][]byte
		want        string // the info of HKDF
	}{
		{"no info", "record", nil, "holdfast/v1 record\x00"},
		{"an empty part", "record", [][]byte{nil}, "holdfast/v1 record\x00\x00\x00\x00\x00"},
		{"two empty parts", "record", [][]byte{nil, {}}, "holdfast/v1 record\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"parts", "index", [][]byte{[]byte("ab"), []byte("c")}, "holdfast/v1 index\x00\x00\x00\x00\x02ab\x00\x00\x00\x01c"},
		{"long part", "a", [][]byte{make([]byte, 0x10203)}, "holdfast/v1 a\x00\x00\x01\x02\x03" + strings.Repeat("\x00", 0x10203)},
		{"every kind of byte", "app/az 09-", nil, "holdfast/v1 app/az 09-\x00"},
		{"longest label", strings.Repeat("z", 64), nil, "holdfast/v1 " + strings.Repeat("z", 64) + "\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, expandByHand(k, c.want), Key(k, c.label, c.info...))
		})
	}
}

func TestBoundariesCount(t *testing.T) {
	k := keyOf(7)
	seen := map[[Size]byte]int{Commitment(k): -1}
	for i, got := range [][Size]byte{
		Key(k, "a"),
		Key(k, "b"),
		Key(k, "ab"),
		Key(k, "commitment"),
		Key(k, "a", nil),
		Key(k, "a", nil, nil),
		Key(k, "a", []byte("ab"), []byte("c")),
		Key(k, "a", []byte("a"), []byte("bc")),
		Key(k, "a", []byte("abc")),
		Key(k, "a", []byte("abc"), nil),
		Key(k, "a", nil, []byte("abc")),
		Key(keyOf(8), "a"),
	} {
		require.NotContains(t, seen, got, "case %d", i)
		seen[got] = i
	}
}

func TestLabelRules(t *testing.T) {
	k := keyOf(7)
	for _, label := range []string{
		"", strings.Repeat("a", 65), "A", "a_b", "a.b", "a\x00", "a\n", "ä", "a:b", "\xff", "`", "{", "@", "[", "\x1f", "!", ",",
	} {
		require.Panics(t, func() { Key(k, label) }, "%q", label)
	}
	for _, label := range []string{"a", "z", "0", "9", " ", "-", "/", strings.Repeat("a", 64)} {
		require.NotPanics(t, func() { Key(k, label) }, "%q", label)
	}
}

func TestAppendParts(t *testing.T) {
	got := AppendParts([]byte{9}, []byte("ab"), nil, []byte("c"))
	require.Equal(t, []byte("\x09\x00\x00\x00\x02ab\x00\x00\x00\x00\x00\x00\x00\x01c"), got)
	require.Equal(t, []byte{9}, AppendParts([]byte{9}))
}

func TestArgumentsStayUntouched(t *testing.T) {
	k, part := keyOf(7), []byte("part")
	first := Key(k, "a", part)
	require.Equal(t, keyOf(7), k)
	require.Equal(t, []byte("part"), part)
	require.Equal(t, first, Key(k, "a", part))
}
