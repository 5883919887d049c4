package hpke

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestRecipientCanNotOpen(t *testing.T) {
	needHPKE(t)
	for _, k := range kems() {
		t.Run(k.String(), func(t *testing.T) {
			priv, err := GenerateKey(k)
			require.NoError(t, err)
			require.Equal(t, k, priv.Public().KEM())
			r, id := recipient(t, priv.Public()), identity(t, priv)
			require.Equal(t, id.Ref(), r.Ref())
			w, err := r.Wrap(t.Context(), []byte("secret"), kms.Context{"tenant": "acme"})
			require.NoError(t, err)

			got, err := r.Unwrap(t.Context(), w, kms.Context{"tenant": "acme"})
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Nil(t, got)
			require.ErrorIs(t, r.Check(t.Context()), kms.ErrInvalid)
			foreign := w
			foreign.KeyID = "another"
			_, err = r.Unwrap(t.Context(), foreign, kms.Context{"tenant": "acme"})
			require.ErrorIs(t, err, kms.ErrNotFound)

			got, err = id.Unwrap(t.Context(), w, kms.Context{"tenant": "acme"})
			require.NoError(t, err)
			require.Equal(t, "secret", string(got))
			require.NoError(t, id.Check(t.Context()))
		})
	}
}

// TestRecoveryKey has the recipient of an offline key beside one in use: it is never asked to open.
func TestRecoveryKey(t *testing.T) {
	needHPKE(t)
	inUse, err := GenerateKey(0)
	require.NoError(t, err)
	offline, err := GenerateKey(0)
	require.NoError(t, err)
	reported := 0
	o := &kms.AnyOptions{Report: func(context.Context, string, []*kms.Error) { reported++ }}
	k, err := kms.AnyOf([]*kms.Key{recipient(t, offline.Public()), identity(t, inUse)}, o)
	require.NoError(t, err)
	require.NoError(t, k.Check(t.Context()))
	w, err := k.Wrap(t.Context(), []byte("secret"), nil)
	require.NoError(t, err)
	for _, k := range []*kms.Key{k, identity(t, inUse), identity(t, offline)} {
		got, err := k.Unwrap(t.Context(), w, nil)
		require.NoError(t, err)
		require.Equal(t, "secret", string(got))
	}
	_, err = recipient(t, offline.Public()).Unwrap(t.Context(), w, nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = identity(t, seeded(t, MLKEM768X25519, 1)).Unwrap(t.Context(), w, nil)
	require.ErrorIs(t, err, kms.ErrNotFound)
	require.Zero(t, reported)
}

// TestBlobLayout reads and writes the bytes of the format with crypto/hpke alone.
func TestBlobLayout(t *testing.T) {
	needHPKE(t)
	aad := []byte("\x00\x02\x00\x10holdfast:purpose\x00\x07message\x00\x06tenant\x00\x04acme")
	for _, c := range []struct {
		kem     KEM
		std     hpke.KEM
		kdf     hpke.KDF
		header  string
		enc     int
		wrapped int
	}{
		{MLKEM768X25519, hpke.MLKEM768X25519(), hpke.HKDFSHA256(), "\x64\x7a\x00\x01\x00\x02", 1120, 1248},
		{MLKEM1024P384, hpke.MLKEM1024P384(), hpke.HKDFSHA384(), "\x00\x51\x00\x02\x00\x02", 1665, 1793},
	} {
		t.Run(c.kem.String(), func(t *testing.T) {
			seed := bytes.Repeat([]byte{7}, 32)
			std, err := c.std.NewPrivateKey(seed)
			require.NoError(t, err)
			id := identity(t, ofSeed(t, c.kem, seed))
			sum := sha256.Sum256(std.PublicKey().Bytes())
			require.Equal(t, kms.Ref{Provider: "hpke", KeyID: hex.EncodeToString(sum[:])}, id.Ref())

			plaintext := bytes.Repeat([]byte{9}, 32)
			w, err := id.Wrap(open(t), plaintext, pairs())
			require.NoError(t, err)
			require.Empty(t, w.Version)
			stored, err := w.AppendBinary(nil)
			require.NoError(t, err)
			require.Len(t, stored, c.wrapped)
			require.Equal(t, c.header, string(w.Blob[:6]))
			r, err := hpke.NewRecipient(w.Blob[6:6+c.enc], std, c.kdf, hpke.AES256GCM(), []byte("holdfast/v1 hpke"))
			require.NoError(t, err)
			got, err := r.Open(aad, w.Blob[6+c.enc:])
			require.NoError(t, err)
			require.Equal(t, plaintext, got)

			enc, s, err := hpke.NewSender(std.PublicKey(), c.kdf, hpke.AES256GCM(), []byte("holdfast/v1 hpke"))
			require.NoError(t, err)
			sealed, err := s.Seal(aad, plaintext)
			require.NoError(t, err)
			w.Blob = bytes.Join([][]byte{[]byte(c.header), enc, sealed}, nil)
			got, err = id.Unwrap(open(t), w, pairs())
			require.NoError(t, err)
			require.Equal(t, plaintext, got)
		})
	}
}

// TestPlaintextSizesInBlobs has blobs of other sizes than Wrap makes, which anyone can who has the public key.
func TestPlaintextSizesInBlobs(t *testing.T) {
	needHPKE(t)
	d := newDriver(t, MLKEM768X25519)
	for _, c := range []struct {
		size int
		want error
	}{{0, kms.ErrCiphertext}, {1, nil}, {64, nil}, {65, kms.ErrCiphertext}, {5000, kms.ErrCiphertext}} {
		enc, s, err := d.pub.suite.sender(d.pub.key)
		require.NoError(t, err)
		sealed, err := s.Seal([]byte{0, 0}, make([]byte, c.size))
		require.NoError(t, err)
		got, err := d.Unwrap(t.Context(), kms.Wrapped{Ref: d.Ref(), Blob: bytes.Join([][]byte{d.pub.suite.header(), enc, sealed}, nil)}, nil)
		require.ErrorIs(t, err, c.want, "%d bytes", c.size)
		require.Equal(t, c.want == nil, len(got) == c.size && got != nil)
	}
}

func TestConstructorsRefuse(t *testing.T) {
	needHPKE(t)
	priv := seeded(t, MLKEM768X25519, 1)
	id := identity(t, priv)
	for name, make := range map[string]func() (*kms.Key, error){
		"no public key":      func() (*kms.Key, error) { return NewRecipient(nil, nil) },
		"zero public key":    func() (*kms.Key, error) { return NewRecipient(&PublicKey{}, nil) },
		"no private key":     func() (*kms.Key, error) { return NewIdentity(nil, nil) },
		"zero private key":   func() (*kms.Key, error) { return NewIdentity(&PrivateKey{}, nil) },
		"recipient timeout":  func() (*kms.Key, error) { return NewRecipient(priv.Public(), &Options{Key: &kms.Options{Timeout: -1}}) },
		"identity timeout":   func() (*kms.Key, error) { return NewIdentity(priv, &Options{Key: &kms.Options{Timeout: -1}}) },
		"recipient unsealed": func() (*kms.Key, error) { return NewRecipient(priv.Public(), &Options{SealedUnder: id}) },
		"identity unsealed":  func() (*kms.Key, error) { return NewIdentity(priv, &Options{SealedUnder: id}) },
	} {
		t.Run(name, func(t *testing.T) {
			k, err := make()
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Nil(t, k)
		})
	}
	k, err := NewIdentity(priv, &Options{Key: &kms.Options{Timeout: time.Second}})
	require.NoError(t, err)
	require.NoError(t, k.Close())
	_, err = GenerateKey(0x0020) // DHKEM(X25519), which a quantum computer breaks
	require.ErrorIs(t, err, kms.ErrInvalid)
	def, err := GenerateKey(0)
	require.NoError(t, err)
	require.Equal(t, MLKEM768X25519, def.Public().KEM())
	require.PanicsWithValue(t, "kms/hpke: zero PrivateKey: use GenerateKey, ParsePrivateKey or OpenPrivateKey", func() { new(PrivateKey).PEM() })
	require.PanicsWithValue(t, "kms/hpke: zero PublicKey: use ParsePublicKey or PrivateKey.Public", func() { new(PublicKey).PEM() })
}

func TestCloseDropsThePrivateKey(t *testing.T) {
	needHPKE(t)
	d := newDriver(t, MLKEM768X25519)
	priv := d.priv
	require.NoError(t, d.Close())
	require.Nil(t, d.priv)
	requirePair(t, priv, d.pub) // which is still its owner's
}

func TestCancelledFirst(t *testing.T) {
	needHPKE(t)
	d := newDriver(t, MLKEM768X25519)
	require.NoError(t, d.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Wrap(ctx, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = d.Unwrap(ctx, kms.Wrapped{}, nil)
	require.ErrorIs(t, err, context.Canceled)
}

// TestRefused holds in enforced mode over a module without HPKE; otherwise it holds that nothing is refused.
func TestRefused(t *testing.T) {
	var free *PrivateKey // made where nothing is enforced
	fips140.WithoutEnforcement(func() { free = seeded(t, MLKEM768X25519, 1) })
	public, private := free.Public().PEM(), free.PEM()
	for name, try := range map[string]func() error{
		"generate":      func() error { _, err := GenerateKey(MLKEM768X25519); return err },
		"generate P384": func() error { _, err := GenerateKey(MLKEM1024P384); return err },
		"parse public":  func() error { _, err := ParsePublicKey(public); return err },
		"parse private": func() error { _, err := ParsePrivateKey(private); return err },
		"recipient":     func() error { _, err := NewRecipient(free.Public(), nil); return err },
		"identity":      func() error { _, err := NewIdentity(free, nil); return err },
		"wrap": func() error {
			_, err := (&driver{pub: free.Public()}).Wrap(t.Context(), []byte("x"), nil)
			return err
		},
		"unwrap": func() error {
			d := &driver{pub: free.Public(), priv: free}
			var w kms.Wrapped
			var err error
			fips140.WithoutEnforcement(func() { w, err = d.Wrap(t.Context(), []byte("x"), nil) })
			require.NoError(t, err)
			_, err = d.Unwrap(t.Context(), w, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := try()
			if !lacking() {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, kms.ErrUnsupported)
			if name != "wrap" {
				require.ErrorContains(t, err, "GOFIPS140") // the fix is in the text
			}
		})
	}
}
