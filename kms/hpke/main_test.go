package hpke

import (
	"context"
	"crypto/fips140"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kems are all that are supported.
func kems() []KEM { return []KEM{MLKEM768X25519, MLKEM1024P384} }

// lacking tells whether the FIPS module in force is known to have no HPKE.
func lacking() bool { return fips140.Enforced() && fips140.Version() == "v1.0.0" }

// needHPKE skips a test that needs HPKE where TestRefused is the one that counts.
func needHPKE(t testing.TB) {
	t.Helper()
	if lacking() {
		t.Skipf("FIPS module %s has no HPKE", fips140.Version())
	}
}

// seeded returns the private key of n, which is a key pair's whole secret.
func seeded(t testing.TB, k KEM, n byte) *PrivateKey {
	t.Helper()
	seed := make([]byte, seedSize)
	for i := range seed {
		seed[i] = n + byte(i)
	}
	return ofSeed(t, k, seed)
}

func ofSeed(t testing.TB, k KEM, seed []byte) *PrivateKey {
	t.Helper()
	s, err := k.suite()
	require.NoError(t, err)
	key, err := s.kem.NewPrivateKey(seed)
	require.NoError(t, err)
	pub, err := newPublicKey(s, key.PublicKey())
	require.NoError(t, err)
	priv, err := newPrivateKey(key, pub)
	require.NoError(t, err)
	return priv
}

func identity(t testing.TB, priv *PrivateKey) *kms.Key {
	t.Helper()
	k, err := NewIdentity(priv, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Close()) })
	return k
}

func recipient(t testing.TB, pub *PublicKey) *kms.Key {
	t.Helper()
	k, err := NewRecipient(pub, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Close()) })
	return k
}

// open allows the reserved context keys.
func open(t testing.TB) context.Context { return reserved.Allow(t.Context()) }

func pairs() kms.Context { return kms.Context{"holdfast:purpose": "message", "tenant": "acme"} }

// requirePair requires that what pub wraps is what priv unwraps.
func requirePair(t testing.TB, priv *PrivateKey, pub *PublicKey) {
	t.Helper()
	require.Equal(t, priv.Public().ID(), pub.ID())
	w, err := recipient(t, pub).Wrap(open(t), []byte("secret"), pairs())
	require.NoError(t, err)
	got, err := identity(t, priv).Unwrap(open(t), w, pairs())
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))
}
