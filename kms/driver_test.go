package kms_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/kms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a driver that answers what a test tells it to. What is not told it does in
// the clear.
type script struct {
	ref    kms.Ref
	calls  int // of Wrap and Unwrap
	closed int
	wrap   func(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error)
	unwrap func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error)
	close  func() error
}

func newScript() *script { return &script{ref: kms.Ref{Provider: "script", KeyID: "key-1"}} }

func (s *script) Ref() kms.Ref { return s.ref }

func (s *script) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	s.calls++
	if s.wrap != nil {
		return s.wrap(ctx, plaintext, ec)
	}
	bound, err := ec.Canonical()
	return kms.Wrapped{Ref: s.ref, Blob: append(bound, plaintext...)}, err
}

func (s *script) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	s.calls++
	if s.unwrap != nil {
		return s.unwrap(ctx, w, ec)
	}
	bound, err := ec.Canonical()
	if err != nil || len(w.Blob) < len(bound) || string(w.Blob[:len(bound)]) != string(bound) {
		return nil, kms.ErrCiphertext
	}
	return append([]byte(nil), w.Blob[len(bound):]...), nil
}

func (s *script) Close() error {
	s.closed++
	if s.close != nil {
		return s.close()
	}
	return nil
}

// able is a script with every optional ability.
type able struct {
	*script
	info    kms.Info
	err     error
	after   time.Duration
	version string
}

func (a *able) Describe(context.Context) (kms.Info, error) { return a.info, a.err }
func (a *able) Rotate(context.Context) error               { return a.err }
func (a *able) CurrentVersion() string                     { return a.version }
func (a *able) Destroy(_ context.Context, after time.Duration) (time.Time, error) {
	a.after = after
	return a.info.DestroyAt, a.err
}

// newKey returns a Key over d that makes one attempt.
func newKey(t *testing.T, d kms.Driver) *kms.Key {
	t.Helper()
	k, err := kms.NewKey(d, &kms.Options{Attempts: 1})
	require.NoError(t, err)
	t.Cleanup(func() { k.Close() })
	return k
}
