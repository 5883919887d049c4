package kmstest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func closedDriver(t testing.TB, h Harness) {
	w := openedCanary(t, h.Driver)
	require.NoError(t, closes(t, h, h.Driver))
	require.NoError(t, closes(t, h, h.Driver), "Close is idempotent")
	closed := func(err error) {
		t.Helper()
		only(t, err, kms.ErrClosed)
	}
	fail(t, h, w, closed)
	besides(own(t), h.Driver, closed)
	require.Equal(t, w.Ref, h.Driver.Ref(), "a closed driver still names its key")
}

func disabledKey(t testing.TB, h Harness) {
	need(t, h.Disable != nil, "Disable", "what the driver makes of a disabled key")
	w := openedCanary(t, h.Driver)
	require.NoError(t, h.Disable(own(t)))
	unusable(t, h, w, kms.Disabled, kms.ErrDisabled)
}

func enabledAgain(t testing.TB, h Harness) {
	need(t, h.Disable != nil && h.Enable != nil, "Disable or Enable", "what the driver makes of a key that was disabled for a while")
	w := openedCanary(t, h.Driver)
	require.NoError(t, h.Disable(own(t)))
	unusable(t, h, w, kms.Disabled, kms.ErrDisabled)
	require.NoError(t, h.Enable(own(t)))
	works(t, h.Driver, w)
	inState(t, h, kms.Enabled)
}

func destroyedKey(t testing.TB, h Harness) {
	need(t, h.Destroy != nil, "Destroy", "what the driver makes of a destroyed key")
	w := openedCanary(t, h.Driver)
	require.NoError(t, h.Destroy(own(t)))
	destroyed(t, h, w)
}

func destructionCancelled(t testing.TB, h Harness) {
	need(t, h.Destroy != nil && h.CancelDestroy != nil, "Destroy or CancelDestroy", "what the driver makes of a key that was to be destroyed")
	w := openedCanary(t, h.Driver)
	require.NoError(t, h.Destroy(own(t)))
	unusable(t, h, w, kms.PendingDeletion, kms.ErrPendingDeletion)
	require.NoError(t, h.CancelDestroy(own(t)))
	works(t, h.Driver, w)
	inState(t, h, kms.Enabled)
}

func destroyedByDriver(t testing.TB, h Harness) {
	d, ok := h.Driver.(kms.Destroyer)
	if !ok {
		t.Skip("the driver can't destroy its key")
	}
	w := openedCanary(t, h.Driver)
	at, err := d.Destroy(own(t), 0)
	if errors.Is(err, kms.ErrUnsupported) { // as of a *kms.Key whose driver can't
		t.Skip("the driver can't destroy its key")
	}
	require.NoError(t, err)
	require.NotZero(t, at)
	info := destroyed(t, h, w)
	if !info.DestroyAt.IsZero() {
		require.WithinDuration(t, at, info.DestroyAt, time.Second, "Destroy and Describe name two times")
	}
}

// destroyed requires that the key neither wraps nor unwraps for good, or until its destruction is cancelled.
func destroyed(t testing.TB, h Harness, w kms.Wrapped) kms.Info {
	t.Helper()
	_, err := h.Driver.Unwrap(own(t), w, canaryPairs())
	if errors.Is(err, kms.ErrPendingDeletion) {
		return unusable(t, h, w, kms.PendingDeletion, kms.ErrPendingDeletion)
	}
	return unusable(t, h, w, kms.Destroyed, kms.ErrDestroyed)
}

// unusable requires that the key neither wraps nor unwraps, and why.
func unusable(t testing.TB, h Harness, w kms.Wrapped, state kms.State, class error) kms.Info {
	t.Helper()
	fail(t, h, w, func(err error) { only(t, err, class) })
	return inState(t, h, state)
}

// inState requires that the driver says so, if it can tell.
func inState(t testing.TB, h Harness, state kms.State) kms.Info {
	t.Helper()
	d, ok := h.Driver.(kms.Describer)
	if !ok {
		return kms.Info{}
	}
	info, err := d.Describe(own(t))
	if errors.Is(err, kms.ErrUnsupported) {
		return kms.Info{}
	}
	require.NoError(t, err)
	require.Equal(t, state, info.State)
	return info
}

// besides has check check the errors of what d can do besides. A *kms.Key has every method, whatever its driver has.
func besides(ctx context.Context, d kms.Driver, check func(error)) {
	unlessUnsupported := func(err error) {
		if !errors.Is(err, kms.ErrUnsupported) {
			check(err)
		}
	}
	if d, ok := d.(kms.Describer); ok {
		_, err := d.Describe(ctx)
		unlessUnsupported(err)
	}
	if d, ok := d.(kms.Rotator); ok {
		unlessUnsupported(d.Rotate(ctx))
	}
	if d, ok := d.(kms.Destroyer); ok {
		_, err := d.Destroy(ctx, 0)
		unlessUnsupported(err)
	}
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
