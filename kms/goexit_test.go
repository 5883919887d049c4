package kms_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// endsItsGoroutine returns the AnyOf key of f with a first member whose Observer ends the goroutine that it is called by, as a failed test does.
func endsItsGoroutine(t *testing.T, f *fleet, o kms.AnyOptions) *kms.Key {
	t.Helper()
	a, err := kms.NewKey(f.regions[0], &kms.Options{Attempts: 1, Observer: observerFunc(func(kms.Event) { runtime.Goexit() })})
	require.NoError(t, err)
	return f.anyOf(t, o, append([]*kms.Key{a}, f.keys[1:]...)...)
}

// TestMemberEndsItsGoroutine: what did not come to its end has failed.
func TestMemberEndsItsGoroutine(t *testing.T) {
	f := newFleet(t, 3)
	all, two := endsItsGoroutine(t, f, kms.AnyOptions{}), endsItsGoroutine(t, f, kms.AnyOptions{Minimum: 2})

	w, err := all.Wrap(t.Context(), []byte("secret"), nil)
	requireOnly(t, err, kms.ErrUnavailable)
	require.Zero(t, w)
	w, err = two.Wrap(t.Context(), []byte("secret"), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"b", "c"}, recipients(t, w))
	_, reports := f.took()
	require.Equal(t, []string{"wrap a unavailable"}, reports)

	requireOnly(t, all.Check(t.Context()), kms.ErrUnavailable)
	require.NoError(t, two.Check(t.Context()))
	_, reports = f.took()
	require.Equal(t, []string{"check a unavailable"}, reports)
}

// TestMemberEndsItsCaller: Unwrap runs in its caller's goroutine, and goes with it. The key is none the worse.
func TestMemberEndsItsCaller(t *testing.T) {
	f := newFleet(t, 2)
	w := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}))
	k := endsItsGoroutine(t, f, kms.AnyOptions{})
	returned, gone := false, make(chan struct{})
	go func() {
		defer close(gone)
		k.Unwrap(t.Context(), w, nil)
		returned = true
	}()
	<-gone
	require.False(t, returned)
	f.took()
	f.requireOpens(t, k, f.wrapped(t, f.keys[1]), []string{"unwrap b"}, nil)
	require.NoError(t, k.Close(), "no call is in flight")
}
