package envelope

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

// openers makes a Sealer for each vector.
type openers struct {
	t     testing.TB
	local map[string]*kms.Key // by hex of the file key, and key id
}

func newOpeners(t testing.TB) *openers { return &openers{t: t, local: map[string]*kms.Key{}} }

// of returns a Sealer for a vector and what counts its calls to unwrap.
func (o *openers) of(v vector) (*Sealer, func() int) {
	var unwraps int
	var d kms.Driver = &fixed{key: unhex(o.t, v.DataKey), unwraps: &unwraps}
	if v.LocalKey != "" {
		d = &counted{key: o.localKey(v.LocalKey, v.KeyID), unwraps: &unwraps}
	}
	count := func() int { return unwraps }
	h, err := parseHeader(unhex(o.t, v.In))
	if err != nil || h.wrapped.Provider != "any" {
		return newSealer(o.t, d, nil), count
	}
	if f, ok := d.(*fixed); ok {
		f.ref = h.list[0].Ref
	}
	one, err := kms.NewKey(d, nil)
	require.NoError(o.t, err)
	any, err := kms.AnyOf([]*kms.Key{one}, nil)
	require.NoError(o.t, err)
	s, err := NewSealer(any, nil)
	require.NoError(o.t, err)
	return s, count
}

// localKey returns the local key of that file key. Without a key id it is that of all vectors but some with a list.
func (o *openers) localKey(file, keyID string) *kms.Key {
	keyID = cmp.Or(keyID, keyA)
	if o.local[file+keyID] == nil {
		o.local[file+keyID] = localKey(o.t, unhex(o.t, file), keyID)
	}
	return o.local[file+keyID]
}

// open opens v with open and returns the class of the outcome.
func (o *openers) open(v vector, open func(*Sealer, []byte, kms.Context) ([]byte, error)) ([]byte, string) {
	s, calls := o.of(v)
	out, err := open(s, unhex(o.t, v.In), v.Context)
	return out, class(err, calls())
}

// fixed is a kms.Driver for vectors with a data key: whatever is unwrapped, it is that one.
type fixed struct {
	ref     kms.Ref // the zero one is t:k
	key     []byte
	unwraps *int
}

func (f *fixed) Ref() kms.Ref { return cmp.Or(f.ref, kms.Ref{Provider: "t", KeyID: "k"}) }

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

// localKey opens a key file whose only version is file.
func localKey(t testing.TB, file []byte, keyID string) *kms.Key {
	k, err := aead.ParseKey(file)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `{"format":"holdfast key file","format_version":1,"key_id":%q,"state":"enabled","current":1,`+
		`"versions":[{"number":1,"created":"2026-01-01T00:00:00Z","id":%q,"key":%q}]}`,
		keyID, k.ID(), base64.StdEncoding.EncodeToString(file)), 0o600))
	f, err := local.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f.Key()
}
