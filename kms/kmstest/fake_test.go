package kmstest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// rotator is what a driver of a Fake can do.
type rotator interface {
	kms.Driver
	kms.Describer
	kms.Rotator
	kms.Destroyer
	kms.Versioner
}

func state(t *testing.T, d kms.Describer) kms.State {
	t.Helper()
	info, err := d.Describe(t.Context())
	require.NoError(t, err)
	return info.State
}

func TestFakeLag(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := NewFake("key-1")
		one, two := f.Driver().(rotator), f.Driver().(rotator)
		require.Empty(t, one.CurrentVersion(), "nothing is known before the first call")
		f.Lag(time.Minute)
		require.NoError(t, two.Rotate(t.Context()))
		require.Equal(t, "1", two.CurrentVersion())
		require.Equal(t, "1", wrap(t, two, secret(1), nil).Version)
		time.Sleep(time.Minute - time.Nanosecond)
		old := wrap(t, one, secret(1), nil)
		require.Equal(t, "1", old.Version)
		time.Sleep(time.Nanosecond)
		require.Equal(t, "1", one.CurrentVersion(), "known as of the last call")
		w := wrap(t, one, secret(1), nil)
		require.Equal(t, "2", w.Version)
		require.Equal(t, "2", one.CurrentVersion())
		for _, d := range []kms.Driver{one, two} {
			opens(t, d, old, nil, secret(1))
			opens(t, d, w, nil, secret(1))
		}
		f.Lag(0)
		f.Rotate()
		info, err := two.Describe(t.Context())
		require.NoError(t, err)
		require.Equal(t, kms.Info{State: kms.Enabled, Version: "3", Rotated: time.Now()}, info)
		require.Equal(t, "3", two.CurrentVersion())
	})
}

func TestFakeStateLags(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := NewFake("key-1")
		d := f.Driver().(rotator)
		f.SetState(kms.Unknown)
		_, err := d.Wrap(t.Context(), secret(1), nil)
		only(t, err, kms.ErrNotFound)
		_, err = d.Describe(t.Context())
		only(t, err, kms.ErrNotFound)
		only(t, d.Rotate(t.Context()), kms.ErrNotFound)
		_, err = d.Destroy(t.Context(), 0)
		only(t, err, kms.ErrNotFound)

		f.Lag(time.Second)
		f.SetState(kms.Enabled) // the key is made
		_, err = d.Wrap(t.Context(), secret(1), nil)
		only(t, err, kms.ErrNotFound)
		time.Sleep(time.Second)
		w := wrap(t, d, secret(1), nil)

		f.SetState(kms.Disabled)
		opens(t, d, w, nil, secret(1))
		f.Lag(0)
		f.SetState(kms.Enabled) // overtakes it
		time.Sleep(time.Hour)
		opens(t, d, w, nil, secret(1))
	})
}

func TestFakeLagOfOne(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := NewFake("key-1")
		near, far := f.Driver().(rotator), f.Driver().(rotator)
		f.Lag(time.Second)
		f.Lag(time.Minute, far)
		f.SetState(kms.Disabled)
		f.Rotate()
		f.Lag(0, near, far) // of later changes
		require.Equal(t, kms.Enabled, state(t, near))
		time.Sleep(time.Second)
		require.Equal(t, kms.Disabled, state(t, near))
		require.Equal(t, "2", near.CurrentVersion())
		require.Equal(t, kms.Enabled, state(t, far))
		require.Equal(t, "1", wrap(t, far, secret(1), nil).Version)
		require.Equal(t, kms.Disabled, state(t, f.Driver().(rotator)), "for all but the one")
		time.Sleep(time.Minute)
		require.Equal(t, kms.Disabled, state(t, far))
		f.SetState(kms.Enabled)
		require.Equal(t, kms.Enabled, state(t, near))
		require.Equal(t, kms.Enabled, state(t, far))
		f.Lag(time.Second)
		f.SetState(kms.Disabled)
		require.Equal(t, kms.Enabled, state(t, far), "a Lag for all is for all")
	})
}

func TestFakeDestroy(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := NewFake("key-1")
		d := f.Driver().(rotator)
		w := wrap(t, d, secret(1), nil)
		_, err := d.Destroy(t.Context(), -1)
		only(t, err, kms.ErrInvalid)
		at, err := d.Destroy(t.Context(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, time.Now().Add(time.Hour), at)
		info, err := d.Describe(t.Context())
		require.NoError(t, err)
		require.Equal(t, kms.PendingDeletion, info.State)
		require.Equal(t, at, info.DestroyAt)
		_, err = d.Unwrap(t.Context(), w, nil)
		only(t, err, kms.ErrPendingDeletion)
		only(t, d.Rotate(t.Context()), kms.ErrPendingDeletion)

		f.SetState(kms.Enabled) // its owner thinks again
		time.Sleep(2 * time.Hour)
		opens(t, d, w, nil, secret(1))

		at, err = d.Destroy(t.Context(), time.Hour)
		require.NoError(t, err)
		time.Sleep(2 * time.Hour)
		info, err = d.Describe(t.Context())
		require.NoError(t, err)
		require.Equal(t, kms.Destroyed, info.State)
		require.Equal(t, at, info.DestroyAt)
		_, err = d.Unwrap(t.Context(), w, nil)
		only(t, err, kms.ErrDestroyed)
		_, err = d.Destroy(t.Context(), 0)
		only(t, err, kms.ErrDestroyed)
	})
}

func TestFakeDestroyAtOnce(t *testing.T) {
	d := NewFake("key-1").Driver().(rotator)
	_, err := d.Destroy(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, kms.Destroyed, state(t, d))
}

func TestFakeKeepsToItself(t *testing.T) {
	f := NewFake("key-1")
	w := wrap(t, f.Driver(), []byte(canary), pairs())
	for name, others := range map[string]func(d kms.Driver) kms.Wrapped{
		"plaintext": func(d kms.Driver) kms.Wrapped { return wrap(t, d, secret(32), pairs()) },
		"context":   func(d kms.Driver) kms.Wrapped { return wrap(t, d, []byte(canary), nil) },
		"version": func(d kms.Driver) kms.Wrapped {
			require.True(t, rotate(t, d))
			return wrap(t, d, []byte(canary), pairs())
		},
		"place": func(d kms.Driver) kms.Wrapped {
			wrap(t, d, secret(1), nil)
			return wrap(t, d, []byte(canary), pairs())
		},
	} {
		t.Log(name)
		same := NewFake("key-1").Driver()
		theirs := others(same)
		refuses(t, same, w, pairs(), kms.ErrCiphertext)
		theirs.Version = w.Version
		refuses(t, f.Driver(), theirs, pairs(), kms.ErrCiphertext)
	}
	require.Equal(t, w, wrap(t, NewFake("key-1").Driver(), []byte(canary), pairs()), "a Fake always answers alike")
	w.Version = "01"
	_, err := f.Driver().Unwrap(t.Context(), w, pairs())
	only(t, err, kms.ErrNotFound)
	require.Equal(t, kms.Ref{Provider: "fake", KeyID: "key-1"}, f.Driver().Ref())
}

func TestFakeCalls(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		start := time.Now()
		f := NewFake("key-1")
		d := f.Driver().(rotator)
		require.Empty(t, f.Calls())
		ec := pairs()
		w := wrap(t, d, secret(1), ec)
		ec["tenant"] = "changed"
		f.Script(Fault{Latency: time.Second, Err: kms.ErrUnavailable})
		_, err := d.Unwrap(t.Context(), w, pairs())
		require.Error(t, err)
		require.NoError(t, d.Rotate(t.Context()))

		// None of these reaches the KMS.
		_, err = d.Wrap(t.Context(), nil, nil)
		require.Error(t, err)
		_, err = d.Unwrap(t.Context(), kms.Wrapped{}, nil)
		require.Error(t, err)
		_, err = d.Wrap(t.Context(), secret(1), kms.Context{"": ""})
		require.Error(t, err)
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, d.Rotate(cancelled))

		want := []Call{
			{Op: "wrap", Context: pairs(), At: start, Ended: true},
			{Op: "unwrap", Context: pairs(), At: start, Ended: true, Took: time.Second, Err: kms.ErrUnavailable},
			{Op: "rotate", At: start.Add(time.Second), Ended: true},
		}
		require.Equal(t, want, f.Calls())
		require.Equal(t, 3, f.Count(""))
		require.Equal(t, 1, f.Count("unwrap"))
		require.Zero(t, f.Count("destroy"))
		clear(f.Calls()[0].Context)
		require.Equal(t, want, f.Calls(), "what Calls returned is the caller's")

		f.Always(Fault{Hang: true})
		go d.Describe(t.Context())
		synctest.Wait()
		require.Equal(t, Call{Op: "describe", At: start.Add(time.Second)}, f.Calls()[3])
		f.Always()
		synctest.Wait()
		require.True(t, f.Calls()[3].Ended)
	})
}
