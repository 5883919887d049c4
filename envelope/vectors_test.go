package envelope

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

const vectorsFile = "testdata/vectors.json"

type vector = vectors.Vector

func TestVectors(t *testing.T) {
	openers := newOpeners(t)
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			require.Equal(t, "message", v.Kind)
			s, calls := openers.of(v)
			out, err := s.Open(t.Context(), unhex(t, v.In), v.Context)
			require.Equal(t, v.Expect, class(err, calls()))
			if v.Expect == "ok" {
				require.Equal(t, *v.Out, hex.EncodeToString(out))
			} else {
				require.Nil(t, out)
			}
		})
	}
}

// TestVectorsReaderAt opens the messages at random places: it may find another fault of the body first,
// but it opens exactly those that Open opens.
func TestVectorsReaderAt(t *testing.T) {
	openers := newOpeners(t)
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			s, calls := openers.of(v)
			out, err := openAt(s, unhex(t, v.In), v.Context)
			if v.Expect == "ok" {
				require.NoError(t, err)
				require.Equal(t, *v.Out, hex.EncodeToString(out))
				return
			}
			require.Contains(t, []string{"open", "truncated", "format", "context"}, class(err, calls()))
		})
	}
}

// openAt opens a message through NewReaderAt.
func openAt(s *Sealer, message []byte, ec kms.Context) ([]byte, error) {
	r, err := s.NewReaderAt(context.Background(), bytes.NewReader(message), int64(len(message)), ec, nil)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
}

// class is the expect field that an error of Open answers to. The wrong context and wrong bytes are one error,
// but the first is found before any call to the KMS.
func class(err error, unwraps int) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrOpen) && unwraps == 0, errors.Is(err, kms.ErrInvalid):
		return "context"
	case errors.Is(err, ErrOpen), errors.Is(err, kms.ErrNotFound):
		return "open"
	case errors.Is(err, ErrTruncated):
		return "truncated"
	case errors.Is(err, ErrFormat), errors.Is(err, ErrTooLarge):
		return "format"
	}
	return err.Error()
}

// openers makes a Sealer for each vector.
type openers struct {
	t     testing.TB
	local map[string]*kms.Key // by hex of the file key
}

func newOpeners(t testing.TB) *openers { return &openers{t: t, local: map[string]*kms.Key{}} }

// of returns a Sealer for a vector and what counts its calls to unwrap.
func (o *openers) of(v vector) (*Sealer, func() int) {
	var d kms.Driver
	var unwraps int
	if v.LocalKey == "" {
		d = &fixed{key: unhex(o.t, v.DataKey), unwraps: &unwraps}
	} else {
		if o.local[v.LocalKey] == nil {
			o.local[v.LocalKey] = localKey(o.t, unhex(o.t, v.LocalKey))
		}
		d = &counted{key: o.local[v.LocalKey], unwraps: &unwraps}
	}
	return newSealer(o.t, d, nil), func() int { return unwraps }
}

// fixed is a kms.Driver for vectors with a data key: whatever is unwrapped, it is that one.
type fixed struct {
	key     []byte
	unwraps *int
}

func (f *fixed) Ref() kms.Ref { return kms.Ref{Provider: "t", KeyID: "k"} }

func (f *fixed) Wrap(_ context.Context, plaintext []byte, _ kms.Context) (kms.Wrapped, error) {
	f.key = bytes.Clone(plaintext)
	return kms.Wrapped{Ref: f.Ref(), Blob: []byte{0x2A}}, nil
}

func (f *fixed) Unwrap(context.Context, kms.Wrapped, kms.Context) ([]byte, error) {
	*f.unwraps++
	return bytes.Clone(f.key), nil
}

func (f *fixed) Close() error { return nil }

// counted is a kms.Driver over another Key.
type counted struct {
	key     *kms.Key
	unwraps *int
}

func (c *counted) Ref() kms.Ref { return c.key.Ref() }

func (c *counted) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	return c.key.Wrap(ctx, plaintext, ec)
}

func (c *counted) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	*c.unwraps++
	return c.key.Unwrap(ctx, w, ec)
}

func (c *counted) Close() error { return nil }

// localKey opens a key file whose only version is file, and whose key id is that of all vectors.
func localKey(t testing.TB, file []byte) *kms.Key {
	k, err := aead.ParseKey(file)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `{"format":"holdfast key file","format_version":1,"key_id":%q,"state":"enabled","current":1,`+
		`"versions":[{"number":1,"created":"2026-01-01T00:00:00Z","id":%q,"key":%q}]}`,
		strings.Repeat("42", 16), k.ID(), base64.StdEncoding.EncodeToString(file)), 0o600))
	f, err := local.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f.Key()
}

func loadVectors(t testing.TB) []vector {
	t.Helper()
	return vectors.Load(t, vectorsFile)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	return vectors.Unhex(t, s)
}

func hexOf(b []byte) *string { return vectors.Hex(b) }
