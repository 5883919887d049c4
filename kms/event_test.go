package kms_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

// recorder keeps what it is told.
type recorder struct {
	mu     sync.Mutex
	events []kms.Event
	ctxs   []context.Context
}

func (r *recorder) Observe(ctx context.Context, e kms.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.ctxs = append(r.events, e), append(r.ctxs, ctx)
}

// brief returns operation, attempt and class of each event since the last call.
func (r *recorder) brief() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		all = append(all, fmt.Sprint(e.Op, " ", e.Attempt, " ", e.Class))
	}
	r.events = nil
	return all
}

// watched returns a Key over d and what observes it.
func watched(t *testing.T, d kms.Driver, o kms.Options) (*kms.Key, *recorder) {
	t.Helper()
	r := &recorder{}
	o.Observer = r
	k, err := kms.NewKey(d, &o)
	require.NoError(t, err)
	t.Cleanup(func() { k.Close() })
	return k, r
}

var secret = []byte("secret")

func TestEventOfEachMethod(t *testing.T) {
	d := &able{script: newScript(), info: kms.Info{State: kms.Enabled}}
	k, r := watched(t, d, kms.Options{})
	ctx := t.Context()
	require.NoError(t, k.Check(ctx))
	require.Equal(t, []string{"wrap 1 ok", "unwrap 1 ok", "check 1 ciphertext"}, r.brief())
	_, err := k.Describe(ctx)
	require.NoError(t, err)
	require.NoError(t, k.Rotate(ctx))
	_, err = k.Destroy(ctx, 0)
	require.NoError(t, err)
	require.Equal(t, []string{"describe 1 ok", "rotate 1 ok", "destroy 1 ok"}, r.brief())
	for _, given := range r.ctxs[3:] {
		require.True(t, given == ctx, "an observer gets the caller's context, without the timeout of the Key")
	}
}

// TestEventOfEachAttempt: each has its own number, times, class and request.
func TestEventOfEachAttempt(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		answers := []error{
			&kms.Error{RequestID: "req-1", Retryable: true, RetryAfter: time.Second, Err: kms.ErrThrottled},
			&kms.Error{RequestID: "req-2", Retryable: true, Err: kms.ErrUnavailable},
			nil,
		}
		d := newScript()
		d.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) {
			time.Sleep(time.Duration(d.calls) * time.Millisecond)
			return kms.Wrapped{Ref: d.ref, Blob: []byte("x")}, answers[d.calls-1]
		}
		k, r := watched(t, d, kms.Options{Attempts: 3})
		began := time.Now()
		_, err := k.Wrap(t.Context(), secret, nil)
		require.NoError(t, err)
		require.Len(t, r.events, 3)
		end := began
		for i, e := range r.events {
			require.Equal(t, "wrap", e.Op)
			require.Equal(t, d.ref, e.Ref)
			require.Equal(t, i+1, e.Attempt)
			require.Equal(t, time.Duration(i+1)*time.Millisecond, e.Duration)
			require.False(t, e.Start.Before(end), "it began before the one before it ended")
			end = e.Start.Add(e.Duration)
			require.Equal(t, kms.Class(answers[i]), e.Class)
			if answers[i] == nil {
				require.NoError(t, e.Err)
				require.Empty(t, e.RequestID)
				continue
			}
			require.ErrorIs(t, e.Err, errors.Unwrap(answers[i]))
			require.IsType(t, (*kms.Error)(nil), e.Err)
			require.Equal(t, fmt.Sprint("req-", i+1), e.RequestID)
		}
		require.Equal(t, began, r.events[0].Start)
		require.GreaterOrEqual(t, r.events[1].Start.Sub(began), time.Second, "the pause is in no attempt")
		require.Equal(t, time.Now(), end)
	})
}

func TestEventClasses(t *testing.T) {
	for class, said := range map[string]error{
		"not_found":        kms.ErrNotFound,
		"disabled":         kms.ErrDisabled,
		"pending_deletion": kms.ErrPendingDeletion,
		"destroyed":        kms.ErrDestroyed,
		"access_denied":    kms.ErrAccessDenied,
		"ciphertext":       kms.ErrCiphertext,
		"invalid":          kms.ErrInvalid,
		"unsupported":      kms.ErrUnsupported,
		"closed":           kms.ErrClosed,
		"throttled":        kms.ErrThrottled,
		"unavailable":      errors.New("of no class"),
	} {
		t.Run(class, func(t *testing.T) {
			d := newScript()
			d.unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return nil, said }
			k, r := watched(t, d, kms.Options{Attempts: 1})
			_, err := k.Unwrap(t.Context(), kms.Wrapped{Ref: d.ref, Blob: []byte("x")}, nil)
			require.Len(t, r.events, 1)
			require.Equal(t, err, r.events[0].Err, "the caller and the observer are told the same")
			require.ErrorIs(t, r.events[0].Err, said)
			require.Equal(t, []string{"unwrap 1 " + class}, r.brief())
		})
	}
}

// TestEventOfRefusal: what did not reach the provider is attempt 0.
func TestEventOfRefusal(t *testing.T) {
	d := newScript()
	k, r := watched(t, d, kms.Options{})
	ctx, here := t.Context(), kms.Wrapped{Ref: d.ref, Blob: []byte("x")}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel := context.WithTimeout(ctx, 0)
	defer cancel()
	for name, test := range map[string]struct {
		call func() error
		want string
	}{
		"no plaintext":   {func() error { _, err := k.Wrap(ctx, nil, nil); return err }, "wrap 0 invalid"},
		"reserved pair":  {func() error { _, err := k.Wrap(ctx, secret, kms.Context{reserved.Prefix: ""}); return err }, "wrap 0 invalid"},
		"cancelled":      {func() error { _, err := k.Wrap(gone, secret, nil); return err }, "wrap 0 canceled"},
		"too late":       {func() error { _, err := k.Unwrap(late, here, nil); return err }, "unwrap 0 canceled"},
		"another key":    {func() error { _, err := k.Unwrap(ctx, kms.Wrapped{}, nil); return err }, "unwrap 0 not_found"},
		"no blob":        {func() error { _, err := k.Unwrap(ctx, kms.Wrapped{Ref: d.ref}, nil); return err }, "unwrap 0 ciphertext"},
		"no description": {func() error { _, err := k.Describe(ctx); return err }, "describe 0 unsupported"},
		"no rotation":    {func() error { return k.Rotate(ctx) }, "rotate 0 unsupported"},
		"negative delay": {func() error { _, err := k.Destroy(ctx, -1); return err }, "destroy 0 invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, test.call())
			require.Equal(t, []string{test.want}, r.brief())
			require.Zero(t, d.calls)
		})
	}
}

func TestEventOfBreaker(t *testing.T) {
	d := newScript()
	d.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) {
		return kms.Wrapped{}, kms.ErrUnavailable
	}
	k, r := watched(t, d, kms.Options{Attempts: 1, BreakAfter: 2, BreakFor: time.Hour})
	for range 3 {
		_, err := k.Wrap(t.Context(), secret, nil)
		require.ErrorIs(t, err, kms.ErrUnavailable)
	}
	require.Equal(t, []string{"wrap 1 unavailable", "wrap 1 unavailable", "wrap 0 unavailable"}, r.brief())
	require.Equal(t, 2, d.calls)
}

// TestEventOfWaiting: with one place 16 may wait, the next is refused, and who waits in vain was not sent either. A driver that hangs is
// an attempt.
func TestEventOfWaiting(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, free := newScript(), make(chan struct{})
		d.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) {
			<-free
			return kms.Wrapped{Ref: d.ref, Blob: []byte("x")}, nil
		}
		k, r := watched(t, d, kms.Options{Attempts: 1, Concurrency: 1, Timeout: time.Minute})
		var group sync.WaitGroup
		wrap := func() { _, _ = k.Wrap(t.Context(), secret, nil) }
		for range 17 {
			group.Go(wrap)
		}
		synctest.Wait()
		require.Empty(t, r.brief())
		wrap()
		require.Equal(t, []string{"wrap 0 unavailable"}, r.brief())
		group.Wait()
		for _, e := range r.events {
			require.GreaterOrEqual(t, e.Duration, time.Minute)
			require.ErrorIs(t, e.Err, context.DeadlineExceeded)
		}
		want := append([]string{"wrap 1 unavailable"}, slices.Repeat([]string{"wrap 0 unavailable"}, 16)...)
		require.ElementsMatch(t, want, r.brief())
		close(free)
	})
}

// TestObserveContext: an observer sees the pairs that were listed when the Key was made, and can change none.
func TestObserveContext(t *testing.T) {
	for name, test := range map[string]struct {
		listed []string
		want   kms.Context
	}{
		"none":    {nil, nil},
		"one":     {[]string{"purpose"}, kms.Context{"purpose": "invoices"}},
		"unknown": {[]string{"Purpose", "tenant "}, nil},
		"two":     {[]string{"region", "purpose", "other"}, kms.Context{"purpose": "invoices", "region": "north"}},
	} {
		t.Run(name, func(t *testing.T) {
			k, r := watched(t, newScript(), kms.Options{ObserveContext: test.listed})
			for i := range test.listed {
				test.listed[i] = "tenant"
			}
			ec := kms.Context{"purpose": "invoices", "region": "north", "tenant": canaryTenant}
			w, err := k.Wrap(t.Context(), secret, ec)
			require.NoError(t, err)
			require.Equal(t, test.want, r.events[0].Context)
			clear(r.events[0].Context)
			_, err = k.Unwrap(t.Context(), w, ec)
			require.NoError(t, err)
			_, err = k.Wrap(t.Context(), nil, ec)
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Equal(t, test.want, r.events[1].Context)
			require.Nil(t, r.events[2].Context, "of a call that was refused it is not shown")
		})
	}
}
