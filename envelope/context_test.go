package envelope

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// purposePair is what the pair that is ours adds to a context at the KMS, in bytes.
const purposePair = 2 + len("holdfast:purpose") + 2 + len("message")

// contextOf is a context of n bytes in canonical form.
func contextOf(n int) kms.Context { return kms.Context{"k": strings.Repeat("v", n-2-2-1-2)} }

func TestContexts(t *testing.T) {
	many := kms.Context{}
	for i := range 500 {
		many[fmt.Sprint(i)] = fmt.Sprint(-i)
	}
	for _, tc := range []struct {
		name string
		ec   kms.Context
		fits bool
	}{
		{"nil", nil, true},
		{"empty", kms.Context{}, true},
		{"one", kms.Context{"a": "b"}, true},
		{"empty value", kms.Context{"a": ""}, true},
		{"many", many, true},
		{"unicode", kms.Context{"ключ": "日本語", "é": "e\u0301", "\x00": "🔑"}, true},
		{"like ours", kms.Context{"holdfast": "x", "Holdfast:purpose": "message"}, true},
		{"most that fits", contextOf(8192 - purposePair), true},
		{"one byte over", contextOf(8192 - purposePair + 1), false},
		{"over 8 KiB", contextOf(8193), false},
		{"far over 8 KiB", contextOf(1 << 20), false},
		{"empty key", kms.Context{"": "x"}, false},
		{"key not UTF-8", kms.Context{"\xff": "x"}, false},
		{"value not UTF-8", kms.Context{"x": "\xff"}, false},
		{"ours", kms.Context{"holdfast:purpose": "message"}, false},
		{"our prefix", kms.Context{"holdfast:": ""}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake("k")
			s := newSealer(t, f, nil)
			before := maps.Clone(tc.ec)
			for _, w := range writers {
				message, err := w.seal(s, []byte("plaintext"), tc.ec)
				if !tc.fits {
					require.ErrorIs(t, err, kms.ErrInvalid, w.name)
					require.Empty(t, message)
					continue
				}
				require.NoError(t, err, w.name)
				requireOpens(t, s, message, []byte("plaintext"), tc.ec)
				info, err := Inspect(message)
				require.NoError(t, err)
				require.True(t, maps.Equal(tc.ec, info.Context))
			}
			require.Equal(t, before, tc.ec, "the caller's map was changed")
			if tc.fits {
				return
			}
			require.Zero(t, f.calls())
			message := seal(t, s, nil, nil)
			header := message[:len(message)-106]
			f.wraps.Store(0)
			want := kms.ErrInvalid
			if _, err := canonical(tc.ec); err == nil {
				want = ErrOpen // too long with our pair only
			}
			for _, r := range readers {
				_, err := r.open(s, message, tc.ec)
				require.ErrorIs(t, err, want, r.name)
			}
			_, err := s.RewrapHeader(t.Context(), header, tc.ec)
			require.ErrorIs(t, err, want)
			require.Zero(t, f.calls())
		})
	}
}

func TestWrongContext(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, nil)
	ec := kms.Context{"tenant": "acme", "object": "7"}
	messages := map[string][]byte{"Seal": seal(t, s, pattern(100), ec), "NewWriter": sealStream(t, s, pattern(100), ec, nil)}
	f.wraps.Store(0)
	for _, tc := range []struct {
		name string
		ec   kms.Context
	}{
		{"nil", nil},
		{"value", kms.Context{"tenant": "acmf", "object": "7"}},
		{"key", kms.Context{"Tenant": "acme", "object": "7"}},
		{"one less", kms.Context{"tenant": "acme"}},
		{"one more", kms.Context{"tenant": "acme", "object": "7", "x": ""}},
		{"swapped", kms.Context{"tenant": "7", "object": "acme"}},
	} {
		for name, message := range messages {
			t.Run(tc.name+"/"+name, func(t *testing.T) {
				for _, r := range readers {
					got, err := r.open(s, message, tc.ec)
					require.ErrorIs(t, err, ErrOpen, r.name)
					require.Nil(t, got)
				}
				size, err := HeaderSize(message)
				require.NoError(t, err)
				fresh, err := s.RewrapHeader(t.Context(), message[:size], tc.ec)
				require.ErrorIs(t, err, ErrOpen)
				require.Nil(t, fresh)
				require.Zero(t, f.calls(), "a wrong context reached the KMS")
			})
		}
	}
}

// TestKMSContext holds what the KMS is told to the caller's pairs and one of ours.
func TestKMSContext(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, nil)
	ec := kms.Context{"tenant": "acme"}
	info, err := Inspect(seal(t, s, nil, ec))
	require.NoError(t, err)
	ad, err := kms.Context{"tenant": "acme", "holdfast:purpose": "message"}.Canonical()
	require.NoError(t, err)
	key, err := f.key.Open(nil, info.Wrapped[0].Blob, ad)
	require.NoError(t, err)
	require.Len(t, key, 32)
}

// TestBodyIsBound puts a body under another header of the same data key.
func TestBodyIsBound(t *testing.T) {
	s := newSealer(t, newFake("k"), nil)
	one, other := kms.Context{"n": "1"}, kms.Context{"n": "2"}
	d, err := newDataKey(t.Context(), s.key, one)
	require.NoError(t, err)
	context, err := canonical(one)
	require.NoError(t, err)
	header, err := buildHeader(&d.key, context, d.wrapped, smallest(context, d.wrapped))
	require.NoError(t, err)
	otherContext, err := canonical(other)
	require.NoError(t, err)
	w := &vectorWriter{t: t}
	requireOpens(t, s, append(header, w.body(d, context)...), []byte{'x'}, one)
	_, err = s.Open(t.Context(), append(header, w.body(d, otherContext)...), one)
	require.ErrorIs(t, err, ErrOpen)
	_, err = s.NewReader(t.Context(), io.MultiReader(bytes.NewReader(header), bytes.NewReader(w.body(d, otherContext))), one, nil)
	require.ErrorIs(t, err, ErrOpen)
}
