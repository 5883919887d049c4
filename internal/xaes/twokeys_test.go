package xaes

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/derive"
)

// TestOneRecordTwoKeys makes a record that opens under two keys, which anyone can who holds both: GCM does not commit to
// its key. What tells the keys apart is their commitment, and so every load of a key recomputes it.
func TestOneRecordTwoKeys(t *testing.T) {
	keys := [2][KeySize]byte{[KeySize]byte(bytes.Repeat([]byte{1}, KeySize)), [KeySize]byte(bytes.Repeat([]byte{2}, KeySize))}
	nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
	first := element([]byte("any 16 bytes, so"))
	var h, mask [2]field // GHASH key and tag mask under each
	for i, key := range keys {
		block := subkeyBlock(t, New(key[:]), [PrefixSize]byte(nonce))
		h[i] = encrypted(block, make([]byte, aes.BlockSize))
		mask[i] = encrypted(block, append(bytes.Clone(nonce[PrefixSize:]), 0, 0, 0, 1))
	}
	// The tag is c1·h³ + c2·h² + lengths·h + mask. Both are equal for one second block c2.
	lengths := element(binary.BigEndian.AppendUint64(make([]byte, 8), 2*8*aes.BlockSize))
	square := [2]field{h[0].times(h[0]), h[1].times(h[1])}
	sum := first.times(square[0].times(h[0]).plus(square[1].times(h[1]))).plus(lengths.times(h[0].plus(h[1]))).plus(mask[0]).plus(mask[1])
	second := sum.times(square[0].plus(square[1]).inverse())
	tag := first.times(square[0].times(h[0])).plus(second.times(square[0])).plus(lengths.times(h[0])).plus(mask[0])
	record := append(first.bytes(), append(second.bytes(), tag.bytes()...)...)

	var opened [2][]byte
	for i, key := range keys {
		got, err := open(New(key[:]), nonce, record, nil)
		require.NoError(t, err)
		opened[i] = got
	}
	require.NotEqual(t, opened[0], opened[1])
	require.NotEqual(t, derive.Commitment(&keys[0]), derive.Commitment(&keys[1]))
	// Also in the vectors of package aead.
	require.Equal(t, twoKeyRecord, hex.EncodeToString(record))
}

const twoKeyRecord = "616e792031362062797465732c20736f9c21d0ccf0b50cca2a97608e1a89f64ddc7fa3937d14fc82ca948b1040e5f5b4"

// subkeyBlock is AES under the subkey of prefix, from the definition.
func subkeyBlock(t *testing.T, k *Key, prefix [PrefixSize]byte) cipher.Block {
	t.Helper()
	var kx []byte
	for i := range 2 {
		b := append([]byte{0, byte(i + 1), 'X', 0}, prefix[:]...)
		for j := range b {
			b[j] ^= k.k1[j]
		}
		k.block.Encrypt(b, b)
		kx = append(kx, b...)
	}
	block, err := aes.NewCipher(kx)
	require.NoError(t, err)
	return block
}

func encrypted(block cipher.Block, b []byte) field {
	block.Encrypt(b, b)
	return element(b)
}

// field is an element of GHASH's field, the first bit of the block in the top bit of high.
type field struct{ high, low uint64 }

func element(b []byte) field {
	return field{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (x field) bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, x.high), x.low)
}

func (x field) plus(y field) field { return field{x.high ^ y.high, x.low ^ y.low} }

// times multiplies as SP 800-38D, algorithm 1.
func (x field) times(y field) (z field) {
	for i := range 128 {
		word, bit := x.high, 63-i
		if i >= 64 {
			word, bit = x.low, 127-i
		}
		if word>>bit&1 == 1 {
			z = z.plus(y)
		}
		odd := y.low & 1
		y = field{y.high >> 1, y.low>>1 | y.high<<63}
		if odd == 1 {
			y.high ^= 0xE1 << 56
		}
	}
	return z
}

// inverse is x to the power of 2^128 - 2.
func (x field) inverse() field {
	product, power := field{high: 1 << 63}, x // the top bit is one
	for range 127 {
		power = power.times(power)
		product = product.times(power)
	}
	return product
}
