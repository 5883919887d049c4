package kms_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

func TestAnyOfRefuses(t *testing.T) {
	f := newFleet(t, 17)
	inner := f.anyOf(t, kms.AnyOptions{}, f.keys[:2]...)
	rollingAny, err := kms.Rolling(inner, f.keys[2])
	require.NoError(t, err)
	rollingA, err := kms.Rolling(f.keys[0], f.keys[1])
	require.NoError(t, err)
	long := strings.Repeat("k", 5000)
	longKey := func() *kms.Key { return newKey(t, &script{ref: kms.Ref{Provider: "p", KeyID: long}}) }
	for _, tc := range []struct {
		name string
		keys []*kms.Key
		o    *kms.AnyOptions
	}{
		{"none", nil, nil},
		{"17", f.keys, nil},
		{"nil", []*kms.Key{f.keys[0], nil}, nil},
		{"zero", []*kms.Key{{}, f.keys[0]}, nil},
		{"nested", []*kms.Key{f.keys[3], inner}, nil},
		{"nested in a rolling key", []*kms.Key{f.keys[3], rollingAny}, nil},
		{"same key", []*kms.Key{f.keys[0], f.keys[1], f.keys[0]}, nil},
		{"same ref", []*kms.Key{longKey(), longKey()}, nil},
		{"same ref in a rolling key", []*kms.Key{f.keys[0], rollingA}, nil},
		{"minimum below 0", f.keys[:2], &kms.AnyOptions{Minimum: -1}},
		{"minimum over all", f.keys[:2], &kms.AnyOptions{Minimum: 3}},
		{"timeout below 0", f.keys[:2], &kms.AnyOptions{Timeout: -1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k, err := kms.AnyOf(tc.keys, tc.o)
			requireOnly(t, err, kms.ErrInvalid)
			require.Nil(t, k)
			require.Less(t, len(err.Error()), 500)
		})
	}
	asked, _ := f.took()
	require.Empty(t, asked)
}

func TestAnyOfOfOneToSixteen(t *testing.T) {
	f := newFleet(t, 16)
	for n := 1; n <= 16; n++ {
		keys := slices.Clone(f.keys[:n])
		k := f.anyOf(t, kms.AnyOptions{Minimum: n}, keys...)
		clear(keys) // they were copied
		require.Equal(t, kms.Ref{Provider: "any"}, k.Ref())
		w := f.wrapped(t, k)
		require.Equal(t, k.Ref(), w.Ref)
		require.Len(t, recipients(t, w), n)
		f.requireOpens(t, k, w, []string{"unwrap a"}, nil)
		for _, own := range f.keys[:n] { // each opens alone
			alone := f.anyOf(t, kms.AnyOptions{}, own)
			f.requireOpens(t, alone, w, []string{"unwrap " + own.Ref().KeyID}, nil)
		}
	}
}

func TestAnyOfLifecycleIsUnsupported(t *testing.T) {
	drivers, keys := members(t, 2)
	k, err := kms.AnyOf(keys, nil)
	require.NoError(t, err)
	_, err = k.Describe(t.Context())
	requireOnly(t, err, kms.ErrUnsupported)
	requireOnly(t, k.Rotate(t.Context()), kms.ErrUnsupported)
	_, err = k.Destroy(t.Context(), time.Hour)
	requireOnly(t, err, kms.ErrUnsupported)
	require.Zero(t, drivers[0].after)
}

func TestAnyOfClose(t *testing.T) {
	f := newFleet(t, 2)
	k := f.anyOf(t, kms.AnyOptions{})
	w := f.wrapped(t, k)
	require.NoError(t, k.Close())
	require.NoError(t, k.Close())
	_, err := k.Wrap(t.Context(), []byte("secret"), nil)
	requireOnly(t, err, kms.ErrClosed)
	_, err = k.Unwrap(t.Context(), w, nil)
	requireOnly(t, err, kms.ErrClosed)
	asked, _ := f.took()
	require.Empty(t, asked)
	for i, r := range f.regions {
		require.Zero(t, get(r, &r.closed))
		f.wrapped(t, f.keys[i])
	}
	// A member that was closed is one that fails.
	k = f.anyOf(t, kms.AnyOptions{})
	require.NoError(t, f.keys[0].Close())
	f.requireOpens(t, k, w, []string{"unwrap b"}, []string{"unwrap a closed"})
}

func TestAnyOfCloseWaitsForCalls(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		set(f.regions[1], &f.regions[1].wrap, func(context.Context) error { time.Sleep(time.Second); return nil })
		k := f.anyOf(t, kms.AnyOptions{})
		ended := make(chan error, 1)
		go func() {
			_, err := k.Wrap(t.Context(), []byte("secret"), nil)
			ended <- err
		}()
		synctest.Wait()
		start := time.Now()
		require.NoError(t, k.Close())
		require.Equal(t, time.Second, time.Since(start))
		require.NoError(t, <-ended)
	})
}
