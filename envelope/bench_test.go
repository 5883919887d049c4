package envelope

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// BenchmarkMessage seals and opens messages under a key in this process, where a KMS would be called, beside
// AES-256-GCM of the same bytes.
func BenchmarkMessage(b *testing.B) {
	ctx, ec := context.Background(), kms.Context{"tenant": "acme", "object": "invoices/7.pdf"}
	s := newSealer(b, newFake("k"), nil)
	reusing := newSealer(b, newFake("k"), &SealerOptions{Reuse: &Limits{Messages: 1 << 20, Bytes: 1 << 40, Age: time.Hour}})
	block, err := aes.NewCipher(aead.NewKey().Bytes())
	require.NoError(b, err)
	raw, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(b, err)
	ad, err := ec.Canonical()
	require.NoError(b, err)
	for _, size := range []int{100, 1 << 10, 1 << 20} {
		plaintext, dst := make([]byte, size), make([]byte, 0, size+raw.Overhead())
		message, rawSealed := seal(b, s, plaintext, ec), raw.Seal(nil, nil, plaintext, ad)
		for _, c := range []struct {
			op  string
			run func() error
		}{
			{"seal", func() error { _, err := s.Seal(ctx, plaintext, ec); return err }},
			{"reuse-seal", func() error { _, err := reusing.Seal(ctx, plaintext, ec); return err }},
			{"raw-seal", func() error { raw.Seal(dst, nil, plaintext, ad); return nil }},
			{"open", func() error { _, err := s.Open(ctx, message, ec); return err }},
			{"raw-open", func() error { _, err := raw.Open(dst, nil, rawSealed, ad); return err }},
		} {
			b.Run(fmt.Sprintf("op=%s/size=%d", c.op, size), func(b *testing.B) {
				b.SetBytes(int64(size))
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
