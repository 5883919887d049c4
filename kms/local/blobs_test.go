package local

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
)

const blobsFile = "testdata/blobs.json"

var update = flag.Bool("update", false, "write "+blobsFile+" anew")

func TestBlobs(t *testing.T) {
	keys := map[string]*kms.Key{}
	for _, v := range vectors.Load(t, blobsFile) {
		if keys[v.LocalKey] == nil {
			keys[v.LocalKey] = blobKey(t, vectors.Unhex(t, v.LocalKey))
		}
		t.Run(v.Name, func(t *testing.T) {
			require.Equal(t, "local", v.Kind)
			k := keys[v.LocalKey]
			blob := vectors.Unhex(t, v.In)
			got, err := k.Unwrap(reserved.Allow(t.Context()), kms.Wrapped{Ref: k.Ref(), Version: "1", Blob: blob}, v.Context)
			if v.Expect == "ok" {
				require.NoError(t, err)
				require.Equal(t, *v.Out, hex.EncodeToString(got))
				return
			}
			require.Equal(t, "open", v.Expect)
			require.ErrorIs(t, err, kms.ErrCiphertext)
			require.Nil(t, got)
		})
	}
}

// blobKey opens a key file whose only version is raw.
func blobKey(t *testing.T, raw []byte) *kms.Key {
	k, err := aead.ParseKey(raw)
	require.NoError(t, err)
	c := newContents(nil)
	c.Versions = []version{{Number: 1, Created: now(), ID: k.ID().String(), Key: raw}}
	c.Current = 1
	b, err := c.encode()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	f, err := Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f.Key()
}

// TestUpdateBlobs writes the vectors, whose expectations follow from the format's rules
// and not from what the code says of them; TestBlobs then holds the code to them.
func TestUpdateBlobs(t *testing.T) {
	vectors.BeginUpdate(t, *update, 6)
	count := func(first byte, n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = first + byte(i)
		}
		return b
	}
	raw := func(first byte) []byte { return count(first, aead.KeySize) }
	k := blobKey(t, raw(0))
	wrap := func(plaintext []byte, ec kms.Context) []byte {
		w, err := k.Wrap(reserved.Allow(t.Context()), plaintext, ec)
		require.NoError(t, err)
		return w.Blob
	}
	var list []vectors.Vector
	add := func(name, expect string, key []byte, ec kms.Context, in, out []byte) {
		v := vectors.Vector{Name: "local " + name, Kind: "local", Expect: expect, LocalKey: hex.EncodeToString(key), Context: ec, In: hex.EncodeToString(in)}
		if expect == "ok" {
			v.Out = vectors.Hex(out)
		}
		list = append(list, v)
	}
	message := kms.Context{"holdfast:purpose": "message", "tenant": "acme"}
	for _, c := range []struct {
		name string
		size int
		ec   kms.Context
	}{
		{"of a data key", 32, message},
		{"of 1 byte", 1, message},
		{"of 64 bytes", 64, message},
		{"empty context", 32, nil},
		{"unicode", 32, kms.Context{"é": "e\u0301", "日本": "語", "🔑": ""}},
		{"many pairs", 32, kms.Context{"b": "", "a": "1", "aa": "2", "B": "3", "~": "4"}},
		{"long context", 32, kms.Context{"a": strings.Repeat("v", 2000)}},
	} {
		add(c.name, "ok", raw(0), c.ec, wrap(count(100, c.size), c.ec), count(100, c.size))
	}
	blob := wrap(raw(100), message)
	for n := range len(blob) {
		add(fmt.Sprintf("cut %d", n), "open", raw(0), message, blob[:n], nil)
	}
	for bit := range len(blob) * 8 {
		b := slices.Clone(blob)
		b[bit/8] ^= 1 << (bit % 8)
		add(fmt.Sprintf("flip %d.%d", bit/8, bit%8), "open", raw(0), message, b, nil)
	}
	add("trailing byte", "open", raw(0), message, append(slices.Clone(blob), 0), nil)
	add("twice", "open", raw(0), message, slices.Concat(blob, blob), nil)
	add("wrong key", "open", raw(1), message, blob, nil)
	for _, c := range []struct {
		name string
		ec   kms.Context
	}{
		{"none", nil},
		{"value", kms.Context{"holdfast:purpose": "message", "tenant": "acmf"}},
		{"key", kms.Context{"holdfast:purpose": "message", "Tenant": "acme"}},
		{"purpose", kms.Context{"holdfast:purpose": "tenant-key", "tenant": "acme"}},
		{"without purpose", kms.Context{"tenant": "acme"}},
		{"one more", kms.Context{"holdfast:purpose": "message", "tenant": "acme", "x": ""}},
		{"one less", kms.Context{"holdfast:purpose": "message"}},
	} {
		add("wrong context: "+c.name, "open", raw(0), c.ec, blob, nil)
	}
	vectors.Write(t, blobsFile, list)
}
