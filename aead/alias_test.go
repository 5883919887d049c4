package aead

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The aliasing matrix: arguments that share memory must do what they do apart.

var (
	aliasSizes   = []int{0, 1, 2, 11, 12, 13, 15, 16, 17, 24, 28, 29, 30, 40, 41, 1000}
	aliasOffsets = func() (list []int) {
		for d := -13; d <= 13; d++ {
			list = append(list, d)
		}
		return append(list, -41, -40, -30, -29, -28, -24, -16, 16, 24, 28, 29, 30, 40, 41)
	}()
)

const aliasMiddle = 100 // where the argument begins that others are offset from

func TestSealInPlace(t *testing.T) {
	k, ad := NewKey(), []byte("ad")
	for _, n := range recordSizes() {
		buf := append(make([]byte, 0, n+Overhead), pattern(n)...)
		sealed := k.Seal(buf[:0], buf, ad)
		if n > 0 {
			require.Same(t, &buf[0], &sealed[0])
		}
		opened, err := k.Open(sealed[:0], sealed, ad)
		require.NoError(t, err)
		require.True(t, bytes.Equal(pattern(n), opened), "%d bytes", n)
		if n > 0 {
			require.Same(t, &sealed[0], &opened[0])
		}
		buf = pattern(n) // without room
		sealed = k.Seal(buf[:0:n], buf, ad)
		opened, err = k.Open(nil, sealed, ad)
		require.NoError(t, err)
		require.True(t, bytes.Equal(pattern(n), opened), "%d bytes", n)
	}
}

// TestSealAliased puts dst's spare capacity at every offset from the plaintext.
func TestSealAliased(t *testing.T) {
	k, ad := NewKey(), []byte("ad")
	for _, n := range aliasSizes {
		for _, d := range aliasOffsets {
			for _, prefix := range []int{0, 5} {
				name := fmt.Sprintf("%d bytes, offset %d, prefix %d", n, d, prefix)
				buf := make([]byte, 3000)
				plaintext := buf[aliasMiddle:][:n]
				copy(plaintext, pattern(n))
				dst := buf[aliasMiddle+d-prefix:][:prefix]
				head := bytes.Clone(dst)
				sealed := k.Seal(dst, plaintext, ad)
				require.Same(t, &buf[aliasMiddle+d-prefix], &sealed[0], name)
				require.Equal(t, head, sealed[:prefix], name)
				got, err := k.Open(nil, bytes.Clone(sealed[prefix:]), ad)
				require.NoError(t, err, name)
				require.True(t, bytes.Equal(pattern(n), got), name)
			}
		}
	}
}

// TestOpenAliased does the same with the sealed record.
func TestOpenAliased(t *testing.T) {
	k, ad := NewKey(), []byte("ad")
	for _, n := range aliasSizes {
		reference := k.Seal(nil, pattern(n), ad)
		for _, d := range aliasOffsets {
			for _, prefix := range []int{0, 5} {
				name := fmt.Sprintf("%d bytes, offset %d, prefix %d", n, d, prefix)
				buf := make([]byte, 3000)
				sealed := buf[aliasMiddle:][:len(reference)]
				copy(sealed, reference)
				dst := buf[aliasMiddle+d-prefix:][:prefix]
				head := bytes.Clone(dst)
				got, err := k.Open(dst, sealed, ad)
				require.NoError(t, err, name)
				require.True(t, bytes.Equal(append(head, pattern(n)...), got), name)

				copy(sealed, reference)
				sealed[len(sealed)-1] ^= 1
				got, err = k.Open(dst, sealed, ad)
				require.ErrorIs(t, err, ErrOpen, name)
				require.Nil(t, got)
				if n > 0 {
					out := buf[aliasMiddle+d:][:n]
					require.Equal(t, make([]byte, n), out, name)
				}
			}
		}
	}
}

// TestAdditionalDataAliased puts additional data into dst's spare capacity, and into the other argument.
func TestAdditionalDataAliased(t *testing.T) {
	k := NewKey()
	for _, n := range aliasSizes {
		for _, d := range aliasOffsets {
			for _, size := range []int{1, 12, 20, 50} {
				name := fmt.Sprintf("%d bytes, offset %d, additional data of %d", n, d, size)
				ad := bytes.Repeat([]byte{7}, size)

				// Additional data in dst's spare capacity, the plaintext elsewhere.
				buf := bytes.Repeat([]byte{7}, 3000)
				sealed := k.Seal(buf[aliasMiddle:aliasMiddle], pattern(n), buf[aliasMiddle+d:][:size])
				got, err := k.Open(nil, bytes.Clone(sealed), ad)
				require.NoError(t, err, name)
				require.True(t, bytes.Equal(pattern(n), got), name)

				reference := bytes.Clone(sealed)
				buf = bytes.Repeat([]byte{7}, 3000)
				got, err = k.Open(buf[aliasMiddle:aliasMiddle], reference, buf[aliasMiddle+d:][:size])
				require.NoError(t, err, name)
				require.True(t, bytes.Equal(pattern(n), got), name)

				// All three in one buffer: the plaintext in place, and additional data across it.
				buf = make([]byte, 3000)
				plaintext := buf[aliasMiddle:][:n]
				copy(plaintext, pattern(n))
				ad = bytes.Clone(buf[aliasMiddle+d:][:size])
				sealed = k.Seal(plaintext[:0], plaintext, buf[aliasMiddle+d:][:size])
				got, err = k.Open(nil, bytes.Clone(sealed), ad)
				require.NoError(t, err, name)
				require.True(t, bytes.Equal(pattern(n), got), name)
			}
		}
	}
}
