package tlsconfig_test

import (
	"bytes"
	"context"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// sealedFiles writes a pair whose key is mangled, for tests to undo.
func sealedFiles(t *testing.T, ca *tlsconfigtest.CA, dir string) (cert, key string) {
	t.Helper()
	cert, key = tlsconfigtest.WritePair(t, dir, bubbleLeaf(ca, 90*identityDay))
	private, err := os.ReadFile(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(key, mangled(private), 0o600))
	return cert, key
}

// mangled returns b with every bit turned, which stands for a cipher.
func mangled(b []byte) []byte {
	b = bytes.Clone(b)
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

func TestSealedFiles(t *testing.T) {
	ca := bubbleCA(t)
	var returned []byte
	unseal := func(_ context.Context, sealed []byte) ([]byte, error) {
		returned = mangled(sealed)
		return returned, nil
	}
	for _, test := range []struct {
		name   string
		open   func(context.Context, []byte) ([]byte, error)
		reason tlsconfig.Reason
		cause  error
	}{
		{"fails", func(context.Context, []byte) ([]byte, error) { return nil, errIdentityForbidden }, tlsconfig.ReasonOther, errIdentityForbidden},
		{"waits until the end of its context", func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, tlsconfig.ReasonTimeout, context.DeadlineExceeded},
		{"returns garbage", func(context.Context, []byte) ([]byte, error) { return []byte("garbage"), nil }, tlsconfig.ReasonOther, tlsconfig.ErrCertificate},
		{"returns too much", func(_ context.Context, sealed []byte) ([]byte, error) {
			return append(mangled(sealed), bytes.Repeat([]byte("\n"), 1<<20)...), nil
		}, tlsconfig.ReasonOther, tlsconfig.ErrCertificate},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			cert, key := sealedFiles(t, ca, dir)
			bubble.Test(t, func(t *testing.T) {
				var bad atomic.Bool
				events := new(identityEvents)
				id := tlsconfig.SealedFiles(cert, key, func(ctx context.Context, sealed []byte) ([]byte, error) {
					if bad.Load() {
						return test.open(ctx, sealed)
					}
					return unseal(ctx, sealed)
				})
				h, err := tlsconfig.HoldIdentity(t.Context(), id, forbidWeak, events.tell)
				require.NoError(t, err)
				require.Equal(t, make([]byte, len(returned)), returned, "the key is still in memory")
				before := identityFor(t, h, "")

				bad.Store(true)
				sealedFiles(t, ca, dir)
				filesPolled()
				time.Sleep(31 * time.Second) // as long as it may take
				synctest.Wait()
				require.Same(t, before, identityFor(t, h, ""))
				told := events.take()
				require.Len(t, told, 1)
				require.ErrorIs(t, told[0].Err, tlsconfig.ErrCertificate)
				require.ErrorIs(t, told[0].Err, test.cause)
				require.Equal(t, test.reason, told[0].Reason)

				bad.Store(false) // and no file changes
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				require.NotSame(t, before, identityFor(t, h, ""))
				require.Len(t, events.take(), 1)
			})
		})
	}
}

func TestSealedFilesRefusedAtStart(t *testing.T) {
	cert, key := sealedFiles(t, bubbleCA(t), t.TempDir())
	_, err := tlsconfig.SealedFiles(cert, key, nil).Certificate(t.Context())
	require.ErrorIs(t, err, tlsconfig.ErrCertificate)
	ctx, cancel := context.WithCancel(t.Context())
	opens := make(chan struct{})
	go func() {
		<-opens
		cancel()
	}()
	_, err = tlsconfig.HoldIdentity(ctx, tlsconfig.SealedFiles(cert, key, func(ctx context.Context, _ []byte) ([]byte, error) {
		close(opens)
		<-ctx.Done()
		return nil, ctx.Err()
	}), forbidWeak, new(identityEvents).tell)
	require.ErrorIs(t, err, context.Canceled)
}
