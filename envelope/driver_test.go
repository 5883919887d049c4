package envelope

import (
	"bytes"
	"cmp"
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// fake is a kms.Driver in memory: it wraps under a key of its own and counts what it is asked. It is
// safe for concurrent use; its fields are set before.
type fake struct {
	ref    kms.Ref
	key    *aead.Key
	before func(ctx context.Context, op string) error // ahead of each call, which it may fail
	answer func(plaintext []byte) []byte              // changes what Unwrap returns
	pad    int                                        // bytes added to each blob
	refuse error                                      // what a blob that does not open is; nil: kms.ErrCiphertext

	wraps, unwraps atomic.Int64
}

func newFake(id string) *fake {
	return &fake{ref: kms.Ref{Provider: "fake", KeyID: id}, key: aead.NewKey()}
}

func (f *fake) Ref() kms.Ref { return f.ref }

func (f *fake) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	f.wraps.Add(1)
	ad, err := f.enter(ctx, "wrap", ec)
	if err != nil {
		return kms.Wrapped{}, err
	}
	blob := f.key.Seal(nil, plaintext, ad)
	return kms.Wrapped{Ref: f.ref, Blob: append(blob, make([]byte, f.pad)...)}, nil
}

func (f *fake) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	f.unwraps.Add(1)
	ad, err := f.enter(ctx, "unwrap", ec)
	if err != nil {
		return nil, err
	}
	plaintext, err := f.key.Open(nil, w.Blob[:max(0, len(w.Blob)-f.pad)], ad)
	if err != nil {
		return nil, cmp.Or(f.refuse, kms.ErrCiphertext)
	}
	if f.answer != nil {
		plaintext = f.answer(plaintext)
	}
	return plaintext, nil
}

func (f *fake) enter(ctx context.Context, op string, ec kms.Context) ([]byte, error) {
	if f.before != nil {
		if err := f.before(ctx, op); err != nil {
			return nil, err
		}
	}
	return ec.Canonical()
}

func (f *fake) Close() error { return nil }

// calls returns how often the driver was called.
func (f *fake) calls() int { return int(f.wraps.Load() + f.unwraps.Load()) }

// newSealer returns a Sealer over a driver, each call of which is one attempt.
func newSealer(t testing.TB, d kms.Driver, o *SealerOptions) *Sealer {
	t.Helper()
	k, err := kms.NewKey(d, &kms.Options{Attempts: 1, BreakAfter: 1000})
	require.NoError(t, err)
	s, err := NewSealer(k, o)
	require.NoError(t, err)
	return s
}

// seal returns a message.
func seal(t testing.TB, s *Sealer, plaintext []byte, ec kms.Context) []byte {
	t.Helper()
	message, err := s.Seal(context.Background(), plaintext, ec)
	require.NoError(t, err)
	return message
}

// sealStream returns a message that NewWriter made.
func sealStream(t testing.TB, s *Sealer, plaintext []byte, ec kms.Context, o *aead.StreamOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := s.NewWriter(context.Background(), &b, ec, o)
	require.NoError(t, err)
	_, err = w.Write(plaintext)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// requireOpens holds a message to its plaintext.
func requireOpens(t testing.TB, s *Sealer, message, plaintext []byte, ec kms.Context) {
	t.Helper()
	got, err := s.Open(context.Background(), message, ec)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plaintext, got), "another plaintext")
}

// pattern is n bytes that don't repeat soon.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*7 ^ byte(i>>16)*29
	}
	return b
}
