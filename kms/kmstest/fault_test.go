package kmstest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

func TestFakeScript(t *testing.T) {
	f := NewFake("key-1")
	d := f.Driver()
	w := wrap(t, d, secret(1), nil)
	unwrap := func() error {
		_, err := d.Unwrap(t.Context(), w, nil)
		return err
	}
	f.Always(Fault{Err: kms.ErrUnavailable})
	f.Script(Fault{Err: kms.ErrThrottled}, Fault{Op: "wrap", Err: kms.ErrDisabled}, Fault{})
	f.Script(Fault{Op: "unwrap", Err: kms.ErrAccessDenied})
	only(t, unwrap(), kms.ErrThrottled)
	require.NoError(t, unwrap(), "the fault for wraps is none of its")
	only(t, unwrap(), kms.ErrAccessDenied)
	only(t, unwrap(), kms.ErrUnavailable)
	_, err := d.Wrap(t.Context(), secret(1), nil)
	only(t, err, kms.ErrDisabled)
	_, err = d.Wrap(t.Context(), secret(1), nil)
	only(t, err, kms.ErrUnavailable)
	f.Always(Fault{Op: "wrap", Err: kms.ErrAccessDenied})
	require.NoError(t, unwrap())
	_, err = d.Wrap(t.Context(), secret(1), nil)
	only(t, err, kms.ErrAccessDenied)
	f.Always()
	require.NoError(t, unwrap())
	wrap(t, d, secret(1), nil)
}

func TestFakePartition(t *testing.T) {
	f := NewFake("key-1")
	north, west, third := f.Driver(), f.Driver(), f.Driver()
	w := wrap(t, north, secret(1), nil)
	unwrap := func(d kms.Driver) error {
		_, err := d.Unwrap(t.Context(), w, nil)
		return err
	}
	f.Always(
		Fault{Driver: west, Op: "unwrap", Err: kms.ErrUnavailable},
		Fault{Driver: west, Op: "wrap", Err: kms.ErrThrottled},
		Fault{Driver: third, Err: kms.ErrAccessDenied},
		Fault{Driver: third, Err: kms.ErrDisabled},
	)
	only(t, unwrap(west), kms.ErrUnavailable)
	_, err := west.Wrap(t.Context(), secret(1), nil)
	only(t, err, kms.ErrThrottled)
	only(t, unwrap(third), kms.ErrAccessDenied)
	require.NoError(t, unwrap(north))
	require.NoError(t, unwrap(f.Driver()))
	f.Script(Fault{Driver: north, Err: kms.ErrThrottled})
	only(t, unwrap(west), kms.ErrUnavailable)
	only(t, unwrap(north), kms.ErrThrottled)
	require.NoError(t, unwrap(north))
	f.Always()
	require.NoError(t, unwrap(west))
	require.NoError(t, unwrap(third))
}

// TestFakeRefusesStrangers has no fault that can't happen.
func TestFakeRefusesStrangers(t *testing.T) {
	f := NewFake("key-1")
	for _, d := range []kms.Driver{NewFake("key-1").Driver(), bare{f.Driver()}, (*fakeDriver)(nil)} {
		require.Panics(t, func() { f.Always(Fault{Driver: d}) })
		require.Panics(t, func() { f.Script(Fault{}, Fault{Driver: d}) })
		require.Panics(t, func() { f.Lag(0, d) })
	}
	wrap(t, f.Driver(), secret(1), nil) // it is not locked
}

func TestFakeErrCarriesMore(t *testing.T) {
	f := NewFake("key-1")
	f.Always(Fault{Err: &kms.Error{Err: kms.ErrThrottled, Retryable: true, RetryAfter: time.Minute, RequestID: "r-1"}})
	k, err := kms.NewKey(f.Driver(), &kms.Options{Attempts: 1})
	require.NoError(t, err)
	_, err = k.Wrap(t.Context(), secret(1), nil)
	only(t, err, kms.ErrThrottled)
	var said *kms.Error
	require.ErrorAs(t, err, &said)
	require.Equal(t, time.Minute, said.RetryAfter)
	require.Equal(t, "r-1", said.RequestID)
}

func TestFakeLatency(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := NewFake("key-1")
		d, start := f.Driver(), time.Now()
		f.Always(Fault{Latency: time.Second})
		w := wrap(t, d, secret(1), nil)
		require.Equal(t, time.Second, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second-1)
		defer cancel()
		got, err := d.Unwrap(ctx, w, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Nil(t, got)
		go func() {
			time.Sleep(time.Second / 2)
			d.Close()
		}()
		_, err = d.Unwrap(t.Context(), w, nil)
		only(t, err, kms.ErrClosed)
		require.Equal(t, 2500*time.Millisecond-1, time.Since(start))
	})
}

func TestFakeHang(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(f *Fake, d kms.Driver, cancel func())
		want error
	}{
		{"cancelled", func(_ *Fake, _ kms.Driver, cancel func()) { cancel() }, context.Canceled},
		{"closed", func(_ *Fake, d kms.Driver, _ func()) { d.Close() }, kms.ErrClosed},
		{"healed", func(f *Fake, _ kms.Driver, _ func()) { f.Always() }, nil},
		{"another process closed", func(f *Fake, _ kms.Driver, cancel func()) {
			f.Driver().Close()
			synctest.Wait()
			cancel()
		}, context.Canceled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f, arrived := NewFake("key-1"), 0
				d := f.Driver()
				f.Script(Fault{Hang: true, Arrived: func() { arrived++ }})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error, 1)
				go func() {
					_, err := d.Wrap(ctx, secret(1), nil)
					ended <- err
				}()
				time.Sleep(time.Hour)
				synctest.Wait()
				require.Empty(t, ended)
				require.Equal(t, 1, arrived)
				tc.end(f, d, cancel)
				require.ErrorIs(t, <-ended, tc.want)
			})
		})
	}
}

// TestFakeLies has the answers that a kms.Key is to refuse.
func TestFakeLies(t *testing.T) {
	edit := func(change func(w *kms.Wrapped)) Fault {
		return Fault{Wrap: func(w kms.Wrapped) kms.Wrapped {
			change(&w)
			return w
		}}
	}
	for _, tc := range []struct {
		name  string
		fault Fault
		want  error
	}{
		{"wrong key id", edit(func(w *kms.Wrapped) { w.KeyID = "key-2" }), kms.ErrInvalid},
		{"empty blob", edit(func(w *kms.Wrapped) { w.Blob = nil }), kms.ErrInvalid},
		{"flipped bit of the blob", edit(func(w *kms.Wrapped) { w.Blob[0] ^= 1 }), kms.ErrCiphertext},
		{"wrong version", edit(func(w *kms.Wrapped) { w.Version = "2" }), kms.ErrNotFound},
		{"flipped bit of the plaintext", Fault{Unwrap: func(p []byte) []byte { p[0] ^= 1; return p }}, kms.ErrInvalid},
		{"short plaintext", Fault{Unwrap: func(p []byte) []byte { return p[1:] }}, kms.ErrInvalid},
		{"empty plaintext", Fault{Unwrap: func([]byte) []byte { return nil }}, kms.ErrCiphertext},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := NewFake("key-1")
			k, err := kms.NewKey(f.Driver(), nil)
			require.NoError(t, err)
			require.NoError(t, k.Check(t.Context()))
			f.Always(tc.fault)
			err = k.Check(t.Context())
			require.True(t, errors.Is(err, tc.want), "%v", err)
			f.Always()
			require.NoError(t, k.Check(t.Context()), "the lie is the answer's, not the key's")
		})
	}
}

func TestFaultOfNoOperation(t *testing.T) {
	f := NewFake("key-1")
	require.Panics(t, func() { f.Script(Fault{Op: "Wrap"}) })
	require.Panics(t, func() { f.Always(Fault{Op: "encrypt"}) })
	require.NotPanics(t, func() { f.Always(Fault{Op: "destroy"}, Fault{}) })
}
