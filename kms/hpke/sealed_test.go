package hpke

import (
	"bytes"
	"context"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestSeal(t *testing.T) {
	needHPKE(t)
	for _, k := range kems() {
		t.Run(k.String(), func(t *testing.T) {
			priv, err := GenerateKey(k)
			require.NoError(t, err)
			under := identity(t, seeded(t, MLKEM768X25519, 1))
			text, err := priv.Seal(t.Context(), under)
			require.NoError(t, err)
			block, _ := pem.Decode(text)
			require.False(t, bytes.Contains(block.Bytes, priv.secret().seed))
			opened, err := OpenPrivateKey(t.Context(), text, under)
			require.NoError(t, err)
			requirePair(t, opened, priv.Public())

			_, err = OpenPrivateKey(t.Context(), text, identity(t, seeded(t, MLKEM768X25519, 2)))
			require.ErrorIs(t, err, kms.ErrNotFound)
			_, err = OpenPrivateKey(t.Context(), text, recipient(t, seeded(t, MLKEM768X25519, 1).Public()))
			require.ErrorIs(t, err, kms.ErrInvalid)
			_, err = OpenPrivateKey(t.Context(), text, nil)
			require.ErrorIs(t, err, kms.ErrInvalid)
			_, err = priv.Seal(t.Context(), nil)
			require.ErrorIs(t, err, kms.ErrInvalid)
			_, err = ParsePrivateKey(text)
			require.ErrorIs(t, err, kms.ErrInvalid)
			_, err = OpenPrivateKey(t.Context(), priv.PEM(), under)
			require.ErrorIs(t, err, kms.ErrInvalid)

			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = priv.Seal(ctx, under)
			require.ErrorIs(t, err, context.Canceled)
			_, err = OpenPrivateKey(ctx, text, under)
			require.ErrorIs(t, err, context.Canceled)
		})
	}
}

// TestSealedUnderItself: a private key that only itself could open is lost.
func TestSealedUnderItself(t *testing.T) {
	needHPKE(t)
	priv, another := seeded(t, MLKEM768X25519, 1), identity(t, seeded(t, MLKEM768X25519, 2))
	own, ownRecipient := identity(t, priv), recipient(t, priv.Public())
	group := func(keys ...*kms.Key) *kms.Key {
		k, err := kms.AnyOf(keys, nil)
		require.NoError(t, err)
		return k
	}
	rolling := func(keys ...*kms.Key) *kms.Key {
		k, err := kms.Rolling(keys[0], keys[1:]...)
		require.NoError(t, err)
		return k
	}
	for _, c := range []struct {
		name  string
		under *kms.Key
		want  error
	}{
		{"identity", own, kms.ErrInvalid},
		{"recipient", ownRecipient, kms.ErrInvalid},
		{"group of itself", group(own), kms.ErrInvalid},
		{"moving to itself", rolling(own, another), kms.ErrInvalid},
		{"group with another", group(ownRecipient, another), nil},
		{"moving to another", rolling(another, own), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := priv.Seal(t.Context(), c.under)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.want != nil, text == nil)
			if c.want == nil {
				opened, err := OpenPrivateKey(t.Context(), text, group(another))
				require.NoError(t, err)
				requirePair(t, opened, priv.Public())
			}
		})
	}
}

// TestSealedKeyStaysWithItsPublicKey puts the sealed half of one pair into the file of another.
func TestSealedKeyStaysWithItsPublicKey(t *testing.T) {
	needHPKE(t)
	under := identity(t, seeded(t, MLKEM768X25519, 1))
	victim, other := seeded(t, MLKEM768X25519, 2), seeded(t, MLKEM768X25519, 3)
	sealed := func(p *PrivateKey) []byte {
		text, err := p.Seal(t.Context(), under)
		require.NoError(t, err)
		return body(text)[len(p.Public().body(0)):]
	}
	mixed := encodeFile(sealedType, append(victim.Public().body(0), sealed(other)...))
	_, err := OpenPrivateKey(t.Context(), mixed, under)
	require.ErrorIs(t, err, kms.ErrCiphertext)

	// Whoever may wrap under the key can seal another seed for the victim's public key.
	w, err := under.Wrap(open(t), other.secret().seed, sealContext(victim.Public()))
	require.NoError(t, err)
	forged, err := w.AppendBinary(victim.Public().body(0))
	require.NoError(t, err)
	_, err = OpenPrivateKey(t.Context(), encodeFile(sealedType, forged), under)
	require.ErrorIs(t, err, kms.ErrInvalid)
	w, err = under.Wrap(open(t), []byte("short"), sealContext(victim.Public()))
	require.NoError(t, err)
	forged, err = w.AppendBinary(victim.Public().body(0))
	require.NoError(t, err)
	_, err = OpenPrivateKey(t.Context(), encodeFile(sealedType, forged), under)
	require.ErrorIs(t, err, kms.ErrInvalid)

	good := append(victim.Public().body(0), sealed(victim)...)
	_, err = OpenPrivateKey(t.Context(), encodeFile(sealedType, good), under)
	require.NoError(t, err)
	for n := range good {
		if n > 2 && n < len(victim.Public().body(0))-1 {
			continue // every such cut is the same
		}
		_, err = OpenPrivateKey(t.Context(), encodeFile(sealedType, good[:n]), under)
		require.ErrorIs(t, err, kms.ErrInvalid, "%d bytes", n)
	}
	_, err = OpenPrivateKey(t.Context(), encodeFile(sealedType, append(good, 0)), under)
	require.ErrorIs(t, err, kms.ErrInvalid)
}
