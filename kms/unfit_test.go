package kms_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// TestStatusOfAnUnfitProvider: what Check found out shows, though every call was answered.
func TestStatusOfAnUnfitProvider(t *testing.T) {
	honest := newScript()
	for name, unwrap := range map[string]func(context.Context, kms.Wrapped, kms.Context) ([]byte, error){
		"wrong bytes": func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return make([]byte, 32), nil },
		"context is not bound": func(ctx context.Context, w kms.Wrapped, _ kms.Context) ([]byte, error) {
			return honest.Unwrap(ctx, w, kms.Context{"holdfast:purpose": "check"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newScript()
			k := newKey(t, d)
			require.NoError(t, k.Check(t.Context()))
			fit := k.Status()
			require.Equal(t, kms.HealthUsable, fit.Health)
			d.unwrap = unwrap
			err := k.Check(t.Context())
			requireOnly(t, err, kms.ErrInvalid)
			s := k.Status()
			require.Equal(t, kms.HealthDegraded, s.Health)
			require.Equal(t, err, s.Err)
			require.False(t, s.Since.Before(fit.Since))

			group, err := kms.AnyOf([]*kms.Key{k}, nil)
			require.NoError(t, err)
			require.Equal(t, s, group.Status())
			d.unwrap = nil
			require.NoError(t, k.Check(t.Context()))
			require.Equal(t, kms.HealthUsable, k.Status().Health)
			require.NoError(t, k.Status().Err)
		})
	}
}
