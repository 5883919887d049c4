package hpke

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestPEM(t *testing.T) {
	needHPKE(t)
	for _, k := range kems() {
		t.Run(k.String(), func(t *testing.T) {
			priv, err := GenerateKey(k)
			require.NoError(t, err)
			sizes := map[KEM][2]int{MLKEM768X25519: {1742, 1789}, MLKEM1024P384: {2351, 2394}}[k] // as documented
			require.Equal(t, sizes, [2]int{len(priv.Public().PEM()), len(priv.PEM())})
			pub, err := ParsePublicKey(priv.Public().PEM())
			require.NoError(t, err)
			again, err := ParsePrivateKey(priv.PEM())
			require.NoError(t, err)
			requirePair(t, again, pub)
			requirePair(t, priv, pub)
			require.Equal(t, priv.PEM(), again.PEM())
			require.Equal(t, priv.Public().PEM(), pub.PEM())

			dressed := "\n " + strings.ReplaceAll(string(priv.Public().PEM()), "\n", "\r\n") + "\t\r\n"
			_, err = ParsePublicKey([]byte(dressed))
			require.NoError(t, err, "white space around it and Windows' line ends are fine")
			_, err = ParsePrivateKey(priv.Public().PEM())
			require.ErrorIs(t, err, kms.ErrInvalid)
			_, err = ParsePublicKey(priv.PEM())
			require.ErrorIs(t, err, kms.ErrInvalid)
		})
	}
}

// TestPEMBody takes the files of testdata apart by the layout of the documentation.
func TestPEMBody(t *testing.T) {
	needHPKE(t)
	for i, k := range kems() {
		t.Run(k.String(), func(t *testing.T) {
			priv := seeded(t, k, byte(i))
			seed := make([]byte, 32)
			for j := range seed {
				seed[j] = byte(i + j)
			}
			s, err := k.suite()
			require.NoError(t, err)
			std, err := s.kem.NewPrivateKey(seed)
			require.NoError(t, err)
			head := append([]byte{byte(k >> 8), byte(k)}, std.PublicKey().Bytes()...)
			checked := func(body ...[]byte) []byte {
				b := slices.Concat(body...)
				sum := sha256.Sum256(b)
				return append(b, sum[:8]...)
			}

			require.Equal(t, pemFile(t, k, "public"), pem.EncodeToMemory(&pem.Block{Type: "HOLDFAST HPKE PUBLIC KEY", Bytes: checked(head)}))
			require.Equal(t, pemFile(t, k, "private"), pem.EncodeToMemory(&pem.Block{Type: "HOLDFAST HPKE PRIVATE KEY", Bytes: checked(head, seed)}))
			block, rest := pem.Decode(pemFile(t, k, "sealed"))
			require.Empty(t, rest)
			require.Equal(t, "HOLDFAST HPKE SEALED PRIVATE KEY", block.Type)
			stored, ok := bytes.CutPrefix(block.Bytes[:len(block.Bytes)-8], head)
			require.True(t, ok)
			require.Equal(t, block.Bytes, checked(head, stored))
			w, rest, err := kms.ParseWrapped(stored)
			require.NoError(t, err)
			require.Empty(t, rest)
			got, err := identity(t, seeded(t, kems()[1-i], byte(1-i))).Unwrap(open(t), w, kms.Context{
				"holdfast:purpose": "hpke private key", "holdfast:key": priv.Public().ID(),
			})
			require.NoError(t, err)
			require.Equal(t, seed, got)

			public, err := ParsePublicKey(pemFile(t, k, "public"))
			require.NoError(t, err)
			private, err := ParsePrivateKey(pemFile(t, k, "private"))
			require.NoError(t, err)
			requirePair(t, private, public)
			opened, err := OpenPrivateKey(t.Context(), pemFile(t, k, "sealed"), identity(t, seeded(t, kems()[1-i], byte(1-i))))
			require.NoError(t, err)
			requirePair(t, opened, public)
		})
	}
}

// pemFile returns a file of testdata. Its key is seeded(k, i), where k is kems()[i], and the sealed one is
// sealed under that of the other KEM.
func pemFile(t testing.TB, k KEM, kind string) []byte {
	t.Helper()
	b, err := os.ReadFile(pemPath(k, kind))
	require.NoError(t, err)
	return b
}

func pemPath(k KEM, kind string) string { return fmt.Sprintf("testdata/%s.%s.pem", k, kind) }

// body returns what a file's check value is of.
func body(text []byte) []byte {
	block, _ := pem.Decode(text)
	return block.Bytes[:len(block.Bytes)-checkSize]
}

// TestFlips flips each bit of the files, but of the last line's end, which may be other white space: none parses then.
func TestFlips(t *testing.T) {
	needHPKE(t)
	step := 1
	if testing.Short() {
		step = 11 // each bit of a byte comes up
	}
	for i, k := range kems() {
		under := identity(t, seeded(t, kems()[1-i], byte(1-i)))
		for kind, parse := range map[string]func([]byte) error{
			"public":  func(b []byte) error { _, err := ParsePublicKey(b); return err },
			"private": func(b []byte) error { _, err := ParsePrivateKey(b); return err },
			"sealed":  func(b []byte) error { _, err := OpenPrivateKey(t.Context(), b, under); return err },
		} {
			t.Run(k.String()+" "+kind, func(t *testing.T) {
				text := pemFile(t, k, kind)
				require.NoError(t, parse(text))
				for bit := 0; bit < (len(text)-1)*8; bit += step {
					text[bit/8] ^= 1 << (bit % 8)
					if err := parse(text); !errors.Is(err, kms.ErrInvalid) {
						t.Fatalf("bit %d of the file: %v", bit, err)
					}
					text[bit/8] ^= 1 << (bit % 8)
				}
			})
		}
	}
}

func TestParseRefuses(t *testing.T) {
	needHPKE(t)
	priv := seeded(t, MLKEM768X25519, 1)
	public, private := priv.Public().PEM(), priv.PEM()
	changed := func(text []byte, kind string, change func(b []byte) []byte) []byte {
		return encodeFile(kind, change(bytes.Clone(body(text))))
	}
	flip := func(i int) func([]byte) []byte {
		return func(b []byte) []byte { b[i] ^= 1; return b }
	}
	size := len(body(private))
	for _, kind := range []struct {
		name, kind string
		good       []byte
		parse      func([]byte) error
	}{
		{"public", publicType, public, func(b []byte) error { _, err := ParsePublicKey(b); return err }},
		{"private", privateType, private, func(b []byte) error { _, err := ParsePrivateKey(b); return err }},
	} {
		bad := map[string][]byte{
			"nothing":         {},
			"no PEM":          []byte("key"),
			"twice":           slices.Concat(kind.good, kind.good),
			"text before":     slices.Concat([]byte("key: "), kind.good),
			"line before":     slices.Concat([]byte("key\n"), kind.good),
			"line after":      slices.Concat(kind.good, []byte("key\n")),
			"no end":          kind.good[:len(kind.good)-10],
			"header":          pem.EncodeToMemory(&pem.Block{Type: kind.kind, Headers: map[string]string{"a": "b"}, Bytes: append(body(kind.good), checkValue(body(kind.good))...)}),
			"other type":      encodeFile("PUBLIC KEY", body(kind.good)),
			"other ours":      encodeFile(sealedType, body(kind.good)),
			"no body":         pem.EncodeToMemory(&pem.Block{Type: kind.kind}),
			"no check value":  pem.EncodeToMemory(&pem.Block{Type: kind.kind, Bytes: body(kind.good)}),
			"half of one":     pem.EncodeToMemory(&pem.Block{Type: kind.kind, Bytes: make([]byte, checkSize-1)}),
			"empty body":      encodeFile(kind.kind, nil),
			"one byte":        encodeFile(kind.kind, []byte{0x64}),
			"only the KEM":    encodeFile(kind.kind, []byte{0x64, 0x7a}),
			"cut":             changed(kind.good, kind.kind, func(b []byte) []byte { return b[:len(b)-1] }),
			"longer":          changed(kind.good, kind.kind, func(b []byte) []byte { return append(b, 0) }),
			"unknown KEM":     changed(kind.good, kind.kind, flip(1)),
			"other KEM":       changed(kind.good, kind.kind, func(b []byte) []byte { b[0], b[1] = 0, 0x51; return b }),
			"no ML-KEM key":   changed(kind.good, kind.kind, func(b []byte) []byte { b[2], b[3] = 0xff, 0xff; return b }),
			"low order point": changed(kind.good, kind.kind, func(b []byte) []byte { clear(b[2+1184 : 2+1216]); return b }),
			"joined lines":    joined(kind.good),
			"too large":       encodeFile(kind.kind, make([]byte, maxFile)),
		}
		if kind.kind == privateType {
			bad["other seed"] = changed(kind.good, kind.kind, flip(size-1))
			bad["other public half"] = changed(kind.good, kind.kind, flip(2+1184))
		}
		for name, text := range bad {
			t.Run(kind.name+" "+name, func(t *testing.T) {
				require.ErrorIs(t, kind.parse(text), kms.ErrInvalid)
			})
		}
		require.NoError(t, kind.parse(kind.good))
	}
}

// joined returns text with two lines made one.
func joined(text []byte) []byte {
	lines := bytes.SplitN(text, []byte("\n"), 3)
	return slices.Concat(lines[0], []byte("\n"), lines[1], lines[2])
}
