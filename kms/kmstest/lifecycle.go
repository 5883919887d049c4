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
	none, err := h.Driver.Wrap(own(t), secret(32), pairs())
	require.ErrorIs(t, err, kms.ErrClosed)
	require.Zero(t, none)
	got, err := h.Driver.Unwrap(own(t), w, pairs())
	require.ErrorIs(t, err, kms.ErrClosed)
	require.Nil(t, got)
	require.Equal(t, w.Ref, h.Driver.Ref(), "a closed driver still names its key")
}

func disabledKey(t testing.TB, h Harness) {
	need(t, h.Disable != nil, "Disable", "what the driver makes of a disabled key")
	w := wrapCanary(t, h.Driver)
	require.NoError(t, h.Disable(own(t)))
	unusable(t, h, w, kms.Disabled, kms.ErrDisabled)
}

func enabledAgain(t testing.TB, h Harness) {
	need(t, h.Disable != nil && h.Enable != nil, "Disable or Enable", "what the driver makes of a key that was disabled for a while")
	w := wrapCanary(t, h.Driver)
	require.NoError(t, h.Disable(own(t)))
	unusable(t, h, w, kms.Disabled, kms.ErrDisabled)
	require.NoError(t, h.Enable(own(t)))
	works(t, h.Driver, w)
	inState(t, h, kms.Enabled)
}

func destroyedKey(t testing.TB, h Harness) {
	need(t, h.Destroy != nil, "Destroy", "what the driver makes of a destroyed key")
	w := wrapCanary(t, h.Driver)
	require.NoError(t, h.Destroy(own(t)))
	_, err := h.Driver.Unwrap(own(t), w, canaryPairs())
	if errors.Is(err, kms.ErrPendingDeletion) {
		unusable(t, h, w, kms.PendingDeletion, kms.ErrPendingDeletion)
	} else {
		unusable(t, h, w, kms.Destroyed, kms.ErrDestroyed)
	}
}

func destructionCancelled(t testing.TB, h Harness) {
	need(t, h.Destroy != nil && h.CancelDestroy != nil, "Destroy or CancelDestroy", "what the driver makes of a key that was to be destroyed")
	w := wrapCanary(t, h.Driver)
	require.NoError(t, h.Destroy(own(t)))
	unusable(t, h, w, kms.PendingDeletion, kms.ErrPendingDeletion)
	require.NoError(t, h.CancelDestroy(own(t)))
	works(t, h.Driver, w)
	inState(t, h, kms.Enabled)
}

// unusable requires that the key neither wraps nor unwraps, and why.
func unusable(t testing.TB, h Harness, w kms.Wrapped, state kms.State, class error) {
	t.Helper()
	fail(t, h.Driver, w, func(err error) { only(t, err, class) })
	inState(t, h, state)
}

// inState requires that the driver says so, if it can tell.
func inState(t testing.TB, h Harness, state kms.State) {
	t.Helper()
	d, ok := h.Driver.(kms.Describer)
	if !ok {
		return
	}
	info, err := d.Describe(own(t))
	if errors.Is(err, kms.ErrUnsupported) {
		return
	}
	require.NoError(t, err)
	require.Equal(t, state, info.State)
}

func rotation(t testing.TB, h Harness) {
	old := wrap(t, h.Driver, secret(32), pairs())
	if !rotate(t, h.Driver) {
		t.Skip("the driver can't rotate its key")
	}
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
	inState(t, h, kms.Enabled)
}

// rotate makes a new version of the key, if d can.
func rotate(t testing.TB, d kms.Driver) bool {
	t.Helper()
	r, ok := d.(kms.Rotator)
	if !ok {
		return false
	}
	err := r.Rotate(own(t))
	if errors.Is(err, kms.ErrUnsupported) { // as of a *kms.Key whose driver can't
		return false
	}
	require.NoError(t, err)
	return true
}
