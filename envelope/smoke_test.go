package envelope_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	f, err := local.Create(filepath.Join(t.TempDir(), "k"), nil)
	require.NoError(t, err)
	s, err := envelope.NewSealer(f.Key(), &envelope.SealerOptions{Reuse: &envelope.Limits{2, 1000, 1e9}})
	require.NoError(t, err)
	ec := kms.Context{"a": "b"}
	m, err := s.Seal(ctx, []byte("hello"), ec)
	require.NoError(t, err)
	got, err := s.Open(ctx, m, ec)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	_, err = s.Open(ctx, m, kms.Context{"a": "c"})
	require.ErrorIs(t, err, envelope.ErrOpen)
	t.Log(err, len(m))
	p := filepath.Join(t.TempDir(), "x")
	out, _ := os.Create(p)
	w, err := s.NewWriter(ctx, out, ec, nil)
	require.NoError(t, err)
	pt := bytes.Repeat([]byte("abc"), 100000)
	w.Write(pt)
	require.NoError(t, w.Close())
	before, _ := os.ReadFile(p)
	require.NoError(t, f.Rotate(ctx))
	require.NoError(t, s.RewrapFile(ctx, p, ec))
	after, _ := os.ReadFile(p)
	require.Equal(t, before[4096:], after[4096:])
	require.NotEqual(t, before, after)
	r, err := s.NewReader(ctx, bytes.NewReader(after), ec, nil)
	require.NoError(t, err)
	got, err = io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, pt, got)
	sr, err := s.NewSealReader(ctx, bytes.NewReader(pt), ec, nil)
	require.NoError(t, err)
	n, _ := sr.Size(int64(len(pt)))
	all, _ := io.ReadAll(sr)
	require.EqualValues(t, n, len(all))
	ra, err := s.NewReaderAt(ctx, bytes.NewReader(all), n, ec, nil)
	require.NoError(t, err)
	require.EqualValues(t, len(pt), ra.Size())
	info, err := envelope.Inspect(all)
	require.NoError(t, err)
	t.Logf("%+v", info)
}
