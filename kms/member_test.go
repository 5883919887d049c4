package kms_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestMemberIsDownFor30Seconds: it goes last until then, and then one caller sees.
func TestMemberIsDownFor30Seconds(t *testing.T) {
	for _, class := range []error{kms.ErrUnavailable, kms.ErrThrottled, kms.ErrDisabled, kms.ErrPendingDeletion, kms.ErrAccessDenied, kms.ErrDestroyed} {
		t.Run(class.Error(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := newFleet(t, 3)
				k := f.anyOf(t, kms.AnyOptions{})
				w := f.wrapped(t, k)
				aFirst, bFirst := []string{"unwrap a", "unwrap b"}, []string{"unwrap b"}
				report := []string{"unwrap a " + kms.Class(class)}
				f.regions[0].fails(class)
				f.requireOpens(t, k, w, aFirst, report)
				f.requireOpens(t, k, w, bFirst, nil)
				time.Sleep(30*time.Second - time.Nanosecond)
				f.requireOpens(t, k, w, bFirst, nil)
				time.Sleep(time.Nanosecond)
				f.requireOpens(t, k, w, aFirst, report) // still down
				time.Sleep(30*time.Second - time.Nanosecond)
				f.requireOpens(t, k, w, bFirst, nil)

				// It is slow to answer the one who asks, and the others don't wait for it.
				time.Sleep(time.Nanosecond)
				set(f.regions[0], &f.regions[0].unwrap, func(context.Context) error { time.Sleep(time.Second); return nil })
				var all sync.WaitGroup
				for range 20 {
					all.Go(func() {
						got, err := k.Unwrap(t.Context(), w, nil)
						require.NoError(t, err)
						require.Equal(t, "secret", string(got))
					})
				}
				all.Wait()
				asked, reports := f.took()
				slices.Sort(asked)
				require.Equal(t, slices.Concat([]string{"unwrap a"}, slices.Repeat(bFirst, 19)), asked)
				require.Empty(t, reports)
				f.requireOpens(t, k, w, []string{"unwrap a"}, nil) // it is up
			})
		})
	}
}

// TestMemberAllDown: who is down is asked when nobody else is left, in order.
func TestMemberAllDown(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		k := f.anyOf(t, kms.AnyOptions{})
		w := f.wrapped(t, k)
		for _, r := range f.regions {
			r.fails(kms.ErrUnavailable)
		}
		for range 2 {
			_, err := k.Unwrap(t.Context(), w, nil)
			requireOnly(t, err, kms.ErrUnavailable)
			asked, _ := f.took()
			require.Equal(t, []string{"unwrap a", "unwrap b", "unwrap c"}, asked)
		}
		f.regions[2].fails(nil)
		f.requireOpens(t, k, w, []string{"unwrap a", "unwrap b", "unwrap c"}, []string{"unwrap a unavailable", "unwrap b unavailable"})
		f.requireOpens(t, k, w, []string{"unwrap c"}, nil)
	})
}

// TestMemberIsUpAgain after any success, also to wrap.
func TestMemberIsUpAgain(t *testing.T) {
	f := newFleet(t, 2)
	k := f.anyOf(t, kms.AnyOptions{Minimum: 1})
	w := f.wrapped(t, k)
	f.regions[0].fails(kms.ErrUnavailable)
	_, err := k.Wrap(t.Context(), []byte("secret"), nil)
	require.NoError(t, err)
	f.took()
	f.requireOpens(t, k, w, []string{"unwrap b"}, nil)
	f.regions[0].fails(nil)
	f.wrapped(t, k)
	f.requireOpens(t, k, w, []string{"unwrap a"}, nil)
}

// TestMemberIsNotDown for what its caller did.
func TestMemberIsNotDown(t *testing.T) {
	f := newFleet(t, 2)
	k := f.anyOf(t, kms.AnyOptions{})
	w := f.wrapped(t, k)
	f.regions[0].fails(kms.ErrCiphertext)
	for range 2 {
		f.requireOpens(t, k, w, []string{"unwrap a", "unwrap b"}, []string{"unwrap a ciphertext"})
	}
	ctx, cancel := context.WithCancel(t.Context())
	set(f.regions[0], &f.regions[0].unwrap, func(context.Context) error { cancel(); return ctx.Err() })
	_, err := k.Unwrap(ctx, w, nil)
	require.ErrorIs(t, err, context.Canceled)
	f.took()
	f.regions[0].fails(nil)
	f.requireOpens(t, k, w, []string{"unwrap a"}, nil)
}

// TestMemberProbeIsNotWasted: who has not been down for 30 seconds is asked in its turn, however often others opened
// meanwhile without asking it.
func TestMemberProbeIsNotWasted(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		k := f.anyOf(t, kms.AnyOptions{})
		w := f.wrapped(t, k)
		f.regions[0].fails(kms.ErrUnavailable)
		f.regions[1].fails(kms.ErrUnavailable)
		f.requireOpens(t, k, w, []string{"unwrap a", "unwrap b", "unwrap c"}, []string{"unwrap a unavailable", "unwrap b unavailable"})
		f.regions[0].fails(nil)
		f.regions[1].fails(nil)
		time.Sleep(31 * time.Second)
		f.requireOpens(t, k, w, []string{"unwrap a"}, nil)
		f.regions[0].fails(kms.ErrUnavailable)
		f.requireOpens(t, k, w, []string{"unwrap a", "unwrap b"}, []string{"unwrap a unavailable"})
	})
}

// TestMemberShares: each has an equal share of the time that is left, however long those before it hang.
func TestMemberShares(t *testing.T) {
	for _, tc := range []struct {
		name            string
		hanging         int
		timeout, caller time.Duration
		answers         time.Duration // after which the last answers
		want            time.Duration // 0: not in time
	}{
		{"1 of 2", 1, 0, 2 * time.Second, 900 * time.Millisecond, 1900 * time.Millisecond},
		{"1 of 2, default", 1, 0, time.Hour, 4 * time.Second, 9 * time.Second},
		{"1 of 2, timeout", 1, 3 * time.Second, time.Hour, time.Second, 2500 * time.Millisecond},
		{"2 of 3", 2, 0, 3 * time.Second, 999 * time.Millisecond, 2999 * time.Millisecond},
		{"15 of 16", 15, 0, 16 * time.Second, 600 * time.Millisecond, 15*10*time.Second/16 + 600*time.Millisecond},
		{"1 of 2, too late", 1, 0, 2 * time.Second, 1100 * time.Millisecond, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := newFleet(t, tc.hanging+1)
				k := f.anyOf(t, kms.AnyOptions{Timeout: tc.timeout})
				w := f.wrapped(t, k)
				for _, r := range f.regions[:tc.hanging] {
					set(r, &r.unwrap, hang)
				}
				last := f.regions[tc.hanging]
				set(last, &last.unwrap, func(ctx context.Context) error {
					select {
					case <-time.After(tc.answers):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
				ctx, cancel := context.WithTimeout(t.Context(), tc.caller)
				defer cancel()
				start := time.Now()
				got, err := k.Unwrap(ctx, w, nil)
				if tc.want == 0 {
					require.Equal(t, tc.caller, time.Since(start))
					requireOnly(t, err, kms.ErrUnavailable)
					require.ErrorIs(t, err, context.DeadlineExceeded)
					return
				}
				require.NoError(t, err)
				require.Equal(t, "secret", string(got))
				require.Equal(t, tc.want, time.Since(start).Round(time.Millisecond))
				_, reports := f.took()
				require.Len(t, reports, tc.hanging)
			})
		})
	}
}

// TestMemberNotAskedIsAnOutage: when time is over before all were asked, those that weren't might have opened it.
func TestMemberNotAskedIsAnOutage(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		k := f.anyOf(t, kms.AnyOptions{})
		w := f.wrapped(t, k)
		set(f.regions[0], &f.regions[0].unwrap, func(context.Context) error { time.Sleep(16 * time.Millisecond); return kms.ErrAccessDenied })
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Millisecond)
		defer cancel()
		_, err := k.Unwrap(ctx, w, nil)
		asked, _ := f.took()
		require.Equal(t, []string{"unwrap a"}, asked)
		requireOnly(t, err, kms.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// TestMemberHangsAndAnotherRefuses: an outage, as the one that hangs might have opened it.
func TestMemberHangsAndAnotherRefuses(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		k := f.anyOf(t, kms.AnyOptions{})
		w := f.wrapped(t, k)
		set(f.regions[0], &f.regions[0].unwrap, hang)
		f.regions[1].fails(kms.ErrDestroyed)
		start := time.Now()
		_, err := k.Unwrap(t.Context(), w, nil)
		require.Equal(t, 5*time.Second, time.Since(start))
		requireOnly(t, err, kms.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// TestMembersHaveNoTime: out of time before anybody could be asked is an outage, too.
func TestMembersHaveNoTime(t *testing.T) {
	f := newFleet(t, 2)
	w := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}))
	k := f.anyOf(t, kms.AnyOptions{Timeout: 1})
	_, err := k.Unwrap(t.Context(), w, nil)
	requireOnly(t, err, kms.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = k.Wrap(t.Context(), []byte("secret"), nil)
	requireOnly(t, err, kms.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var e *kms.Error
	require.True(t, errors.As(err, &e) && e.Retryable)
}
