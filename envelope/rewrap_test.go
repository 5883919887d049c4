package envelope

import (
	"bytes"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

// headerOf cuts a message in two.
func headerOf(t testing.TB, message []byte) (header, body []byte) {
	t.Helper()
	size, err := HeaderSize(message)
	require.NoError(t, err)
	return message[:size:size], message[size:]
}

// newFile returns a local key at a path and a Sealer over it.
func newFile(t testing.TB) (path string, f *local.File, s *Sealer) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "key")
	f, err := local.Create(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	s, err = NewSealer(f.Key(), nil)
	require.NoError(t, err)
	return path, f, s
}

// stale tells whether the wrapped key in a message is of an old version of k.
func stale(t testing.TB, k *kms.Key, message []byte) bool {
	t.Helper()
	info, err := Inspect(message)
	require.NoError(t, err)
	return k.Stale(info.Wrapped[0])
}

func TestRewrapHeader(t *testing.T) {
	ec := kms.Context{"tenant": "acme"}
	for _, w := range writers {
		t.Run(w.name, func(t *testing.T) {
			_, f, s := newFile(t)
			message, err := w.seal(s, pattern(1000), ec)
			require.NoError(t, err)
			header, body := headerOf(t, message)
			before := slices.Clone(header)
			require.False(t, stale(t, f.Key(), header))
			require.NoError(t, f.Rotate(t.Context()))
			require.True(t, stale(t, f.Key(), header))
			fresh, err := s.RewrapHeader(t.Context(), header, ec)
			require.NoError(t, err)
			require.Equal(t, before, header, "the argument was changed")
			require.Len(t, fresh, len(header))
			require.NotEqual(t, header, fresh)
			require.False(t, stale(t, f.Key(), fresh))
			requireOpens(t, s, slices.Concat(fresh, body), pattern(1000), ec)
			requireOpens(t, s, message, pattern(1000), ec)
			// As often as one likes.
			again, err := s.RewrapHeader(t.Context(), fresh, ec)
			require.NoError(t, err)
			requireOpens(t, s, slices.Concat(again, body), pattern(1000), ec)
		})
	}
}

func TestRewrapHeaderToAnotherKey(t *testing.T) {
	oldKey, newKey := newFake("old"), newFake("new")
	s := moving(t, newKey, oldKey)
	ec := kms.Context{"tenant": "acme"}
	header, body := headerOf(t, seal(t, newSealer(t, oldKey, nil), pattern(1000), ec))
	require.True(t, stale(t, s.key, header))
	fresh, err := s.RewrapHeader(t.Context(), header, ec)
	require.NoError(t, err)
	require.False(t, stale(t, s.key, fresh))
	message := slices.Concat(fresh, body)
	requireOpens(t, s, message, pattern(1000), ec)
	requireOpens(t, newSealer(t, newKey, nil), message, pattern(1000), ec)
	_, err = newSealer(t, oldKey, nil).Open(t.Context(), message, ec)
	require.ErrorIs(t, err, kms.ErrNotFound, "the old key opens it still")
}

func TestRewrapHeaderRefuses(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, nil)
	ec := kms.Context{"tenant": "acme"}
	header, body := headerOf(t, seal(t, s, pattern(100), ec))
	for _, tc := range []struct {
		name   string
		header []byte
		ec     kms.Context
		want   error
	}{
		{"wrong context", header, kms.Context{"tenant": "acmf"}, ErrOpen},
		{"a byte after it", append(header, 0), ec, ErrFormat},
		{"a whole message", slices.Concat(header, body), ec, ErrFormat},
		{"cut", header[:len(header)-1], ec, ErrTruncated},
		{"nothing", nil, ec, ErrTruncated},
		{"changed MAC", flip(header, len(header)*8-1), ec, ErrOpen},
		{"changed padding", flip(header, (len(header)-33)*8), ec, ErrFormat},
		{"no header", body, ec, ErrFormat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.wraps.Store(0)
			fresh, err := s.RewrapHeader(t.Context(), tc.header, tc.ec)
			require.ErrorIs(t, err, tc.want)
			require.Nil(t, fresh)
			require.Zero(t, f.wraps.Load())
		})
	}
}

// TestRewrapHeaderDoesNotFit has the wrapped key grow by one byte more than there is room.
func TestRewrapHeaderDoesNotFit(t *testing.T) {
	small, large := newFake("k"), newFake("l")
	header, body := headerOf(t, seal(t, newSealer(t, small, nil), []byte("plaintext"), nil))
	info, err := Inspect(header)
	require.NoError(t, err)
	s := moving(t, large, small)
	large.pad = info.Spare + 1
	fresh, err := s.RewrapHeader(t.Context(), header, nil)
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorContains(t, err, "129 bytes")
	require.ErrorContains(t, err, "128")
	require.Nil(t, fresh)
	large.pad = info.Spare
	fresh, err = s.RewrapHeader(t.Context(), header, nil)
	require.NoError(t, err)
	info, err = Inspect(fresh)
	require.NoError(t, err)
	require.Zero(t, info.Spare)
	requireOpens(t, s, slices.Concat(fresh, body), []byte("plaintext"), nil)
}

// moving returns a Sealer that wraps under one key and opens under both.
func moving(t testing.TB, current, previous kms.Driver) *Sealer {
	t.Helper()
	newKey, err := kms.NewKey(current, nil)
	require.NoError(t, err)
	oldKey, err := kms.NewKey(previous, nil)
	require.NoError(t, err)
	k, err := kms.Rolling(newKey, oldKey)
	require.NoError(t, err)
	s, err := NewSealer(k, nil)
	require.NoError(t, err)
	return s
}

// TestRewrapStream rewraps the header of a stream on its way, as a copy between two stores does.
func TestRewrapStream(t *testing.T) {
	oldKey, newKey := newFake("old"), newFake("new")
	newKey.pad = 1500 // a larger one fits in a stream's header
	message := sealStream(t, newSealer(t, oldKey, nil), pattern(1000), nil, &aead.StreamOptions{SegmentSize: 100})
	header, body := headerOf(t, message)
	fresh, err := moving(t, newKey, oldKey).RewrapHeader(t.Context(), header, nil)
	require.NoError(t, err)
	r, err := newSealer(t, newKey, nil).NewReader(t.Context(), io.MultiReader(bytes.NewReader(fresh), bytes.NewReader(body)), nil, nil)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, pattern(1000), got)
}
