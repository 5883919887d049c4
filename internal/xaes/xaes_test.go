package xaes

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/rand"
	"crypto/sha3"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const nonce = "ABCDEFGHIJKLMNOPQRSTUVWX"

var knownAnswers = []struct {
	name, key, aad, sealed string
}{
	{"top bit of L clear", strings.Repeat("\x01", 32), "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
	{"top bit of L set", strings.Repeat("\x03", 32), "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
}

// sealByHand is XAES-256-GCM from the specification's formulas, with a nonce of the caller's.
func sealByHand(key, nonce, plaintext, aad []byte) (sealed []byte) {
	block, _ := aes.NewCipher(key)
	var k1, kx [32]byte // the first half of k1 is used
	block.Encrypt(k1[:16], k1[:16])
	top := k1[0] >> 7
	for i := range 16 {
		k1[i] <<= 1
		if i < 15 {
			k1[i] |= k1[i+1] >> 7
		}
	}
	if top == 1 {
		k1[15] ^= 0x87
	}
	for i := range 2 {
		m := append([]byte{0, byte(i + 1), 'X', 0}, nonce[:12]...)
		for j := range m {
			m[j] ^= k1[j]
		}
		block.Encrypt(kx[16*i:], m)
	}
	sub, _ := aes.NewCipher(kx[:])
	fips140.WithoutEnforcement(func() {
		gcm, err := cipher.NewGCM(sub)
		if err != nil {
			panic(err)
		}
		sealed = gcm.Seal(nil, nonce[12:], plaintext, aad)
	})
	return sealed
}

func subkey(k *Key, prefix [PrefixSize]byte) cipher.AEAD {
	return k.Subkey(prefix, new([KeySize]byte))
}

// open opens what Subkey's AEAD sealed, or anything sealed with this nonce.
func open(k *Key, nonce, sealed, aad []byte) ([]byte, error) {
	return subkey(k, [PrefixSize]byte(nonce)).Open(nil, nil, append(bytes.Clone(nonce[PrefixSize:]), sealed...), aad)
}

func TestKnownAnswers(t *testing.T) {
	for _, c := range knownAnswers {
		for _, fips := range []bool{false, true} {
			k := New([]byte(c.key))
			k.fips = fips
			sealed, err := hex.DecodeString(c.sealed)
			require.NoError(t, err)
			require.Equal(t, sealed, sealByHand([]byte(c.key), []byte(nonce), []byte("XAES-256-GCM"), []byte(c.aad)))
			got, err := open(k, []byte(nonce), sealed, []byte(c.aad))
			require.NoError(t, err, c.name)
			require.Equal(t, "XAES-256-GCM", string(got))
		}
	}
}

func TestSealUsesTheSubkeyOfThePrefix(t *testing.T) {
	key := bytes.Repeat([]byte{5}, KeySize)
	prefix := [PrefixSize]byte([]byte(nonce))
	sealed := subkey(New(key), prefix).Seal(prefix[:], nil, []byte("plaintext"), []byte("ad"))
	require.Len(t, sealed, len("plaintext")+Overhead)
	require.Equal(t, sealed[24:], sealByHand(key, sealed[:24], []byte("plaintext"), []byte("ad")))
	again := subkey(New(key), prefix).Seal(prefix[:], nil, []byte("plaintext"), []byte("ad"))
	require.NotEqual(t, sealed[PrefixSize:24], again[PrefixSize:24], "the second half of the nonce must be random")
}

func TestAccumulated(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		want string
	}{
		{"10 000", 10_000, "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"},
		{"1 000 000", 1_000_000, "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.n > 10_000 {
				t.Skip("-short")
			}
			source, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
			read := func(b []byte) []byte {
				source.Read(b)
				return b
			}
			buf := make([]byte, 32+24+256+256)
			for range c.n {
				key, nonce := read(buf[:32]), read(buf[32:56])
				plaintext := read(buf[56:][:read(buf[56:57])[0]])
				aad := read(buf[312:][:read(buf[312:313])[0]])
				sealed := sealByHand(key, nonce, plaintext, aad)
				sum.Write(sealed)
				got, err := open(New(key), nonce, sealed, aad)
				if err != nil || !bytes.Equal(got, plaintext) {
					t.Fatal("does not open")
				}
			}
			var got [32]byte
			sum.Read(got[:])
			require.Equal(t, c.want, hex.EncodeToString(got[:]))
		})
	}
}

// TestPathsAgree holds CBC with a zero IV to the bytes of the bare block.
func TestPathsAgree(t *testing.T) {
	for range 1000 {
		key, block := make([]byte, KeySize), make([]byte, aes.BlockSize)
		rand.Read(key)
		rand.Read(block)
		bare, cbc := New(key), New(key)
		bare.fips, cbc.fips = false, true
		a, b := bytes.Clone(block), bytes.Clone(block)
		bare.encrypt(a)
		cbc.encrypt(b)
		require.Equal(t, a, b)
		require.NotEqual(t, block, a)
	}
}

func TestFIPSPathIsTakenInFIPSMode(t *testing.T) {
	require.Equal(t, fips140.Enabled(), New(make([]byte, KeySize)).fips)
}

func TestWrongPrefixOrKeyDoesNotOpen(t *testing.T) {
	key := bytes.Repeat([]byte{5}, KeySize)
	prefix := [PrefixSize]byte([]byte(nonce))
	sealed := subkey(New(key), prefix).Seal(nil, nil, []byte("plaintext"), nil)
	other := prefix
	other[11] ^= 1
	_, err := subkey(New(key), other).Open(nil, nil, sealed, nil)
	require.Error(t, err)
	_, err = subkey(New(bytes.Repeat([]byte{6}, KeySize)), prefix).Open(nil, nil, sealed, nil)
	require.Error(t, err)
	_, err = subkey(New(key), prefix).Open(nil, nil, sealed, nil)
	require.NoError(t, err)
}

// TestScratchIsCleared also starts from one that is not.
func TestScratchIsCleared(t *testing.T) {
	k, prefix := New(bytes.Repeat([]byte{5}, KeySize)), [PrefixSize]byte([]byte(nonce))
	scratch := [KeySize]byte(bytes.Repeat([]byte{0xff}, KeySize))
	sealed := k.Subkey(prefix, &scratch).Seal(nil, nil, []byte("plaintext"), nil)
	require.Zero(t, scratch)
	_, err := subkey(k, prefix).Open(nil, nil, sealed, nil)
	require.NoError(t, err)
}

func TestKeySizePanics(t *testing.T) {
	for _, n := range []int{0, 16, 24, 31, 33, 64} {
		require.Panics(t, func() { New(make([]byte, n)) }, "%d bytes", n)
	}
}

func TestConcurrentSubkeys(t *testing.T) {
	k := New(bytes.Repeat([]byte{5}, KeySize))
	var wg sync.WaitGroup
	for g := range byte(8) {
		wg.Go(func() {
			prefix := [PrefixSize]byte{g}
			for range 100 {
				sealed := subkey(k, prefix).Seal(nil, nil, []byte{g}, nil)
				if got, err := subkey(k, prefix).Open(nil, nil, sealed, nil); err != nil || !bytes.Equal(got, []byte{g}) {
					t.Error("does not open")
				}
			}
		})
	}
	wg.Wait()
}
