//go:build fipsindicator

package indicator

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

// during returns the indicator after f, which must stay on its goroutine.
func during(f func()) uint8 {
	set(unset)
	f()
	return get()
}

// TestIndicator guards the others: the indicator tells the two apart.
func TestIndicator(t *testing.T) {
	require.True(t, fips140.Enabled(), "run with GODEBUG=fips140=on")
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(t, err)
	require.EqualValues(t, notApproved, during(func() { block.Encrypt(make([]byte, 16), make([]byte, 16)) }))
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	require.EqualValues(t, approved, during(func() { gcm.Seal(nil, nil, nil, nil) }))
	require.EqualValues(t, unset, during(func() {}))
}

// TestApproved runs every path of the library that calls a primitive on its caller's goroutine. What drivers do is not among
// them: the providers that call primitives have a test like this of their own.
func TestApproved(t *testing.T) {
	ctx, ec := context.Background(), kms.Context{"table": "customers"}
	one := &aead.StreamOptions{SegmentSize: 4096, Workers: 1} // so that all is on this goroutine
	plaintext := make([]byte, 10_000)
	key := aead.NewKey()
	record := key.Seal(nil, plaintext, nil)
	var stream bytes.Buffer
	seal := func(w *aead.Writer, err error) {
		require.NoError(t, err)
		_, err = w.Write(plaintext)
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	seal(aead.NewWriter(&stream, key, nil, one))
	path := filepath.Join(t.TempDir(), "key")
	passphrase := &local.Options{Passphrase: func() ([]byte, error) { return []byte("correct horse battery staple"), nil }}
	file, err := local.Create(path, passphrase)
	require.NoError(t, err)
	defer file.Close()
	sealer, err := envelope.NewSealer(file.Key(), nil)
	require.NoError(t, err)
	message, err := sealer.Seal(ctx, plaintext, ec)
	require.NoError(t, err)
	var long bytes.Buffer
	seal(sealer.NewWriter(ctx, &long, ec, one))

	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"new key", func() error { aead.NewKey().ID(); return nil }},
		{"derive", func() error { key.Derive("purpose").ID(); return nil }},
		{"seal record", func() error { key.Seal(nil, plaintext, nil); return nil }},
		{"seal first record of a key", func() error { aead.NewKey().Seal(nil, plaintext, nil); return nil }},
		{"open record", func() error { _, err := key.Open(nil, record, nil); return err }},
		{"open record, new prefix", func() error {
			again, err := aead.ParseKey(key.Bytes())
			if err == nil {
				_, err = again.Open(nil, record, nil)
			}
			return err
		}},
		{"writer", func() error { seal(aead.NewWriter(io.Discard, key, nil, one)); return nil }},
		{"seal reader", func() error {
			r, err := aead.NewSealReader(bytes.NewReader(plaintext), key, nil, one)
			if err == nil {
				_, err = io.ReadAll(r)
			}
			return err
		}},
		{"reader", func() error {
			r, err := aead.NewReader(bytes.NewReader(stream.Bytes()), key, nil, one)
			if err == nil {
				_, err = io.ReadAll(r)
			}
			return err
		}},
		{"reader at", func() error {
			r, err := aead.NewReaderAt(bytes.NewReader(stream.Bytes()), int64(stream.Len()), key, nil, one)
			if err == nil {
				_, err = r.ReadAt(make([]byte, 10), 5000)
			}
			return err
		}},
		{"seal message", func() error { _, err := sealer.Seal(ctx, plaintext, ec); return err }},
		{"open message", func() error { _, err := sealer.Open(ctx, message, ec); return err }},
		{"message writer", func() error { seal(sealer.NewWriter(ctx, io.Discard, ec, one)); return nil }},
		{"message reader", func() error {
			r, err := sealer.NewReader(ctx, bytes.NewReader(long.Bytes()), ec, one)
			if err == nil {
				_, err = io.ReadAll(r)
			}
			return err
		}},
		{"rewrap header", func() error {
			n, err := envelope.HeaderSize(long.Bytes())
			if err == nil {
				_, err = sealer.RewrapHeader(ctx, long.Bytes()[:n], ec)
			}
			return err
		}},
		{"create key file", func() error {
			f, err := local.Create(filepath.Join(t.TempDir(), "other"), passphrase)
			if err == nil {
				err = f.Close()
			}
			return err
		}},
		{"open key file", func() error {
			f, err := local.Open(path, passphrase)
			if err == nil {
				err = f.Close()
			}
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			require.True(t, Approved(func() { err = c.run() }))
			require.NoError(t, err)
		})
	}
}
