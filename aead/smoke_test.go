package aead

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

type onlyW struct{ io.Writer }
type onlyR struct{ io.Reader }

func TestSmoke(t *testing.T) {
	k := NewKey()
	for _, workers := range []int{1, 2, 5} {
		for _, seg := range []int{40, 64, 4096, 0} {
			for _, n := range []int{0, 1, 7, 8, 9, 16, 31, 32, 33, 4063, 4064, 4065, 8128, 100000, 65504, 65505, 5 << 20, 9<<20 + 3} {
				if seg == 40 && n > 100000 || seg == 64 && n > 6<<20 {
					continue
				}
				o := &StreamOptions{SegmentSize: seg, Workers: workers}
				pt := bytes.Repeat([]byte{1, 2, 3, 5, 7, 11, 13}, n/7+1)[:n]
				check := func(ct []byte) {
					sz, err := SealedSize(int64(n), seg)
					require.NoError(t, err)
					require.Equal(t, sz, int64(len(ct)))
					ps, err := PlaintextSize(sz, seg)
					require.NoError(t, err)
					require.EqualValues(t, n, ps)
					r, err := NewReader(bytes.NewReader(ct), k, []byte("x"), o)
					require.NoError(t, err)
					var out bytes.Buffer
					_, err = io.Copy(&out, r)
					require.NoError(t, err)
					require.True(t, bytes.Equal(pt, out.Bytes()))
					r, err = NewReader(onlyR{bytes.NewReader(ct)}, k, []byte("x"), o)
					require.NoError(t, err)
					got, err := io.ReadAll(onlyR{r})
					require.NoError(t, err)
					require.True(t, bytes.Equal(pt, got))
					ra, err := NewReaderAt(bytes.NewReader(ct), int64(len(ct)), k, []byte("x"), o)
					require.NoError(t, err)
					require.EqualValues(t, n, ra.Size())
					got, err = io.ReadAll(io.NewSectionReader(ra, 0, ra.Size()))
					require.NoError(t, err)
					require.True(t, bytes.Equal(pt, got))
				}
				name := fmt.Sprint(workers, seg, n)
				var b bytes.Buffer
				w, err := NewWriter(&b, k, []byte("x"), o)
				require.NoError(t, err, name)
				_, err = w.Write(pt)
				require.NoError(t, err, name)
				require.NoError(t, w.Close())
				check(b.Bytes())
				b = bytes.Buffer{}
				w, _ = NewWriter(&b, k, []byte("x"), o)
				m, err := io.Copy(w, onlyR{bytes.NewReader(pt)})
				require.NoError(t, err, name)
				require.EqualValues(t, n, m)
				require.NoError(t, w.Close())
				check(b.Bytes())
				sr, err := NewSealReader(bytes.NewReader(pt), k, []byte("x"), o)
				require.NoError(t, err)
				b = bytes.Buffer{}
				_, err = io.Copy(&b, sr)
				require.NoError(t, err)
				check(b.Bytes())
				sr, _ = NewSealReader(bytes.NewReader(pt), k, []byte("x"), o)
				ct, err := io.ReadAll(onlyR{sr})
				require.NoError(t, err)
				check(ct)
			}
		}
	}
}
