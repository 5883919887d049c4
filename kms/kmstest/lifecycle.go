package kmstest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func closedDriver(t testing.TB, h Harness) {
	w := wrap(t, h.Driver, secret(32), pairs())
	require.NoError(t, h.Driver.Close())
	require.NoError(t, h.Driver.Close(), "Close is idempotent")
	none, err := h.Driver.Wrap(t.Context(), secret(32), pairs())
	require.ErrorIs(t, err, kms.ErrClosed)
	require.Zero(t, none)
	got, err := h.Driver.Unwrap(t.Context(), w, pairs())
	require.ErrorIs(t, err, kms.ErrClosed)
	require.Nil(t, got)
	require.Equal(t, w.Ref, h.Driver.Ref(), "a closed driver still names its key")
}

func disabledKey(t testing.TB, h Harness) {
	if h.Disable == nil {
		t.Skip("Harness.Disable is nil: what the driver makes of a disabled key is not tested")
	}
	w := wrap(t, h.Driver, secret(32), pairs())
	require.NoError(t, h.Disable(t.Context()))
	unusable(t, h, w, kms.Disabled, kms.ErrDisabled)
}

func destroyedKey(t testing.TB, h Harness) {
	if h.Destroy == nil {
		t.Skip("Harness.Destroy is nil: what the driver makes of a destroyed key is not tested")
	}
	w := wrap(t, h.Driver, secret(32), pairs())
	require.NoError(t, h.Destroy(t.Context()))
	_, err := h.Driver.Unwrap(t.Context(), w, pairs())
	if errors.Is(err, kms.ErrPendingDeletion) {
		unusable(t, h, w, kms.PendingDeletion, kms.ErrPendingDeletion)
	} else {
		unusable(t, h, w, kms.Destroyed, kms.ErrDestroyed)
	}
}

// unusable requires that the key neither wraps nor unwraps, and why.
func unusable(t testing.TB, h Harness, w kms.Wrapped, state kms.State, class error) {
	t.Helper()
	none, err := h.Driver.Wrap(t.Context(), secret(32), pairs())
	require.ErrorIs(t, err, class)
	require.Zero(t, none)
	got, err := h.Driver.Unwrap(t.Context(), w, pairs())
	require.ErrorIs(t, err, class)
	require.Nil(t, got)
	if d, ok := h.Driver.(kms.Describer); ok {
		info, err := d.Describe(t.Context())
		require.NoError(t, err)
		require.Equal(t, state, info.State)
	}
}

func rotation(t testing.TB, h Harness) {
	r, ok := h.Driver.(kms.Rotator)
	if !ok {
		t.Skip("the driver is no kms.Rotator")
	}
	old := wrap(t, h.Driver, secret(32), pairs())
	require.NoError(t, r.Rotate(t.Context()))
	opens(t, h.Driver, old, pairs(), secret(32))
	w := wrap(t, h.Driver, secret(32), pairs())
	require.Equal(t, old.Ref, w.Ref, "a new version is the same key")
	opens(t, h.Driver, w, pairs(), secret(32))
	if v, ok := h.Driver.(kms.Versioner); ok {
		require.NotEqual(t, old.Version, w.Version)
		require.Equal(t, v.CurrentVersion(), w.Version)
		swapped := w
		swapped.Version = old.Version
		refuses(t, h.Driver, swapped, pairs(), kms.ErrCiphertext, kms.ErrNotFound)
	}
	if d, ok := h.Driver.(kms.Describer); ok {
		info, err := d.Describe(t.Context())
		require.NoError(t, err)
		require.Equal(t, kms.Enabled, info.State)
	}
}
