package kms_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// classes are all sentinels.
var classes = []error{
	kms.ErrNotFound, kms.ErrDisabled, kms.ErrPendingDeletion, kms.ErrDestroyed, kms.ErrAccessDenied, kms.ErrThrottled,
	kms.ErrUnavailable, kms.ErrCiphertext, kms.ErrInvalid, kms.ErrUnsupported, kms.ErrClosed,
}

// requireOnly requires that err matches class, or none for nil, and no other.
func requireOnly(t *testing.T, err, class error) {
	t.Helper()
	require.Error(t, err)
	for _, c := range classes {
		require.Equal(t, c == class, errors.Is(err, c), "%v as %v", err, c)
	}
}

// unwrapError returns the error that a Key makes of what its driver says.
func unwrapError(t *testing.T, said error) *kms.Error {
	t.Helper()
	s := newScript()
	s.unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return nil, said }
	_, err := newKey(t, s).Unwrap(t.Context(), kms.Wrapped{Ref: s.ref, Blob: []byte{1}}, nil)
	var e *kms.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 1, s.calls)
	return e
}

func TestErrorsKeepTheirClass(t *testing.T) {
	for _, class := range classes {
		t.Run(class.Error(), func(t *testing.T) {
			outage := class == kms.ErrUnavailable || class == kms.ErrThrottled
			for _, said := range []error{class, fmt.Errorf("%w: details: %w", class, io.ErrUnexpectedEOF)} {
				e := unwrapError(t, said)
				requireOnly(t, e, class)
				require.ErrorIs(t, e, said)
				require.Equal(t, "unwrap", e.Op)
				require.Equal(t, newScript().ref, e.Ref)
				require.Equal(t, outage, e.Retryable)
			}
		})
	}
}

func TestUnknownErrorsAreOutages(t *testing.T) {
	e := unwrapError(t, io.ErrUnexpectedEOF)
	requireOnly(t, e, kms.ErrUnavailable)
	require.ErrorIs(t, e, io.ErrUnexpectedEOF)
	require.True(t, e.Retryable)

	e = unwrapError(t, &kms.Error{RequestID: "r"})
	requireOnly(t, e, kms.ErrUnavailable)
	require.False(t, e.Retryable, "the driver decides")

	e = unwrapError(t, context.DeadlineExceeded) // the driver's own, the caller has time
	requireOnly(t, e, kms.ErrUnavailable)
	require.ErrorIs(t, e, context.DeadlineExceeded)
}

func TestDriversErrorIsPassedOn(t *testing.T) {
	said := &kms.Error{RequestID: "request-1", Retryable: true, RetryAfter: time.Second, Err: kms.ErrThrottled}
	e := unwrapError(t, said)
	require.Equal(t, &kms.Error{
		Op: "unwrap", Ref: newScript().ref, RequestID: "request-1",
		Retryable: true, RetryAfter: time.Second, Err: kms.ErrThrottled,
	}, e)
	require.Empty(t, said.Op, "the driver's own is not changed")

	around := fmt.Errorf("%w: second: %w", io.ErrNoProgress, said)
	e = unwrapError(t, around)
	require.ErrorIs(t, e, io.ErrNoProgress)
	require.Equal(t, time.Second, e.RetryAfter)

	own := kms.Ref{Provider: "script", KeyID: "member"}
	e = unwrapError(t, &kms.Error{Op: "decrypt", Ref: own, Err: kms.ErrDisabled})
	require.Equal(t, "decrypt", e.Op)
	require.Equal(t, own, e.Ref)
}

func TestErrorText(t *testing.T) {
	e := &kms.Error{Op: "wrap", Ref: kms.Ref{Provider: "p", KeyID: "k"}, RequestID: "r\n1", Err: kms.ErrDisabled}
	require.Equal(t, `kms: wrap p:k: key is disabled (request "r\n1")`, e.Error())
	require.Equal(t, "kms: open", (&kms.Error{Op: "open"}).Error())
}

func TestCancelledInFlight(t *testing.T) {
	for name, said := range map[string]error{
		"driver reports it":          context.Canceled,
		"driver calls it an outage":  kms.ErrUnavailable,
		"driver says something else": io.ErrUnexpectedEOF,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript()
			ctx, cancel := context.WithCancel(t.Context())
			s.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) {
				cancel()
				return kms.Wrapped{}, said
			}
			_, err := newKey(t, s).Wrap(ctx, []byte("secret"), nil)
			requireOnly(t, err, nil)
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

func TestRefusalOutlivesCancel(t *testing.T) {
	s := newScript()
	ctx, cancel := context.WithCancel(t.Context())
	s.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) {
		cancel()
		return kms.Wrapped{}, kms.ErrDisabled
	}
	_, err := newKey(t, s).Wrap(ctx, []byte("secret"), nil)
	requireOnly(t, err, kms.ErrDisabled)
}

func TestOutOfTime(t *testing.T) {
	for _, tc := range []struct {
		name             string
		timeout, callers time.Duration
		want             time.Duration
	}{
		{"default", 0, time.Hour, 10 * time.Second},
		{"option", time.Minute, time.Hour, time.Minute},
		{"caller's deadline", time.Minute, time.Second, time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s := newScript()
				s.wrap = func(ctx context.Context, _ []byte, _ kms.Context) (kms.Wrapped, error) {
					<-ctx.Done()
					return kms.Wrapped{}, io.ErrUnexpectedEOF // a driver that does not say why
				}
				k, err := kms.NewKey(s, &kms.Options{Timeout: tc.timeout})
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), tc.callers)
				defer cancel()
				start := time.Now()
				_, err = k.Wrap(ctx, []byte("secret"), nil)
				require.Equal(t, tc.want, time.Since(start))
				requireOnly(t, err, kms.ErrUnavailable)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			})
		})
	}
}

func TestCallUnderDoneContext(t *testing.T) {
	s := newScript()
	k := newKey(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	_, err := k.Wrap(ctx, []byte("secret"), nil)
	requireOnly(t, err, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, s.calls)
}
