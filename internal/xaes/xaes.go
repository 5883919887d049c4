// Package xaes is XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM with a
// 24-byte nonce, whose first half picks a subkey and whose second half is the
// nonce under it. It only composes the standard library's AES and GCM.
package xaes

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"encoding/binary"
)

const (
	KeySize    = 32
	PrefixSize = 12 // the half of the nonce that picks the subkey
	Overhead   = 40 // 24-byte nonce and 16-byte tag
)

// Key is an expanded XAES-256-GCM key. It is safe for concurrent use.
type Key struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // the CMAC subkey K1
	fips  bool
}

// New expands key, which must be 32 bytes.
func New(key []byte) *Key {
	if len(key) != KeySize {
		panic("xaes: key must be 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("xaes: internal error: " + err.Error()) // 32 bytes is a valid AES key size
	}
	k := &Key{block: block, fips: fips140.Enabled()}
	k.encrypt(k.k1[:])
	msb := k.k1[0] >> 7
	for i := range k.k1[:aes.BlockSize-1] {
		k.k1[i] = k.k1[i]<<1 | k.k1[i+1]>>7
	}
	k.k1[aes.BlockSize-1] = k.k1[aes.BlockSize-1]<<1 ^ msb*0x87
	return k
}

// Subkey returns AES-256-GCM under the subkey of prefix, the first 12 bytes of
// a 24-byte nonce. Its Seal appends the other 12 bytes, drawn at random inside
// the standard library's module, then ciphertext and tag; its Open takes the
// same. scratch is overwritten and cleared; with it, expanding the schedule is all that allocates:
// twice, 1.3 KiB.
func (k *Key) Subkey(prefix [PrefixSize]byte, scratch *[KeySize]byte) cipher.AEAD {
	// Each block is u16 counter || 'X' || 00 || prefix, xored with K1: SP 800-108 with CMAC.
	high := binary.BigEndian.Uint64(k.k1[:]) ^ 'X'<<40 ^ uint64(binary.BigEndian.Uint32(prefix[:]))
	low := binary.BigEndian.Uint64(k.k1[8:]) ^ binary.BigEndian.Uint64(prefix[4:])
	for i := range uint64(2) {
		b := scratch[i*aes.BlockSize:][:aes.BlockSize]
		binary.BigEndian.PutUint64(b, high^(i+1)<<48)
		binary.BigEndian.PutUint64(b[8:], low)
		k.encrypt(b)
	}
	block, err := aes.NewCipher(scratch[:])
	clear(scratch[:])
	if err != nil {
		panic("xaes: internal error: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("xaes: internal error: " + err.Error())
	}
	return aead
}

// encrypt encrypts one block in place. In FIPS mode it goes through CBC with a
// zero IV, which is the same bytes: the module's service indicator is approved
// for CBC and not for a bare block.
func (k *Key) encrypt(b []byte) {
	if k.fips {
		cipher.NewCBCEncrypter(k.block, make([]byte, aes.BlockSize)).CryptBlocks(b, b)
		return
	}
	k.block.Encrypt(b, b)
}
