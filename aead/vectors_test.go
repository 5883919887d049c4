package aead

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

const (
	vectorsFile     = "testdata/vectors.json"
	floeVectorsFile = "../internal/floe/testdata/vectors.json"
)

func TestVectors(t *testing.T) {
	for _, file := range []string{vectorsFile, floeVectorsFile} {
		for _, v := range loadVectors(t, file) {
			t.Run(v.Name, func(t *testing.T) {
				out, err := openVector(t, v)
				require.Equal(t, v.Expect, class(err))
				if v.Expect == "ok" {
					require.Equal(t, *v.Out, hex.EncodeToString(out))
				}
			})
		}
	}
}

// TestVectorsReaderAt opens the streams at random places: it may find another fault first,
// but it opens exactly those that a Reader opens.
func TestVectorsReaderAt(t *testing.T) {
	for _, file := range []string{vectorsFile, floeVectorsFile} {
		for _, v := range loadVectors(t, file) {
			if v.Kind != "stream" {
				continue
			}
			t.Run(v.Name, func(t *testing.T) {
				out, err := openAt(keyOf(t, v), unhex(t, v.AAD), unhex(t, v.In), nil)
				if v.Expect == "ok" {
					require.NoError(t, err)
					require.Equal(t, *v.Out, hex.EncodeToString(out))
					return
				}
				require.Contains(t, []string{"open", "truncated", "format"}, class(err))
			})
		}
	}
}

func keyOf(t testing.TB, v vectors.Vector) *Key {
	k, err := ParseKey(unhex(t, v.Key))
	require.NoError(t, err)
	return k
}

func openVector(t testing.TB, v vectors.Vector) ([]byte, error) {
	k, in, aad := keyOf(t, v), unhex(t, v.In), unhex(t, v.AAD)
	switch v.Kind {
	case "commitment":
		c := k.Commitment()
		return c[:], nil
	case "derive":
		var info [][]byte
		for _, part := range v.Info {
			info = append(info, unhex(t, part))
		}
		if label, ok := strings.CutPrefix(v.Label, "app/"); ok {
			return k.Derive(label, info...).Bytes(), nil
		}
		d := derive.Key((*[KeySize]byte)(k.Bytes()), v.Label, info...)
		return d[:], nil
	case "record":
		return k.Open(nil, in, aad)
	case "stream":
		return openStreamBytes(k, aad, in, nil)
	}
	return nil, fmt.Errorf("unknown kind %q", v.Kind)
}

// class is the expect field that an error answers to.
func class(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrOpen):
		return "open"
	case errors.Is(err, ErrTruncated):
		return "truncated"
	case errors.Is(err, ErrFormat), errors.Is(err, ErrTooLarge):
		return "format"
	}
	return err.Error()
}

func loadVectors(t testing.TB, file string) []vectors.Vector {
	t.Helper()
	return vectors.Load(t, file)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	return vectors.Unhex(t, s)
}

func hexOf(b []byte) *string { return vectors.Hex(b) }
