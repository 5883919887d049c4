package aead

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/derive"
)

const (
	vectorsFile     = "testdata/vectors.json"
	floeVectorsFile = "../internal/floe/testdata/vectors.json"
)

// vector is one entry of a vectors file, as FORMAT.md section 9 describes them.
type vector struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`
	Expect string   `json:"expect"`
	Note   string   `json:"note,omitempty"`
	Key    string   `json:"key"`
	Label  string   `json:"label,omitempty"`
	Info   []string `json:"info,omitempty"`
	AAD    string   `json:"aad"`
	In     string   `json:"in"`
	Out    *string  `json:"out,omitempty"` // absent where nothing opens
}

type vectors struct {
	Format  string   `json:"format"`
	Vectors []vector `json:"vectors"`
}

func TestVectors(t *testing.T) {
	for _, file := range []string{vectorsFile, floeVectorsFile} {
		for _, v := range loadVectors(t, file) {
			t.Run(v.Name, func(t *testing.T) {
				out, err := v.open(t)
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
				out, err := openAt(v.key(t), unhex(t, v.AAD), unhex(t, v.In), nil)
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

func (v vector) key(t testing.TB) *Key {
	k, err := ParseKey(unhex(t, v.Key))
	require.NoError(t, err)
	return k
}

func (v vector) open(t testing.TB) ([]byte, error) {
	k, in, aad := v.key(t), unhex(t, v.In), unhex(t, v.AAD)
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

func loadVectors(t testing.TB, file string) []vector {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var f vectors
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&f))
	require.Equal(t, "holdfast vectors v1", f.Format)
	require.NotEmpty(t, f.Vectors)
	return f.Vectors
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}
