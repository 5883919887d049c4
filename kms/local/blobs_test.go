package local

import (
	"bytes"
	"crypto/fips140"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

const blobsFile = "testdata/blobs.json"

var update = flag.Bool("update", false, "write "+blobsFile+" anew")

// blobVector is one entry of a vectors file, as FORMAT.md section 9 describes them.
type blobVector struct {
	Name     string      `json:"name"`
	Kind     string      `json:"kind"`
	Expect   string      `json:"expect"`
	LocalKey string      `json:"localKey"`
	Context  kms.Context `json:"context,omitempty"` // the full one
	In       string      `json:"in"`
	Out      *string     `json:"out,omitempty"` // absent where nothing opens
}

func TestBlobs(t *testing.T) {
	b, err := os.ReadFile(blobsFile)
	require.NoError(t, err)
	var f struct {
		Format  string       `json:"format"`
		Vectors []blobVector `json:"vectors"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&f))
	require.Equal(t, "holdfast vectors v1", f.Format)
	require.NotEmpty(t, f.Vectors)
	keys := map[string]*kms.Key{}
	for _, v := range f.Vectors {
		if keys[v.LocalKey] == nil {
			raw, err := hex.DecodeString(v.LocalKey)
			require.NoError(t, err)
			keys[v.LocalKey] = blobKey(t, raw)
		}
		t.Run(v.Name, func(t *testing.T) {
			require.Equal(t, "local", v.Kind)
			k := keys[v.LocalKey]
			blob, err := hex.DecodeString(v.In)
			require.NoError(t, err)
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
	if !*update {
		t.Skip("runs with -update only")
	}
	if fips140.Version() == "v1.0.0" {
		t.Skip("testing/cryptotest can't fix randomness under GOFIPS140=v1.0.0")
	}
	cryptotest.SetGlobalRandom(t, 6)
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
	var list []blobVector
	add := func(name, expect string, key []byte, ec kms.Context, in, out []byte) {
		v := blobVector{Name: "local " + name, Kind: "local", Expect: expect, LocalKey: hex.EncodeToString(key), Context: ec, In: hex.EncodeToString(in)}
		if expect == "ok" {
			s := hex.EncodeToString(out)
			v.Out = &s
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
	var b bytes.Buffer
	b.WriteString("{\"format\":\"holdfast vectors v1\",\"vectors\":[\n")
	for i, v := range list {
		line, err := json.Marshal(v)
		require.NoError(t, err)
		if i > 0 {
			b.WriteString(",\n")
		}
		b.Write(line)
	}
	b.WriteString("\n]}\n")
	require.NoError(t, os.WriteFile(blobsFile, b.Bytes(), 0o644))
}
