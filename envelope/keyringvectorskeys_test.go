package envelope_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func vectorHMAC(key, message []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	return mac.Sum(nil)
}

// twoKeyRecord returns nonce, ciphertext and tag that open under two XAES keys with the same additional data, which anyone can make who
// holds both: GCM does not commit to its key.
func twoKeyRecord(t testing.TB, keys [2][]byte, additionalData []byte) []byte {
	t.Helper()
	nonce, first := []byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("any 16 bytes, so")
	var h, sum [2]vectorField
	for i, key := range keys {
		block := vectorXAES(t, key, nonce)
		h[i] = vectorFieldOf(vectorAES(block, make([]byte, aes.BlockSize)))
		// The tag, but for the second block of the ciphertext, which is zero here.
		lengths := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(8*len(additionalData))), 8*2*aes.BlockSize)
		padded := append(bytes.Clone(additionalData), make([]byte, -len(additionalData)&(aes.BlockSize-1))...)
		for b := range slices.Chunk(slices.Concat(padded, first, make([]byte, aes.BlockSize), lengths), aes.BlockSize) {
			sum[i] = sum[i].plus(vectorFieldOf(b)).times(h[i])
		}
		sum[i] = sum[i].plus(vectorFieldOf(vectorAES(block, slices.Concat(nonce[12:], []byte{0, 0, 0, 1}))))
	}
	// That block adds itself times h² to each tag, and there is one that makes both equal.
	square := [2]vectorField{h[0].times(h[0]), h[1].times(h[1])}
	second := sum[0].plus(sum[1]).times(square[0].plus(square[1]).inverse())
	tag := sum[0].plus(second.times(square[0]))
	return slices.Concat(nonce, first, second.bytes(), tag.bytes())
}

// vectorXAES is AES under the key that XAES-256-GCM has for a nonce, from the definition.
func vectorXAES(t testing.TB, key, nonce []byte) cipher.Block {
	t.Helper()
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	k1 := vectorAES(block, make([]byte, aes.BlockSize))
	top := k1[0] >> 7
	for i := range k1 {
		k1[i] <<= 1
		if i < len(k1)-1 {
			k1[i] |= k1[i+1] >> 7
		}
	}
	k1[len(k1)-1] ^= 0x87 * top
	var kx []byte
	for counter := range 2 {
		m := append([]byte{0, byte(counter + 1), 'X', 0}, nonce[:12]...)
		for i := range m {
			m[i] ^= k1[i]
		}
		kx = append(kx, vectorAES(block, m)...)
	}
	block, err = aes.NewCipher(kx)
	require.NoError(t, err)
	return block
}

func vectorAES(block cipher.Block, in []byte) []byte {
	out := make([]byte, aes.BlockSize)
	block.Encrypt(out, in)
	return out
}

// vectorField is an element of the field of GHASH (SP 800-38D), the first bit of the block in the top bit of high.
type vectorField struct{ high, low uint64 }

func vectorFieldOf(b []byte) vectorField {
	return vectorField{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (x vectorField) bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, x.high), x.low)
}

func (x vectorField) plus(y vectorField) vectorField {
	return vectorField{x.high ^ y.high, x.low ^ y.low}
}

func (x vectorField) times(y vectorField) (z vectorField) {
	for range 128 {
		if x.high>>63 == 1 {
			z = z.plus(y)
		}
		x = vectorField{x.high<<1 | x.low>>63, x.low << 1}
		odd := y.low & 1
		y = vectorField{y.high >> 1, y.low>>1 | y.high<<63}
		y.high ^= odd * 0xE1 << 56
	}
	return z
}

// inverse is x to the power of 2^128 - 2.
func (x vectorField) inverse() vectorField {
	product, power := vectorField{high: 1 << 63}, x // the top bit is one
	for range 127 {
		power = power.times(power)
		product = product.times(power)
	}
	return product
}
