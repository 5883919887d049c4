package envelope

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// anyKeys returns n fakes, named a, b and so on, and their Keys.
func anyKeys(t testing.TB, n int) (fakes []*fake, keys []*kms.Key) {
	t.Helper()
	for i := range n {
		f := newFake(string(rune('a' + i)))
		k, err := kms.NewKey(f, &kms.Options{Attempts: 1, BreakAfter: 1000})
		require.NoError(t, err)
		fakes, keys = append(fakes, f), append(keys, k)
	}
	return fakes, keys
}

func anyOf(t testing.TB, o *kms.AnyOptions, keys ...*kms.Key) *kms.Key {
	t.Helper()
	k, err := kms.AnyOf(keys, o)
	require.NoError(t, err)
	return k
}

func rolling(t testing.TB, current *kms.Key, previous ...*kms.Key) *kms.Key {
	t.Helper()
	k, err := kms.Rolling(current, previous...)
	require.NoError(t, err)
	return k
}

func sealerOf(t testing.TB, k *kms.Key) *Sealer {
	t.Helper()
	s, err := NewSealer(k, nil)
	require.NoError(t, err)
	return s
}

// recipientsOf are the key ids that a header says.
func recipientsOf(t testing.TB, message []byte) (ids []string) {
	t.Helper()
	info, err := Inspect(message)
	require.NoError(t, err)
	for _, w := range info.Wrapped {
		ids = append(ids, w.KeyID)
	}
	return ids
}

// wrappedOf is the wrapped key of a message as it is, list or not.
func wrappedOf(t testing.TB, message []byte) kms.Wrapped {
	t.Helper()
	h, err := parseHeader(message)
	require.NoError(t, err)
	return h.wrapped
}

// requireRefused requires that a message does not open for want of a key.
func requireRefused(t testing.TB, s *Sealer, message []byte, ec kms.Context) {
	t.Helper()
	_, err := s.Open(context.Background(), message, ec)
	require.ErrorIs(t, err, kms.ErrNotFound)
}

// TestAnyOfRewraps adds a recipient to a stream, and takes the first away.
func TestAnyOfRewraps(t *testing.T) {
	ec := kms.Context{"tenant": "acme"}
	_, keys := anyKeys(t, 2)
	a, b := anyOf(t, nil, keys[0]), anyOf(t, nil, keys[1])
	ab := anyOf(t, nil, keys...)
	for name, first := range map[string]*kms.Key{"from one key": keys[0], "from a list of one": a} {
		t.Run(name, func(t *testing.T) {
			message := sealStream(t, sealerOf(t, first), pattern(1000), ec, nil)
			header, body := headerOf(t, message)
			require.Len(t, header, 4096)
			require.Equal(t, []string{"a"}, recipientsOf(t, message))
			requireRefused(t, sealerOf(t, b), message, ec)

			both, err := sealerOf(t, ab).RewrapHeader(t.Context(), header, ec)
			require.NoError(t, err)
			require.Len(t, both, 4096)
			message = slices.Concat(both, body)
			require.Equal(t, []string{"a", "b"}, recipientsOf(t, message))
			for _, k := range []*kms.Key{a, b, ab, keys[0], keys[1], rolling(t, keys[1], keys[0])} {
				requireOpens(t, sealerOf(t, k), message, pattern(1000), ec)
			}

			onlyB, err := sealerOf(t, b).RewrapHeader(t.Context(), both, ec)
			require.NoError(t, err)
			message = slices.Concat(onlyB, body)
			require.Equal(t, []string{"b"}, recipientsOf(t, message))
			requireOpens(t, sealerOf(t, b), message, pattern(1000), ec)
			requireOpens(t, sealerOf(t, ab), message, pattern(1000), ec)
			requireRefused(t, sealerOf(t, a), message, ec)
			requireRefused(t, sealerOf(t, keys[0]), message, ec)
		})
	}
}

// TestAnyOfMoves a file from one key to another, and from there to two others, a rewrap at a time.
func TestAnyOfMoves(t *testing.T) {
	ec := kms.Context{"object": "backup"}
	_, keys := anyKeys(t, 4)
	ab, cd := anyOf(t, nil, keys[:2]...), anyOf(t, nil, keys[2:]...)
	path := filepath.Join(t.TempDir(), "message")
	message := sealStream(t, sealerOf(t, keys[0]), pattern(10_000), ec, &aead.StreamOptions{SegmentSize: 100})
	require.NoError(t, os.WriteFile(path, message, 0o600))
	for _, step := range []struct {
		key  *kms.Key
		want []string
		lost *kms.Key // can't open it any more
	}{
		{ab, []string{"a", "b"}, keys[2]},
		{ab, []string{"a", "b"}, cd},
		{rolling(t, keys[1], ab), []string{"b"}, anyOf(t, nil, keys[0])},
		{ab, []string{"a", "b"}, keys[3]},
		{rolling(t, cd, ab), []string{"c", "d"}, ab},
		{rolling(t, anyOf(t, nil, keys[3], keys[0]), cd), []string{"d", "a"}, anyOf(t, nil, keys[2])},
		{keys[1], nil, nil},
		{rolling(t, keys[1], anyOf(t, nil, keys[0])), []string{"b"}, cd},
		{keys[1], []string{"b"}, keys[0]},
	} {
		s := sealerOf(t, step.key)
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		err = s.RewrapFile(t.Context(), path, ec)
		after, readErr := os.ReadFile(path)
		require.NoError(t, readErr)
		require.NoFileExists(t, copyPath(path))
		if step.want == nil {
			require.ErrorIs(t, err, kms.ErrNotFound)
			require.True(t, bytes.Equal(before, after))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, step.want, recipientsOf(t, after))
		require.Len(t, after, len(message))
		require.True(t, bytes.Equal(message[4096:], after[4096:]), "the body was changed")
		require.False(t, step.key.Stale(wrappedOf(t, after)))
		requireOpens(t, s, after, pattern(10_000), ec)
		requireRefused(t, sealerOf(t, step.lost), after, ec)
	}
}

// TestAnyOfHasNoRoom: what Seal made has no room for another recipient, and the error says how much it takes.
func TestAnyOfHasNoRoom(t *testing.T) {
	fakes, keys := anyKeys(t, 2)
	fakes[1].pad = 200
	message := seal(t, sealerOf(t, keys[0]), []byte("plaintext"), nil)
	header, _ := headerOf(t, message)
	fresh, err := sealerOf(t, anyOf(t, nil, keys...)).RewrapHeader(t.Context(), header, nil)
	require.ErrorIs(t, err, ErrTooLarge)
	require.Nil(t, fresh)
	need := 0
	for _, k := range keys {
		one, err := k.Wrap(t.Context(), make([]byte, 32), nil)
		require.NoError(t, err)
		b, err := one.AppendBinary(nil)
		require.NoError(t, err)
		need += 2 + len(b)
	}
	need += 6 + 2 + (1 + 3 + 2 + 1 + 2 + 1) + 32 // prefix, empty context, the list around its recipients, MAC
	require.ErrorContains(t, err, fmt.Sprintf("needs %d bytes", need))
	require.ErrorContains(t, err, fmt.Sprint(len(header)))
	requireOpens(t, sealerOf(t, keys[0]), message, []byte("plaintext"), nil)

	// A list from the start is as long as it must be.
	message = seal(t, sealerOf(t, anyOf(t, nil, keys...)), []byte("plaintext"), nil)
	header, _ = headerOf(t, message)
	require.Len(t, header, (need+63)/64*64)
}

// TestAnyOfOfSixteenLargeRecipients, as post-quantum ones are.
func TestAnyOfOfSixteenLargeRecipients(t *testing.T) {
	fakes, keys := anyKeys(t, 16)
	for _, f := range fakes {
		f.pad = 1200
	}
	message := sealStream(t, sealerOf(t, anyOf(t, nil, keys...)), pattern(1000), nil, nil)
	info, err := Inspect(message)
	require.NoError(t, err)
	require.Zero(t, info.HeaderSize%4096)
	require.GreaterOrEqual(t, info.Spare, 2048)
	require.Len(t, info.Wrapped, 16)
	for _, k := range keys {
		requireOpens(t, sealerOf(t, anyOf(t, nil, k)), message, pattern(1000), nil)
	}
}

// TestAnyOfFailsOver: a message opens while a member is out, is sealed under those that are left, and completed later.
func TestAnyOfFailsOver(t *testing.T) {
	fakes, keys := anyKeys(t, 2)
	var reports []string
	k := anyOf(t, &kms.AnyOptions{Minimum: 1, Report: func(_ context.Context, op string, failed []*kms.Error) {
		reports = append(reports, fmt.Sprint(op, " ", failed[0].Ref.KeyID, " ", len(failed)))
	}}, keys...)
	s := sealerOf(t, k)
	message := seal(t, s, []byte("plaintext"), nil)
	fakes[0].before = func(context.Context, string) error { return kms.ErrUnavailable }
	requireOpens(t, s, message, []byte("plaintext"), nil)
	degraded := sealStream(t, s, pattern(100), nil, nil)
	require.Equal(t, []string{"unwrap a 1", "wrap a 1"}, reports)
	require.Equal(t, []string{"b"}, recipientsOf(t, degraded))
	require.True(t, k.Stale(wrappedOf(t, degraded)))

	header, body := headerOf(t, degraded)
	_, err := sealerOf(t, anyOf(t, nil, keys...)).RewrapHeader(t.Context(), header, nil)
	require.ErrorIs(t, err, kms.ErrUnavailable, "it takes all of them")
	fakes[0].before = nil
	whole, err := s.RewrapHeader(t.Context(), header, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, recipientsOf(t, whole))
	requireOpens(t, sealerOf(t, anyOf(t, nil, keys[0])), slices.Concat(whole, body), pattern(100), nil)
}

// TestAnyOfStale: a Sealer tells whether rewrapping changes the recipients.
func TestAnyOfStale(t *testing.T) {
	_, keys := anyKeys(t, 3)
	ab := anyOf(t, nil, keys[:2]...)
	message := sealStream(t, sealerOf(t, ab), pattern(100), nil, nil)
	header, _ := headerOf(t, message)
	for name, tc := range map[string]struct {
		key  *kms.Key
		want bool
	}{
		"same": {ab, false}, "current": {rolling(t, ab, keys[2]), false}, "one joined": {anyOf(t, nil, keys...), true},
		"one left": {anyOf(t, nil, keys[0]), true}, "moved": {rolling(t, keys[2], ab), true}, "no list": {keys[0], true},
	} {
		for _, b := range [][]byte{header, message} {
			got, err := sealerOf(t, tc.key).Stale(b)
			require.NoError(t, err)
			require.Equal(t, tc.want, got, name)
		}
	}
	_, err := sealerOf(t, ab).Stale(header[:len(header)-1])
	require.ErrorIs(t, err, ErrTruncated)
	_, err = sealerOf(t, ab).Stale(flip(header, 0))
	require.ErrorIs(t, err, ErrFormat)
}
