package kms_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

// onKey is a driver that somebody built on another Key.
type onKey struct {
	*script
	k *kms.Key
}

func (d onKey) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	w, err := d.k.Wrap(ctx, plaintext, ec)
	w.Ref = d.ref
	return w, err
}

// TestDoorReachesDrivers: a driver may stand on other Keys, and gets their reserved pairs through.
func TestDoorReachesDrivers(t *testing.T) {
	ec := kms.Context{reserved.Prefix + "purpose": "tenant-key"}
	inner, err := kms.NewKey(newScript(), nil)
	require.NoError(t, err)
	outer, err := kms.NewKey(onKey{newScript(), inner}, nil)
	require.NoError(t, err)
	_, err = outer.Wrap(reserved.Allow(t.Context()), []byte("secret"), ec)
	require.NoError(t, err)
	_, err = outer.Wrap(t.Context(), []byte("secret"), ec)
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// TestDriverThatClears: what a driver does to its argument does not reach what the caller seals with.
func TestDriverThatClears(t *testing.T) {
	d := newScript()
	d.wrap = func(_ context.Context, plaintext []byte, _ kms.Context) (kms.Wrapped, error) {
		clear(plaintext)
		return kms.Wrapped{Ref: d.ref, Blob: []byte("x")}, nil
	}
	k, err := kms.NewKey(d, nil)
	require.NoError(t, err)
	secret := []byte("secret")
	_, err = k.Wrap(t.Context(), secret, nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(secret))
}

// TestBytesWithAnError: a driver's bytes are cleared when it fails.
func TestBytesWithAnError(t *testing.T) {
	d, leaked := newScript(), []byte("secret")
	d.unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return leaked, kms.ErrAccessDenied }
	k, err := kms.NewKey(d, nil)
	require.NoError(t, err)
	got, err := k.Unwrap(t.Context(), kms.Wrapped{Ref: d.ref, Blob: []byte("x")}, nil)
	require.ErrorIs(t, err, kms.ErrAccessDenied)
	require.Nil(t, got)
	require.Equal(t, make([]byte, 6), leaked)
}

// TestDriversOddErrors: an outage is an outage, and nothing panics.
func TestDriversOddErrors(t *testing.T) {
	for name, odd := range map[string]error{
		"cancelled by itself": context.Canceled,
		"the same, wrapped":   fmt.Errorf("inner: %w", context.Canceled),
		"a nil *Error":        (*kms.Error)(nil),
		"an *Error of that":   &kms.Error{Err: context.Canceled},
		"an empty *Error":     &kms.Error{},
	} {
		t.Run(name, func(t *testing.T) {
			d := newScript()
			d.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) { return kms.Wrapped{}, odd }
			k, err := kms.NewKey(d, nil)
			require.NoError(t, err)
			_, err = k.Wrap(t.Context(), []byte("secret"), nil)
			require.ErrorIs(t, err, kms.ErrUnavailable)
			require.False(t, errors.Is(err, context.Canceled))
			require.NotEmpty(t, err.Error())
		})
	}
}

// TestRollingRefusesSharedMembers: no two of its keys lead to the same one.
func TestRollingRefusesSharedMembers(t *testing.T) {
	key := func(id string) *kms.Key {
		d := newScript()
		d.ref.KeyID = id
		k, err := kms.NewKey(d, nil)
		require.NoError(t, err)
		return k
	}
	a, b, c := key("a"), key("b"), key("c")
	ab, err := kms.Rolling(a, b)
	require.NoError(t, err)
	cb, err := kms.Rolling(c, b)
	require.NoError(t, err)
	_, err = kms.Rolling(ab, cb)
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = kms.Rolling(ab, c)
	require.NoError(t, err)
}
