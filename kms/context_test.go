package kms_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

func TestCanonical(t *testing.T) {
	for _, tc := range []struct {
		name string
		ec   kms.Context
		want string
	}{
		{"nil", nil, "\x00\x00"},
		{"empty", kms.Context{}, "\x00\x00"},
		{"one pair", kms.Context{"tenant": "acme"}, "\x00\x01\x00\x06tenant\x00\x04acme"},
		{"empty value", kms.Context{"a": ""}, "\x00\x01\x00\x01a\x00\x00"},
		{"sorted by bytes", kms.Context{"é": "4", "b": "3", "B": "1", "a": "2"}, "\x00\x04\x00\x01B\x00\x011\x00\x01a\x00\x012\x00\x01b\x00\x013\x00\x02é\x00\x014"},
		{"prefix first", kms.Context{"ab": "", "a": ""}, "\x00\x02\x00\x01a\x00\x00\x00\x02ab\x00\x00"},
		{"reserved", kms.Context{"holdfast:purpose": "check"}, "\x00\x01\x00\x10holdfast:purpose\x00\x05check"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.ec.Canonical()
			require.NoError(t, err)
			require.Equal(t, tc.want, string(got))
			back, err := kms.ParseContext(got)
			require.NoError(t, err)
			require.True(t, maps.Equal(tc.ec, back))
		})
	}
}

// full is a context whose canonical form has exactly 8 KiB, and more bytes.
func full(more int) kms.Context {
	return kms.Context{"key": strings.Repeat("v", 8<<10-2-4-3+more)}
}

func TestCanonicalRefuses(t *testing.T) {
	many := kms.Context{}
	for i := range 70_000 {
		many[fmt.Sprint(i)] = ""
	}
	for _, tc := range []struct {
		name string
		ec   kms.Context
	}{
		{"empty key", kms.Context{"": "value"}},
		{"key not UTF-8", kms.Context{"\xf5": "value"}},
		{"value not UTF-8", kms.Context{"key": "a\xc0"}},
		{"a byte too many", full(1)},
		{"value over 16 bits", kms.Context{"key": strings.Repeat("v", 1<<16)}},
		{"key over 16 bits", kms.Context{strings.Repeat("k", 1<<16): ""}},
		{"too many pairs", many},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.ec.Canonical()
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Nil(t, got)
		})
	}
	b, err := full(0).Canonical()
	require.NoError(t, err)
	require.Len(t, b, 8<<10)
}

func TestParseContextRefuses(t *testing.T) {
	for _, tc := range []struct{ name, in string }{
		{"nothing", ""},
		{"half a count", "\x00"},
		{"pairs missing", "\x00\x01"},
		{"count too high", "\x00\x02\x00\x01a\x00\x00"},
		{"huge count", "\xff\xff\x00\x01a\x00\x00"},
		{"bytes after the end", "\x00\x01\x00\x01a\x00\x00\x00"},
		{"bytes after none", "\x00\x00\x00"},
		{"out of order", "\x00\x02\x00\x01b\x00\x00\x00\x01a\x00\x00"},
		{"twice", "\x00\x02\x00\x01a\x00\x00\x00\x01a\x00\x01x"},
		{"empty key", "\x00\x01\x00\x00\x00\x01x"},
		{"key not UTF-8", "\x00\x01\x00\x01\xff\x00\x00"},
		{"value not UTF-8", "\x00\x01\x00\x01a\x00\x01\xff"},
		{"value cut short", "\x00\x01\x00\x01a\x00\x05x"},
		{"over 8 KiB", "\x00\x01\x00\x03key\x20\x00" + strings.Repeat("v", 8<<10)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := kms.ParseContext([]byte(tc.in))
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Nil(t, got)
		})
	}
}

func TestCanonicalIsInjective(t *testing.T) {
	text := rapid.StringN(0, 4, 8)
	contexts := rapid.MapOfN(rapid.StringN(1, 3, 6), text, 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		a, b := kms.Context(contexts.Draw(t, "a")), kms.Context(contexts.Draw(t, "b"))
		x, errA := a.Canonical()
		y, errB := b.Canonical()
		require.NoError(t, errA)
		require.NoError(t, errB)
		require.Equal(t, maps.Equal(a, b), string(x) == string(y))
	})
}

func TestReservedKeys(t *testing.T) {
	s := newScript()
	k := newKey(t, s)
	ec := kms.Context{"tenant": "acme", "holdfast:purpose": "tenant-key"}
	_, err := k.Wrap(t.Context(), []byte("secret"), ec)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Zero(t, s.calls)

	own := reserved.Allow(t.Context())
	w, err := k.Wrap(own, []byte("secret"), ec)
	require.NoError(t, err)
	_, err = k.Unwrap(t.Context(), w, ec)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Equal(t, 1, s.calls)
	got, err := k.Unwrap(own, w, ec)
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))

	_, err = k.Wrap(t.Context(), []byte("secret"), kms.Context{"Holdfast:purpose": "", "holdfast": ""})
	require.NoError(t, err, "only the prefix itself is reserved")
}

func FuzzParseContext(f *testing.F) {
	for _, ec := range []kms.Context{nil, {"a": ""}, {"tenant": "acme", "é": "\x00"}} {
		b, err := ec.Canonical()
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte("\xff\xff\x00\x01a\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ec, err := kms.ParseContext(b)
		if err != nil {
			require.ErrorIs(t, err, kms.ErrInvalid)
			return
		}
		for key, value := range ec {
			require.True(t, key != "" && utf8.ValidString(key) && utf8.ValidString(value))
		}
		again, err := ec.Canonical()
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}
