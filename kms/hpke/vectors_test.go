package hpke

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
)

const vectorsFile = "testdata/hpke.json"

var update = flag.Bool("update", false, "write the files of testdata anew")

// keyOf returns a vector's private key.
func keyOf(t testing.TB, v vectors.Vector) *PrivateKey {
	t.Helper()
	n := vectors.Unhex(t, v.KEM)
	require.Len(t, n, 2)
	return ofSeed(t, KEM(n[0])<<8|KEM(n[1]), vectors.Unhex(t, v.Seed))
}

func TestVectors(t *testing.T) {
	needHPKE(t)
	keys, opened := map[string]*kms.Key{}, map[string]int{}
	for _, v := range vectors.Load(t, vectorsFile) {
		require.Equal(t, "hpke", v.Kind)
		k := keys[v.KEM+v.Seed]
		if k == nil {
			k = identity(t, keyOf(t, v))
			keys[v.KEM+v.Seed] = k
		}
		t.Run(v.Name, func(t *testing.T) {
			got, err := k.Unwrap(open(t), kms.Wrapped{Ref: k.Ref(), Blob: vectors.Unhex(t, v.In)}, v.Context)
			if v.Expect == "ok" {
				require.NoError(t, err)
				require.Equal(t, *v.Out, hex.EncodeToString(got))
				opened[v.KEM]++
				return
			}
			require.Equal(t, "open", v.Expect)
			require.ErrorIs(t, err, kms.ErrCiphertext)
			require.Nil(t, got)
		})
	}
	require.Equal(t, map[string]int{"647a": 7, "0051": 7}, opened)
}

// TestUpdateVectors writes testdata, whose expectations follow from the format's rules and not from what
// the code says of them; the other tests then hold the code to them.
func TestUpdateVectors(t *testing.T) {
	vectors.BeginUpdate(t, *update, 7)
	var list []vectors.Vector
	for i, k := range kems() {
		list = append(list, vectorsOf(t, k, byte(i))...)
		priv, other := seeded(t, k, byte(i)), seeded(t, kems()[1-i], byte(1-i))
		sealed, err := priv.Seal(t.Context(), identity(t, other))
		require.NoError(t, err)
		for kind, text := range map[string][]byte{"public": priv.Public().PEM(), "private": priv.PEM(), "sealed": sealed} {
			require.NoError(t, os.WriteFile(pemPath(k, kind), text, 0o644))
		}
	}
	vectors.Write(t, vectorsFile, list)
}

func vectorsOf(t *testing.T, k KEM, n byte) (list []vectors.Vector) {
	priv, wrong := seeded(t, k, n), seeded(t, k, n+100)
	id := identity(t, priv)
	enc := priv.Public().suite.encSize
	add := func(name string, key *PrivateKey, ec kms.Context, in []byte, out *string) {
		v := vectors.Vector{
			Name: fmt.Sprintf("%s %s", k, name), Kind: "hpke", Expect: "open",
			KEM: fmt.Sprintf("%04x", uint16(k)), Seed: hex.EncodeToString(key.secret().seed),
			Context: ec, In: hex.EncodeToString(in), Out: out,
		}
		if out != nil {
			v.Expect = "ok"
		}
		list = append(list, v)
	}
	for _, c := range []struct {
		name string
		size int
		ec   kms.Context
	}{
		{"of a data key", 32, pairs()},
		{"of 1 byte", 1, pairs()},
		{"of 64 bytes", 64, pairs()},
		{"empty context", 32, nil},
		{"unicode", 32, kms.Context{"é": "e\u0301", "日本": "語", "🔑": ""}},
		{"long context", 32, kms.Context{"a": strings.Repeat("v", 1000)}},
	} {
		plaintext := make([]byte, c.size)
		for i := range plaintext {
			plaintext[i] = 100 + byte(i)
		}
		w, err := id.Wrap(open(t), plaintext, c.ec)
		require.NoError(t, err)
		add(c.name, priv, c.ec, w.Blob, vectors.Hex(plaintext))
	}
	nines := bytes.Repeat([]byte{9}, 32)
	w, err := id.Wrap(open(t), nines, pairs())
	require.NoError(t, err)
	blob := w.Blob
	add("that the bad ones are made of", priv, pairs(), blob, vectors.Hex(nines))
	change := func(name string, f func(b []byte) []byte) { add(name, priv, pairs(), f(slices.Clone(blob)), nil) }
	for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 7, 6 + enc/2, 6 + enc - 1, 6 + enc, 6 + enc + 15, 6 + enc + 16, 6 + enc + 17, len(blob) - 1} {
		change(fmt.Sprintf("cut %d", n), func(b []byte) []byte { return b[:n] })
	}
	flip := func(byteAt, bit int) {
		change(fmt.Sprintf("flip %d.%d", byteAt, bit), func(b []byte) []byte { b[byteAt] ^= 1 << bit; return b })
	}
	for i := range headerSize * 8 {
		flip(i/8, i%8)
	}
	curve := 6 + priv.Public().suite.encSize - map[KEM]int{MLKEM768X25519: x25519Size, MLKEM1024P384: p384Point}[k]
	for _, i := range []int{6, 6 + enc/2, curve - 1, curve, curve + 1, 6 + enc - 1, 6 + enc, 6 + enc + 31, 6 + enc + 32, len(blob) - 1} {
		flip(i, 0)
		flip(i, 7)
	}
	for _, c := range []struct{ name, header string }{
		{"X-Wing's numbers", "\x64\x7a\x00\x01\x00\x02"},
		{"P-384's numbers", "\x00\x51\x00\x02\x00\x02"},
		{"other KDF", string(blob[:2]) + "\x00\x03" + string(blob[4:6])},
		{"AES-128", string(blob[:4]) + "\x00\x01"},
		{"ChaCha20Poly1305", string(blob[:4]) + "\x00\x03"},
		{"export only", string(blob[:4]) + "\xff\xff"},
	} {
		if !strings.HasPrefix(string(blob), c.header) {
			change(c.name, func(b []byte) []byte { return append([]byte(c.header), b[6:]...) })
		}
	}
	change("curve point of zeros", func(b []byte) []byte { clear(b[curve : 6+enc]); return b })
	change("no header", func(b []byte) []byte { return b[6:] })
	change("trailing byte", func(b []byte) []byte { return append(b, 0) })
	change("twice", func(b []byte) []byte { return slices.Concat(b, b) })
	add("wrong key", wrong, pairs(), blob, nil)
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
	} {
		add("wrong context: "+c.name, priv, c.ec, blob, nil)
	}
	return list
}
