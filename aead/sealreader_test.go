package aead

import (
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/prefixed"
)

func TestPrefixedSource(t *testing.T) {
	k, head := NewKey(), []byte("header")
	for _, n := range []int{0, 33, 5 << 20} {
		for name, read := range map[string]func(*SealReader) ([]byte, error){
			"Read": func(r *SealReader) ([]byte, error) { return io.ReadAll(onlyReader{r}) },
			"WriteTo": func(r *SealReader) ([]byte, error) {
				var b bytes.Buffer
				n, err := r.WriteTo(&b)
				require.EqualValues(t, b.Len(), n)
				return b.Bytes(), err
			},
		} {
			r, err := NewSealReader(bytes.NewReader(pattern(n)), k, nil, &StreamOptions{SegmentSize: 4096})
			require.NoError(t, err)
			plain, err := r.Size(int64(n))
			require.NoError(t, err)
			want, err := SealedSize(int64(n), 4096)
			require.NoError(t, err)
			require.Equal(t, want, plain)
			b := bytes.Clone(head)
			r, err = NewSealReader(&prefixed.Source{Reader: bytes.NewReader(pattern(n)), Prefix: b}, k, nil, &StreamOptions{SegmentSize: 4096})
			require.NoError(t, err)
			clear(b)
			size, err := r.Size(int64(n))
			require.NoError(t, err)
			require.Equal(t, want+int64(len(head)), size)
			got, err := read(r)
			require.NoError(t, err)
			require.EqualValues(t, size, len(got))
			require.Equal(t, head, got[:len(head)])
			opened, err := openStreamBytes(k, nil, got[len(head):], nil)
			require.NoError(t, err)
			require.True(t, bytes.Equal(pattern(n), opened), "%s of %d bytes", name, n)
		}
	}
}

func TestSealReaderSizeLimits(t *testing.T) {
	r, err := NewSealReader(new(bytes.Buffer), NewKey(), nil, nil)
	require.NoError(t, err)
	_, err = r.Size(math.MaxInt64)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = r.Size(-1)
	require.Error(t, err)
}
