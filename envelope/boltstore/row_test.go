package boltstore

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

func TestRowBytes(t *testing.T) {
	b := encode(envelope.Row{Key: "a", Value: []byte("value"), Revision: 0x0102})
	require.Equal(t, "\x00\x00\x00\x00\x00\x00\x01\x03value", string(b), "the revision after the write")
	r, err := decode("a", b)
	require.NoError(t, err)
	require.Equal(t, envelope.Row{Key: "a", Value: []byte("value"), Revision: 0x0103}, r)
	clear(b)
	require.Equal(t, "value", string(r.Value), "it is a copy")
}

func TestRowRefused(t *testing.T) {
	last := encode(envelope.Row{Revision: math.MaxUint64 - 1})
	for name, b := range map[string][]byte{
		"nil":            nil,
		"empty":          {},
		"short":          make([]byte, revisionSize-1),
		"no revision":    make([]byte, revisionSize),
		"last revision":  last,
		"a value larger": encode(envelope.Row{Value: make([]byte, envelope.MaxRowValue+1)}),
	} {
		_, err := decode("a", b)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("a", []byte{})
	f.Add("a", make([]byte, revisionSize))
	f.Add("a", encode(envelope.Row{}))
	f.Add("a", encode(envelope.Row{Value: []byte("value"), Revision: 41}))
	f.Add("a", encode(envelope.Row{Value: make([]byte, envelope.MaxRowValue)}))
	f.Fuzz(func(t *testing.T, key string, b []byte) {
		before := bytes.Clone(b)
		r, err := decode(key, b)
		require.True(t, bytes.Equal(before, b))
		if err != nil {
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Zero(t, r)
			return
		}
		require.Equal(t, key, r.Key)
		require.NotZero(t, r.Revision)
		require.NotZero(t, r.Revision+1)
		require.LessOrEqual(t, len(r.Value), envelope.MaxRowValue)
		r.Revision--
		require.True(t, bytes.Equal(b, encode(r)))
	})
}
