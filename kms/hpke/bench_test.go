package hpke

import (
	"crypto/hpke"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// BenchmarkKey pairs wrapping and unwrapping a data key with what crypto/hpke alone takes for it.
func BenchmarkKey(b *testing.B) {
	needHPKE(b)
	plaintext, ec := make([]byte, 32), kms.Context{"tenant": "acme"}
	ad, err := ec.Canonical()
	require.NoError(b, err)
	for _, k := range kems() {
		priv := seeded(b, k, 1)
		s, pub, key := priv.Public().suite, priv.Public().key, priv.secret().key
		id := identity(b, priv)
		w, err := id.Wrap(b.Context(), plaintext, ec)
		require.NoError(b, err)
		for _, c := range []struct {
			op  string
			run func() error
		}{
			{"wrap", func() error { _, err := id.Wrap(b.Context(), plaintext, ec); return err }},
			{"raw-wrap", func() error {
				_, sender, err := s.sender(pub)
				if err == nil {
					_, err = sender.Seal(ad, plaintext)
				}
				return err
			}},
			{"unwrap", func() error { _, err := id.Unwrap(b.Context(), w, ec); return err }},
			{"raw-unwrap", func() error {
				r, err := hpke.NewRecipient(w.Blob[headerSize:headerSize+s.encSize], key, s.kdf, hpke.AES256GCM(), []byte(info))
				if err == nil {
					_, err = r.Open(ad, w.Blob[headerSize+s.encSize:])
				}
				return err
			}},
		} {
			b.Run("op="+c.op+"/kem="+k.String(), func(b *testing.B) {
				b.SetBytes(int64(len(plaintext)))
				b.ReportAllocs()
				for b.Loop() {
					if err := c.run(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
