package envelope

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// TestAnyOfOutageIsNotCorruption, nor the reverse.
func TestAnyOfOutageIsNotCorruption(t *testing.T) {
	fakes, keys := anyKeys(t, 2)
	s := sealerOf(t, anyOf(t, nil, keys...))
	message := seal(t, s, []byte("plaintext"), nil)
	corrupt := func(context.Context, string) error { return kms.ErrCiphertext }
	fakes[0].before = corrupt
	for _, other := range []error{kms.ErrUnavailable, kms.ErrAccessDenied, kms.ErrDestroyed} {
		fakes[1].before = func(context.Context, string) error { return other }
		_, err := s.Open(t.Context(), message, nil)
		require.ErrorIs(t, err, other)
		require.NotErrorIs(t, err, ErrOpen)
	}
	fakes[1].before = corrupt
	_, err := s.Open(t.Context(), message, nil)
	require.ErrorIs(t, err, ErrOpen)
}

// TestAnyOfMemberLies: a member that unwraps to other bytes than were wrapped is reported, and the next one is asked.
// When all lie, or the header was changed, nothing opens and nobody is blamed.
func TestAnyOfMemberLies(t *testing.T) {
	var reported []string
	o := &kms.AnyOptions{Report: func(_ context.Context, op string, failed []*kms.Error) {
		for _, f := range failed {
			require.ErrorIs(t, f, kms.ErrCiphertext)
			reported = append(reported, op+" "+f.Ref.KeyID)
		}
	}}
	for name, answer := range map[string][]byte{"another key": pattern(32), "shorter": pattern(31), "longer": pattern(64)} {
		fakes, keys := anyKeys(t, 2)
		s := sealerOf(t, anyOf(t, o, keys...))
		message := seal(t, s, []byte("plaintext"), nil)
		requireOpens(t, s, message, []byte("plaintext"), nil)
		_, err := s.Open(t.Context(), flip(message, 8*(len(message)-200)), nil)
		require.Error(t, err)
		require.Empty(t, reported, name)

		lie := func([]byte) []byte { return slices.Clone(answer) }
		fakes[0].answer = lie
		requireOpens(t, s, message, []byte("plaintext"), nil)
		require.Equal(t, []string{"unwrap a"}, reported, name)
		reported = nil

		fakes[1].answer = lie
		got, err := s.Open(t.Context(), message, nil)
		require.ErrorIs(t, err, ErrOpen, name)
		require.Nil(t, got)
		require.Empty(t, reported, name)
	}
}

// TestAnyOfAlteredHeader: no header that was changed opens, whoever of the members can still open its part.
func TestAnyOfAlteredHeader(t *testing.T) {
	_, keys := anyKeys(t, 2)
	s := sealerOf(t, anyOf(t, nil, keys...))
	message := seal(t, s, []byte("plaintext"), nil)
	header, _ := headerOf(t, message)
	for i := range header {
		_, err := s.Open(t.Context(), flip(message, i*8+i%8), nil)
		require.Error(t, err, "byte %d", i)
	}
	// With what another message of the same context has for its first recipient, or without it.
	other := wrappedOf(t, seal(t, s, []byte("plaintext"), nil))
	mine, err := wrappedOf(t, message).Recipients()
	require.NoError(t, err)
	others, err := other.Recipients()
	require.NoError(t, err)
	for name, list := range map[string][]kms.Wrapped{"other's first": {others[0], mine[1]}, "other's last": {mine[0], others[1]}, "first alone": mine[:1], "turned": {mine[1], mine[0]}} {
		w, err := listOf(t, list...).AppendBinary(nil)
		require.NoError(t, err)
		altered := slices.Clone(message)
		rest := altered[prefixSize+2 : len(header)-macSize]
		clear(rest)
		copy(rest, w)
		_, err = s.Open(t.Context(), altered, nil)
		require.ErrorIs(t, err, ErrOpen, name)
	}
}

// TestStaleOfZeroSealer is refused as its other methods are.
func TestStaleOfZeroSealer(t *testing.T) {
	header, _ := headerOf(t, seal(t, newSealer(t, newFake("a"), nil), []byte("plaintext"), nil))
	require.NotPanics(t, func() {
		_, err := new(Sealer).Stale(header)
		require.ErrorIs(t, err, kms.ErrInvalid)
	})
}
