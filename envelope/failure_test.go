package envelope

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// kmsFailures are what a KMS can answer.
var kmsFailures = []error{
	kms.ErrNotFound, kms.ErrDisabled, kms.ErrPendingDeletion, kms.ErrDestroyed, kms.ErrAccessDenied, kms.ErrThrottled, kms.ErrUnavailable,
}

func TestKMSFailsToWrap(t *testing.T) {
	for _, failure := range kmsFailures {
		t.Run(failure.Error(), func(t *testing.T) {
			f := newFake("k")
			f.before = func(context.Context, string) error { return failure }
			for _, o := range []*SealerOptions{nil, {Reuse: &Limits{2, 1000, time.Hour}}} {
				s := newSealer(t, f, o)
				message, err := s.Seal(t.Context(), []byte("plaintext"), nil)
				require.ErrorIs(t, err, failure)
				require.NotErrorIs(t, err, ErrOpen)
				require.Nil(t, message)
			}
			s := newSealer(t, f, nil)
			var b bytes.Buffer
			w, err := s.NewWriter(t.Context(), &b, nil, nil)
			require.ErrorIs(t, err, failure)
			require.Nil(t, w)
			require.Zero(t, b.Len())
			r, err := s.NewSealReader(t.Context(), &b, nil, nil)
			require.ErrorIs(t, err, failure)
			require.Nil(t, r)
		})
	}
}

func TestKMSFailsToUnwrap(t *testing.T) {
	for _, failure := range kmsFailures {
		t.Run(failure.Error(), func(t *testing.T) {
			f := newFake("k")
			s := newSealer(t, f, nil)
			message := seal(t, s, []byte("plaintext"), nil)
			f.before = func(context.Context, string) error { return failure }
			for _, r := range readers {
				got, err := r.open(s, message, nil)
				require.ErrorIs(t, err, failure, r.name)
				require.NotErrorIs(t, err, ErrOpen, "an outage or refusal is not a forgery")
				require.Nil(t, got)
			}
			f.before = func(_ context.Context, op string) error {
				if op == "wrap" {
					return failure
				}
				return nil
			}
			fresh, err := s.RewrapHeader(t.Context(), message[:len(message)-115], nil)
			require.ErrorIs(t, err, failure)
			require.Nil(t, fresh)
		})
	}
}

// TestContextEnds has the caller give up while the KMS is silent.
func TestContextEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(context.Context) (context.Context, context.CancelFunc)
		want error
	}{
		{"cancelled before", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, context.Canceled},
		{"cancelled", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, context.Canceled},
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, context.DeadlineExceeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			needClock(t)
			bubble.Test(t, func(t *testing.T) {
				f := newFake("k")
				s := newSealer(t, f, nil)
				message := seal(t, s, []byte("plaintext"), nil)
				f.before = func(ctx context.Context, _ string) error {
					<-ctx.Done()
					return ctx.Err()
				}
				for name, call := range map[string]func(context.Context) error{
					"Seal":      func(ctx context.Context) error { _, err := s.Seal(ctx, nil, nil); return err },
					"Open":      func(ctx context.Context) error { _, err := s.Open(ctx, message, nil); return err },
					"NewWriter": func(ctx context.Context) error { _, err := s.NewWriter(ctx, io.Discard, nil, nil); return err },
					"RewrapHeader": func(ctx context.Context) error {
						_, err := s.RewrapHeader(ctx, message[:len(message)-115], nil)
						return err
					},
					"NewReader": func(ctx context.Context) error {
						_, err := s.NewReader(ctx, bytes.NewReader(message), nil, nil)
						return err
					},
					"NewReaderAt": func(ctx context.Context) error {
						_, err := s.NewReaderAt(ctx, bytes.NewReader(message), int64(len(message)), nil, nil)
						return err
					},
				} {
					ctx, cancel := tc.end(t.Context())
					start := time.Now()
					err := call(ctx)
					cancel()
					require.ErrorIs(t, err, tc.want, name)
					require.NotErrorIs(t, err, ErrOpen, name)
					require.LessOrEqual(t, time.Since(start), time.Second, name)
				}
			})
		})
	}
}

// TestContextEndsLater ends the context of NewWriter and NewReader, which bounds the call to the KMS and no more.
func TestContextEndsLater(t *testing.T) {
	s := newSealer(t, newFake("k"), nil)
	ctx, cancel := context.WithCancel(t.Context())
	var b bytes.Buffer
	w, err := s.NewWriter(ctx, &b, nil, nil)
	require.NoError(t, err)
	cancel()
	_, err = w.Write(pattern(1000))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	ctx, cancel = context.WithCancel(t.Context())
	r, err := s.NewReader(ctx, bytes.NewReader(b.Bytes()), nil, nil)
	require.NoError(t, err)
	cancel()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, pattern(1000), got)
}

func TestWrongKMSKey(t *testing.T) {
	message := seal(t, newSealer(t, newFake("one"), nil), []byte("plaintext"), nil)
	other := newFake("other")
	s := newSealer(t, other, nil)
	for _, r := range readers {
		got, err := r.open(s, message, nil)
		require.ErrorIs(t, err, kms.ErrNotFound, r.name)
		require.NotErrorIs(t, err, ErrOpen, r.name)
		require.Nil(t, got)
	}
	require.Zero(t, other.calls())
	// A key of the same name that is another one.
	namesake := newFake("one")
	for _, r := range readers {
		_, err := r.open(newSealer(t, namesake, nil), message, nil)
		require.ErrorIs(t, err, ErrOpen, r.name)
		require.ErrorIs(t, err, kms.ErrCiphertext, r.name)
	}
}

func TestUnwrappedKeyOfAnotherLength(t *testing.T) {
	for _, n := range []int{0, 1, 16, 31, 33, 64, 65} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f := newFake("k")
			s := newSealer(t, f, nil)
			message := seal(t, s, []byte("plaintext"), nil)
			f.answer = func(key []byte) []byte { return bytes.Repeat(key, 3)[:n] }
			for _, r := range readers {
				got, err := r.open(s, message, nil)
				require.ErrorIs(t, err, ErrOpen, r.name)
				require.Nil(t, got)
			}
		})
	}
	t.Run("another of 32", func(t *testing.T) {
		f := newFake("k")
		s := newSealer(t, f, nil)
		message := seal(t, s, []byte("plaintext"), nil)
		f.answer = func([]byte) []byte { return pattern(32) }
		_, err := s.Open(t.Context(), message, nil)
		require.ErrorIs(t, err, ErrOpen)
	})
}

// TestQuietErrors looks for plaintext and data key in errors.
func TestQuietErrors(t *testing.T) {
	const canary = "4000-0012-3456-7899"
	var key []byte // the data key, once it was unwrapped
	f := newFake("k")
	f.answer = func(answer []byte) []byte { key = bytes.Clone(answer); return answer }
	s := newSealer(t, f, nil)
	ec := kms.Context{"tenant": "acme"}
	message := seal(t, s, []byte(canary), ec)
	check := func(err error) {
		t.Helper()
		for e := err; e != nil; e = errors.Unwrap(e) {
			for _, text := range []string{e.Error(), fmt.Sprintf("%+v %#v", e, e)} {
				require.NotContains(t, text, canary)
				if key != nil {
					require.NotContains(t, text, string(key))
					require.NotContains(t, text, hex.EncodeToString(key))
				}
			}
		}
	}
	for bit := range len(message) * 8 {
		got, err := s.Open(t.Context(), flip(message, bit), ec)
		require.Error(t, err)
		require.Nil(t, got)
		check(err)
	}
	require.Len(t, key, 32)
	_, err := s.Open(t.Context(), message, nil)
	require.Error(t, err)
	check(err)
	f.before = func(context.Context, string) error { return errors.New("down") }
	_, err = s.Seal(t.Context(), []byte(canary), ec)
	require.ErrorIs(t, err, kms.ErrUnavailable)
	check(err)
}
