package main

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/xaes"
)

const adSize = 32 // bytes of additional data

// records are the figures of Key.Seal and Key.Open.
func records() []func() result {
	var list []func() result
	for _, size := range []int{1 << 10, 100} {
		key := aead.NewKey()
		raw := rawGCM(key.Bytes())
		ad, plaintext := make([]byte, adSize), make([]byte, size)
		dst := make([]byte, 0, size+aead.Overhead)
		sealed, rawSealed := key.Seal(nil, plaintext, ad), raw.Seal(nil, nil, plaintext, ad)
		list = append(list,
			func() result {
				return pair(fmt.Sprintf("seal, %d B", size),
					func() { key.Seal(dst, plaintext, ad) },
					func() { raw.Seal(dst, nil, plaintext, ad) })
			},
			func() result {
				return pair(fmt.Sprintf("open, %d B", size),
					func() { open(key, dst, sealed, ad) },
					func() { rawOpen(raw, dst, rawSealed, ad) })
			},
			func() result {
				return both(fmt.Sprintf("seal, %d B, two cores", size), func() func() {
					dst := make([]byte, 0, size+aead.Overhead)
					return func() { key.Seal(dst, plaintext, ad) }
				}, func() func() {
					raw, dst := rawGCM(key.Bytes()), make([]byte, 0, size+aead.Overhead)
					return func() { raw.Seal(dst, nil, plaintext, ad) }
				})
			},
			func() result {
				return both(fmt.Sprintf("open, %d B, two cores", size), func() func() {
					dst := make([]byte, 0, size)
					return func() { open(key, dst, sealed, ad) }
				}, func() func() {
					raw, dst := rawGCM(key.Bytes()), make([]byte, 0, size)
					return func() { rawOpen(raw, dst, rawSealed, ad) }
				})
			},
			func() result { return uncached(size) })
	}
	return list
}

// uncached opens records that each have a prefix of their own.
func uncached(size int) result {
	const records = 64 // in turn: no place of the Key's cache sees one twice in a row, and all stay in the processor's
	key := aead.NewKey()
	keyBytes, ad, dst := key.Bytes(), make([]byte, adSize), make([]byte, 0, size+aead.Overhead)
	master, raw := xaes.New(keyBytes), rawGCM(keyBytes)
	var sealed, rawSealed [records][]byte
	for i := range sealed {
		prefix := [xaes.PrefixSize]byte{byte(i)}
		sealed[i] = master.Subkey(prefix, new([xaes.KeySize]byte)).Seal(prefix[:], nil, make([]byte, size), ad)
		rawSealed[i] = raw.Seal(nil, nil, make([]byte, size), ad)
	}
	i, j := 0, 0
	return pair(fmt.Sprintf("open, %d B, prefix not cached", size),
		func() { open(key, dst, sealed[i%records], ad); i++ },
		func() { rawOpen(rawGCM(keyBytes), dst, rawSealed[j%records], ad); j++ })
}

func open(k *aead.Key, dst, sealed, ad []byte) {
	if _, err := k.Open(dst, sealed, ad); err != nil {
		panic(err)
	}
}

func rawOpen(c cipher.AEAD, dst, sealed, ad []byte) {
	if _, err := c.Open(dst, nil, sealed, ad); err != nil {
		panic(err)
	}
}

// rawGCM is the primitive everything is measured against.
func rawGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	c, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return c
}
