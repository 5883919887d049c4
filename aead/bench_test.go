package aead

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"testing"
)

func BenchmarkRecord(b *testing.B) {
	ad := make([]byte, 32)
	for _, size := range []int{100, 1 << 10, 16 << 10} {
		k := NewKey()
		block, _ := aes.NewCipher(k.Bytes())
		raw, _ := cipher.NewGCMWithRandomNonce(block)
		plaintext, dst := make([]byte, size), make([]byte, 0, size+Overhead)
		sealed, rawSealed := k.Seal(nil, plaintext, ad), raw.Seal(nil, nil, plaintext, ad)
		for _, c := range []struct {
			op  string
			run func()
		}{
			{"seal", func() { k.Seal(dst, plaintext, ad) }},
			{"raw-seal", func() { raw.Seal(dst, nil, plaintext, ad) }},
			{"open", func() { _, _ = k.Open(dst, sealed, ad) }},
			{"raw-open", func() { _, _ = raw.Open(dst, nil, rawSealed, ad) }},
		} {
			b.Run(fmt.Sprintf("op=%s/size=%d", c.op, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					c.run()
				}
			})
		}
	}
}
