package kms_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// grace is how long a call waits for a driver that does not heed its context.
const grace = 10 * time.Millisecond

func TestHangingDriver(t *testing.T) {
	for _, tc := range []struct {
		name            string
		deaf            bool          // the driver does not heed its context
		deadline, leave time.Duration // of the caller
		took            time.Duration
		want            error // or cancelled
	}{
		{"timeout", false, 0, 0, 3 * time.Second, kms.ErrUnavailable},
		{"timeout, deaf driver", true, 0, 0, 3*time.Second + grace, kms.ErrUnavailable},
		{"caller's deadline", false, 2 * time.Second, 0, 2 * time.Second, kms.ErrUnavailable},
		{"caller's deadline, deaf driver", true, 2 * time.Second, 0, 2*time.Second + grace, kms.ErrUnavailable},
		{"cancel", false, 0, time.Second, time.Second, nil},
		{"cancel, deaf driver", true, 0, time.Second, time.Second + grace, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for op, call := range operations {
				bubble.Test(t, func(t *testing.T) {
					release := make(chan struct{})
					d := newActor(func(ctx context.Context, _ int) error {
						if tc.deaf {
							<-release
							return nil
						}
						<-ctx.Done()
						return ctx.Err()
					})
					k := keyWith(t, d, &kms.Options{Timeout: 3 * time.Second})
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if tc.deadline > 0 {
						ctx, cancel = context.WithTimeout(ctx, tc.deadline)
						defer cancel()
					}
					if tc.leave > 0 {
						time.AfterFunc(tc.leave, cancel)
					}
					start := time.Now()
					err := call(ctx, k)
					require.Equal(t, tc.took, time.Since(start), op)
					requireOnly(t, err, tc.want)
					require.Equal(t, tc.want == nil, errors.Is(err, context.Canceled))
					require.Equal(t, tc.want != nil, errors.Is(err, context.DeadlineExceeded))
					require.EqualValues(t, 1, d.calls.Load(), "there is no time for another attempt")
					close(release)
				})
			}
		})
	}
}

// TestAnswerInTheGrace: what a driver says right after its context is done counts.
func TestAnswerInTheGrace(t *testing.T) {
	for name, said := range map[string]error{"success": nil, "refusal": kms.ErrDisabled} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				k := keyWith(t, newActor(func(context.Context, int) error {
					cancel()
					time.Sleep(grace / 2)
					return said
				}), nil)
				got, err := k.Unwrap(ctx, kms.Wrapped{Ref: k.Ref(), Blob: []byte("\x00\x00secret")}, nil)
				if said != nil {
					requireOnly(t, err, said)
					return
				}
				require.NoError(t, err)
				require.Equal(t, "secret", string(got))
			})
		})
	}
}

// TestHungAttemptKeepsItsPlace: those who hang can't be more than Concurrency.
func TestHungAttemptKeepsItsPlace(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := newActor(func(context.Context, int) error {
			<-release
			return nil
		})
		k := keyWith(t, d, &kms.Options{Concurrency: 2, Timeout: time.Second})
		for range 4 {
			requireOnly(t, operations["wrap"](t.Context(), k), kms.ErrUnavailable)
		}
		require.EqualValues(t, 2, d.calls.Load())
		close(release)
		synctest.Wait()
		require.NoError(t, operations["wrap"](t.Context(), k))
		require.EqualValues(t, 3, d.calls.Load())
	})
}

// TestLateAnswer: when nobody waits any more, the plaintext that comes is cleared, and nothing touches what is the caller's again.
func TestLateAnswer(t *testing.T) {
	for name, said := range map[string]error{"success": nil, "error": kms.ErrUnavailable} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				release, answer := make(chan struct{}), []byte("late secret")
				var sawBlob, sawSecret []byte
				var sawContext kms.Context
				d := newScript()
				d.wrap = func(_ context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
					<-release
					sawSecret, sawContext = bytes.Clone(plaintext), maps.Clone(ec)
					plaintext[0], ec["late"] = 'x', "x"
					return kms.Wrapped{Ref: d.ref, Blob: []byte{1}}, said
				}
				d.unwrap = func(_ context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
					<-release
					sawBlob = bytes.Clone(w.Blob)
					w.Blob[0], ec["late"] = 'x', "x"
					return answer, said
				}
				k := keyWith(t, uncounted{d}, nil)
				secret, ec, w := []byte("secret"), kms.Context{"tenant": "a"}, kms.Wrapped{Ref: d.ref, Blob: []byte("blob")}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := k.Wrap(ctx, secret, ec)
				requireOnly(t, err, kms.ErrUnavailable)
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				got, err := k.Unwrap(ctx, w, ec)
				requireOnly(t, err, kms.ErrUnavailable)
				require.Nil(t, got)
				clear(secret) // as callers do
				clear(ec)
				copy(w.Blob, "reused")
				close(release)
				synctest.Wait()
				require.Equal(t, make([]byte, len(answer)), answer)
				require.Equal(t, "blob", string(sawBlob))
				require.Equal(t, "reus", string(w.Blob))
				require.Empty(t, ec)
				require.Equal(t, make([]byte, 6), secret)
				require.Equal(t, "secret", string(sawSecret))
				require.Equal(t, kms.Context{"tenant": "a"}, sawContext)
			})
		})
	}
}

// TestEachAttemptHasItsCopies: a driver that scribbles on its arguments, and keeps them, reaches neither the caller nor its own next attempt.
func TestEachAttemptHasItsCopies(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newScript()
		var kept [][]byte
		scribble := func(b []byte, ec kms.Context) {
			copy(b, "scribble")
			ec["tenant"], ec["more"] = "b", "x"
			kept = append(kept, b)
		}
		d.wrap = func(_ context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
			require.Equal(t, "a secret", string(plaintext))
			require.Equal(t, kms.Context{"tenant": "a"}, ec)
			scribble(plaintext, ec)
			return kms.Wrapped{}, kms.ErrUnavailable
		}
		d.unwrap = func(_ context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
			require.Equal(t, "the blob", string(w.Blob))
			require.Equal(t, kms.Context{"tenant": "a"}, ec)
			scribble(w.Blob, ec)
			return nil, kms.ErrUnavailable
		}
		k := keyWith(t, d, nil)
		secret, ec, w := []byte("a secret"), kms.Context{"tenant": "a"}, kms.Wrapped{Ref: d.ref, Blob: []byte("the blob")}
		_, err := k.Wrap(t.Context(), secret, ec)
		requireOnly(t, err, kms.ErrUnavailable)
		require.Len(t, kept, 3)
		for _, b := range kept {
			require.Equal(t, make([]byte, len(b)), b, "copies of a plaintext are cleared")
		}
		_, err = k.Unwrap(t.Context(), w, ec)
		requireOnly(t, err, kms.ErrUnavailable)
		require.Len(t, kept, 6)
		require.Equal(t, "a secret", string(secret))
		require.Equal(t, "the blob", string(w.Blob))
		require.Equal(t, kms.Context{"tenant": "a"}, ec)
	})
}

func TestDriverThatPanics(t *testing.T) {
	for op, call := range operations {
		t.Run(op, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				d := newActor(func(_ context.Context, n int) error {
					if n == 1 {
						panic("broken driver")
					}
					return nil
				})
				k := keyWith(t, d, &kms.Options{Concurrency: 1})
				func() {
					defer func() { require.Contains(t, recover(), "broken driver") }()
					call(t.Context(), k)
				}()
				require.EqualValues(t, 1, d.calls.Load(), "a panic is not tried again")
				require.NoError(t, call(t.Context(), k), "its place is free")
				require.NoError(t, k.Close(), "no call is in flight")
			})
		})
	}
}

func TestDriverThatEndsItsGoroutine(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newActor(func(context.Context, int) error {
			runtime.Goexit()
			return nil
		})
		k := keyWith(t, d, &kms.Options{Concurrency: 1})
		requireOnly(t, operations["unwrap"](t.Context(), k), kms.ErrUnavailable)
		require.EqualValues(t, 3, d.calls.Load())
	})
}

// TestCloseWaitsForPausesAndPlaces: calls that are not at the driver are in flight, too.
func TestCloseWaitsForPausesAndPlaces(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newActor(func(_ context.Context, n int) error {
			time.Sleep(time.Second)
			if n == 1 {
				return &kms.Error{Retryable: true, RetryAfter: time.Second, Err: kms.ErrThrottled}
			}
			return nil
		})
		k := keyWith(t, d, &kms.Options{Concurrency: 1})
		ends := make(chan error, 2)
		for range cap(ends) {
			go func() { ends <- operations["wrap"](t.Context(), k) }()
		}
		synctest.Wait()
		require.NoError(t, k.Close())
		require.Len(t, ends, 2)
		require.NoError(t, <-ends)
		require.NoError(t, <-ends)
		require.EqualValues(t, 3, d.calls.Load())
		require.EqualValues(t, 1, d.closed.Load())
	})
}

// TestCloseLeavesHungAttempts: an attempt that nobody waits for does not hold up Close, and is cleared up after it.
func TestCloseLeavesHungAttempts(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, release, answer := newScript(), make(chan struct{}), []byte("late secret")
		d.unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) {
			<-release
			return answer, nil
		}
		k := keyWith(t, uncounted{d}, nil)
		requireOnly(t, operations["unwrap"](t.Context(), k), kms.ErrUnavailable)
		start := time.Now()
		require.NoError(t, k.Close())
		require.Zero(t, time.Since(start))
		require.Equal(t, 1, d.closed)
		close(release)
		synctest.Wait()
		require.Equal(t, make([]byte, len(answer)), answer)
	})
}
