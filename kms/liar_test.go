package kms_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/verify"
	"github.com/holdfast-go/holdfast/kms"
)

// lies has r unwrap to other bytes, and returns what it answers.
func lies(r *region) (answer []byte) {
	answer = []byte("others")
	set(r, &r.answer, func([]byte) []byte { return answer })
	return answer
}

// TestLiar: where the plaintext can be told, a member with any other is one that failed.
func TestLiar(t *testing.T) {
	known := func(b []byte) bool { return string(b) == "secret" }
	ctx := verify.With(t.Context(), known)
	f := newFleet(t, 3)
	for name, k := range map[string]*kms.Key{"any of": f.anyOf(t, kms.AnyOptions{}), "rolling": rolling(t, f.anyOf(t, kms.AnyOptions{}), newFleet(t, 4).keys[3])} {
		t.Run(name, func(t *testing.T) {
			for _, r := range f.regions {
				r.fails(nil)
				set(r, &r.answer, nil)
			}
			w := f.wrapped(t, k)
			opens := func(asked, reports []string) {
				t.Helper()
				got, err := k.Unwrap(ctx, w, nil)
				require.NoError(t, err)
				require.Equal(t, "secret", string(got))
				gotAsked, gotReports := f.took()
				require.Equal(t, asked, gotAsked)
				require.Equal(t, reports, gotReports)
			}
			opens([]string{"unwrap a"}, nil)

			answers := [][]byte{lies(f.regions[0])}
			opens([]string{"unwrap a", "unwrap b"}, []string{"unwrap a ciphertext"})
			require.Equal(t, make([]byte, 6), answers[0], "whose key it is nobody knows")
			answers[0] = lies(f.regions[0])
			answers = append(answers, lies(f.regions[1]))
			opens([]string{"unwrap a", "unwrap b", "unwrap c"}, []string{"unwrap a ciphertext", "unwrap b ciphertext"})

			answers = append(answers, lies(f.regions[2]))
			got, err := k.Unwrap(ctx, w, nil)
			requireOnly(t, err, kms.ErrCiphertext)
			require.Nil(t, got)
			var e *kms.Error
			require.ErrorAs(t, err, &e)
			require.False(t, e.Retryable)
			require.NotContains(t, err.Error(), "others")
			for _, b := range answers {
				require.Equal(t, make([]byte, 6), b)
			}
			asked, reports := f.took()
			require.Len(t, asked, 3)
			require.Empty(t, reports, "an error hides nothing")

			lies(f.regions[0])
			lies(f.regions[2])
			f.regions[1].fails(kms.ErrUnavailable)
			_, err = k.Unwrap(ctx, w, nil)
			requireOnly(t, err, kms.ErrUnavailable) // b might have opened it
		})
	}
}

// TestLiarUnknown: without a way to know, the first answer counts.
func TestLiarUnknown(t *testing.T) {
	f := newFleet(t, 2)
	k := f.anyOf(t, kms.AnyOptions{})
	w := f.wrapped(t, k)
	answer := lies(f.regions[0])
	got, err := k.Unwrap(t.Context(), w, nil)
	require.NoError(t, err)
	require.Equal(t, answer, got)
	asked, reports := f.took()
	require.Equal(t, []string{"unwrap a"}, asked)
	require.Empty(t, reports)
}

// TestLiarIsAskedEachTime: who knew its plaintext is told once a candidate, and sees nothing but these.
func TestLiarIsAskedEachTime(t *testing.T) {
	f := newFleet(t, 3)
	k := f.anyOf(t, kms.AnyOptions{})
	w := f.wrapped(t, k)
	lies(f.regions[0])
	f.regions[1].fails(kms.ErrDisabled)
	var seen []string
	got, err := k.Unwrap(verify.With(context.WithoutCancel(t.Context()), func(b []byte) bool {
		seen = append(seen, string(bytes.Clone(b)))
		return string(b) == "secret"
	}), w, nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))
	require.Equal(t, []string{"others", "secret"}, seen)
}

// TestDoorEndsAtTheDriver: a driver that stands on an AnyOf key of its own unwraps other things with it.
func TestDoorEndsAtTheDriver(t *testing.T) {
	f := newFleet(t, 2)
	own := newFleet(t, 2)
	inner := own.anyOf(t, kms.AnyOptions{})
	kek := own.wrapped(t, inner)
	k := f.anyOf(t, kms.AnyOptions{})
	w := f.wrapped(t, k)
	for _, r := range f.regions {
		set(r, &r.unwrap, func(ctx context.Context) error {
			require.True(t, verify.Known(ctx, []byte("anything")))
			_, err := inner.Unwrap(ctx, kek, nil)
			return err
		})
	}
	known := func(plaintext []byte) bool { return string(plaintext) == "secret" }
	plaintext, err := k.Unwrap(verify.With(t.Context(), known), w, nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(plaintext))
	_, err = k.Unwrap(verify.With(t.Context(), func([]byte) bool { return false }), w, nil)
	requireOnly(t, err, kms.ErrCiphertext)
}
