package kms_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

func TestNewKeyRefuses(t *testing.T) {
	named := func(provider, id string) kms.Driver {
		return &script{ref: kms.Ref{Provider: provider, KeyID: id}}
	}
	for _, tc := range []struct {
		name string
		d    kms.Driver
		o    *kms.Options
	}{
		{"nil driver", nil, nil},
		{"negative timeout", newScript(), &kms.Options{Timeout: -1}},
		{"no provider", named("", "k"), nil},
		{"no key id", named("p", ""), nil},
		{"long provider", named(strings.Repeat("p", 256), "k"), nil},
		{"long key id", named("p", strings.Repeat("k", 65536)), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k, err := kms.NewKey(tc.d, tc.o)
			requireOnly(t, err, kms.ErrInvalid)
			require.Nil(t, k)
		})
	}
}

func TestZeroKey(t *testing.T) {
	var k kms.Key
	_, err := k.Wrap(t.Context(), []byte("secret"), nil)
	requireOnly(t, err, kms.ErrInvalid)
	require.NoError(t, k.Close())
}

func TestWrapChecks(t *testing.T) {
	for _, tc := range []struct {
		name      string
		plaintext []byte
		ec        kms.Context
	}{
		{"no plaintext", nil, nil},
		{"65 bytes", make([]byte, 65), nil},
		{"invalid context", make([]byte, 32), kms.Context{"": "x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript()
			w, err := newKey(t, s).Wrap(t.Context(), tc.plaintext, tc.ec)
			requireOnly(t, err, kms.ErrInvalid)
			require.Zero(t, w)
			require.Zero(t, s.calls)
		})
	}
}

func TestWrapChecksTheAnswer(t *testing.T) {
	own := newScript().ref
	for _, tc := range []struct {
		name   string
		answer kms.Wrapped
	}{
		{"another key", kms.Wrapped{Ref: kms.Ref{Provider: "script", KeyID: "alias"}, Blob: []byte{1}}},
		{"no ref", kms.Wrapped{Blob: []byte{1}}},
		{"no blob", kms.Wrapped{Ref: own}},
		{"huge blob", kms.Wrapped{Ref: own, Blob: make([]byte, 65536)}},
		{"huge version", kms.Wrapped{Ref: own, Version: strings.Repeat("v", 256), Blob: []byte{1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript()
			s.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) { return tc.answer, nil }
			w, err := newKey(t, s).Wrap(t.Context(), []byte("secret"), nil)
			requireOnly(t, err, kms.ErrInvalid)
			require.Zero(t, w)
		})
	}
}

func TestUnwrapChecks(t *testing.T) {
	own := newScript().ref
	for _, tc := range []struct {
		name string
		w    kms.Wrapped
		ec   kms.Context
		want error
	}{
		{"another key", kms.Wrapped{Ref: kms.Ref{Provider: "script", KeyID: "key-2"}, Blob: []byte{1}}, nil, kms.ErrNotFound},
		{"another provider", kms.Wrapped{Ref: kms.Ref{Provider: "other", KeyID: "key-1"}, Blob: []byte{1}}, nil, kms.ErrNotFound},
		{"zero", kms.Wrapped{}, nil, kms.ErrNotFound},
		{"invalid context", kms.Wrapped{Ref: own, Blob: []byte{1}}, kms.Context{"": "x"}, kms.ErrInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript()
			got, err := newKey(t, s).Unwrap(t.Context(), tc.w, tc.ec)
			requireOnly(t, err, tc.want)
			require.Nil(t, got)
			require.Zero(t, s.calls)
		})
	}
	for _, blob := range [][]byte{nil, make([]byte, 65536)} {
		s := newScript()
		_, err := newKey(t, s).Unwrap(t.Context(), kms.Wrapped{Ref: own, Blob: blob}, nil)
		require.ErrorIs(t, err, kms.ErrCiphertext)
		require.Zero(t, s.calls)
	}
	for _, n := range []int{0, 65} {
		s := newScript()
		answer := []byte(strings.Repeat("s", n))
		s.unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return answer, nil }
		got, err := newKey(t, s).Unwrap(t.Context(), kms.Wrapped{Ref: own, Blob: []byte{1}}, nil)
		requireOnly(t, err, kms.ErrCiphertext)
		require.Nil(t, got)
		require.Equal(t, make([]byte, n), answer, "what is not handed out is cleared")
	}
}

func TestStale(t *testing.T) {
	a := &able{script: newScript(), version: "2"}
	k := newKey(t, a)
	w := kms.Wrapped{Ref: a.ref, Version: "2", Blob: []byte{1}}
	require.False(t, k.Stale(w))
	w.Version = "1"
	require.True(t, k.Stale(w))
	require.False(t, newKey(t, newScript()).Stale(w), "a driver without versions knows of none")
	a.version = ""
	require.False(t, k.Stale(w), "not known")
	w.KeyID = "key-2"
	require.True(t, k.Stale(w))
	require.True(t, newKey(t, newScript()).Stale(w))
	require.Zero(t, a.calls)
}

func TestLifecycle(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	a := &able{script: newScript(), info: kms.Info{State: kms.Enabled, Version: "3", DestroyAt: at}}
	k := newKey(t, a)
	info, err := k.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, a.info, info)
	require.NoError(t, k.Rotate(t.Context()))
	got, err := k.Destroy(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Equal(t, at, got)
	require.Equal(t, time.Hour, a.after)
	_, err = k.Destroy(t.Context(), -1)
	requireOnly(t, err, kms.ErrInvalid)

	for name, tc := range map[string]struct {
		d    kms.Driver
		want error
	}{
		"driver can't":  {newScript(), kms.ErrUnsupported},
		"driver fails":  {&able{script: newScript(), err: kms.ErrAccessDenied}, kms.ErrAccessDenied},
		"closed before": {nil, kms.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			k := k
			if tc.d != nil {
				k = newKey(t, tc.d)
			} else {
				require.NoError(t, k.Close())
			}
			_, err := k.Describe(t.Context())
			requireOnly(t, err, tc.want)
			requireOnly(t, k.Rotate(t.Context()), tc.want)
			_, err = k.Destroy(t.Context(), 0)
			requireOnly(t, err, tc.want)
		})
	}
}

func TestStateString(t *testing.T) {
	var all []string
	for s := kms.Unknown; s <= kms.Destroyed; s++ {
		all = append(all, s.String())
	}
	require.Equal(t, []string{"unknown", "enabled", "disabled", "pending deletion", "destroyed"}, all)
	require.Equal(t, "unknown", kms.State(99).String())
}

func TestCloseWaitsForCalls(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := newScript()
		s.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) {
			time.Sleep(time.Second)
			require.Zero(t, s.closed, "closed under a call")
			return kms.Wrapped{Ref: s.ref, Blob: []byte{1}}, nil
		}
		s.close = func() error { return io.ErrUnexpectedEOF }
		k, err := kms.NewKey(s, nil)
		require.NoError(t, err)
		wrapped, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := k.Wrap(t.Context(), []byte("secret"), nil)
			wrapped <- err
		}()
		synctest.Wait()
		start := time.Now()
		go func() { closed <- k.Close() }()
		synctest.Wait()

		_, err = k.Wrap(t.Context(), []byte("secret"), nil) // neither waits nor is let in
		requireOnly(t, err, kms.ErrClosed)
		require.Zero(t, time.Since(start))

		err = <-closed
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.NoError(t, <-wrapped, "the call in flight")
		require.Equal(t, err, k.Close())
		require.Equal(t, 1, s.closed)
		_, err = k.Unwrap(t.Context(), kms.Wrapped{Ref: s.ref, Blob: []byte{1}}, nil)
		requireOnly(t, err, kms.ErrClosed)
	})
}

func TestKeyPrints(t *testing.T) {
	k := newKey(t, newScript())
	require.Equal(t, "script:key-1", fmt.Sprint(k))
	require.Equal(t, "script:key-1", fmt.Sprintf("%+v", k))
}
