package floe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// expandByHand is HKDF-Expand-SHA-384 for at most one block of output.
func expandByHand(key []byte, n int, info ...[]byte) []byte {
	h := hmac.New(sha512.New384, key)
	for _, part := range info {
		h.Write(part)
	}
	h.Write([]byte{1})
	return h.Sum(nil)[:n]
}

// TestRotation opens segments by the specification's formulas alone: their key changes every
// 2^20 segments.
func TestRotation(t *testing.T) {
	const each = 1 << 20
	key, aad := (*[KeySize]byte)(pattern(KeySize)), []byte("ad")
	s, header := Seal(key, aad, 64)
	require.Equal(t, expandByHand(key[:], 32, header[:42], []byte("HEADER_TAG:"), aad), header[42:])
	messageKey := expandByHand(key[:], 48, header[:42], []byte("MESSAGE_KEY:"), aad)
	open := func(segment []byte, index, keyNumber uint64) ([]byte, error) {
		number := binary.BigEndian.AppendUint64([]byte("DEK:"), keyNumber)
		block, err := aes.NewCipher(expandByHand(messageKey, 32, header[:42], number, aad))
		require.NoError(t, err)
		gcm, err := cipher.NewGCMWithRandomNonce(block)
		require.NoError(t, err)
		return gcm.Open(nil, nil, segment[4:], append(binary.BigEndian.AppendUint64(nil, index), 0))
	}
	c := s.Cursor()
	for _, p := range []struct{ index, keyNumber uint64 }{
		{0, 0},
		{1, 0},
		{each - 1, 0},
		{each, each},
		{each + 1, each},
		{2*each - 1, each},
		{2 * each, 2 * each},
		{each - 2, 0}, // and back
		{MaxSegments - 1, MaxSegments - each},
	} {
		t.Run(fmt.Sprint(p.index), func(t *testing.T) {
			segment := c.Seal(nil, pattern(32), p.index, false)
			got, err := open(segment, p.index, p.keyNumber)
			require.NoError(t, err)
			require.Equal(t, pattern(32), got)
			_, err = open(segment, p.index, p.keyNumber^each)
			require.Error(t, err)

			reader, err := Open(key, aad, &header, readerLimit)
			require.NoError(t, err)
			got, err = reader.Cursor().Open(nil, segment, p.index, false)
			require.NoError(t, err)
			require.Equal(t, pattern(32), got)
		})
	}
}
