package kms_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestCheck(t *testing.T) {
	s := newScript()
	require.NoError(t, newKey(t, s).Check(t.Context()))
	require.Equal(t, 3, s.calls)
}

func TestCheckFinds(t *testing.T) {
	sound := newScript()
	unbound := func(_ context.Context, w kms.Wrapped, _ kms.Context) ([]byte, error) {
		return sound.Unwrap(context.Background(), w, kms.Context{"holdfast:purpose": "check"})
	}
	for _, tc := range []struct {
		name  string
		spoil func(s *script)
		want  error
	}{
		{"wrap fails", func(s *script) {
			s.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) {
				return kms.Wrapped{}, kms.ErrAccessDenied
			}
		}, kms.ErrAccessDenied},
		{"unwrap fails", func(s *script) {
			s.unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return nil, kms.ErrAccessDenied }
		}, kms.ErrAccessDenied},
		{"other bytes come back", func(s *script) {
			s.unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return make([]byte, 32), nil }
		}, kms.ErrInvalid},
		{"context is not bound", func(s *script) { s.unwrap = unbound }, kms.ErrInvalid},
		{"outage at the last call", func(s *script) {
			s.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				if s.calls == 3 {
					return nil, kms.ErrThrottled
				}
				return unbound(ctx, w, ec)
			}
		}, kms.ErrThrottled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript()
			tc.spoil(s)
			requireOnly(t, newKey(t, s).Check(t.Context()), tc.want)
		})
	}
}

func TestCheckTakesADenialOfTheWrongContext(t *testing.T) {
	s := newScript()
	s.unwrap = func(_ context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
		if ec["holdfast:purpose"] != "check" {
			return nil, kms.ErrAccessDenied // a key policy may do so
		}
		bound, err := ec.Canonical()
		return append([]byte(nil), w.Blob[len(bound):]...), err
	}
	require.NoError(t, newKey(t, s).Check(t.Context()))
}
