package hpke

import (
	"bytes"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
)

// FuzzUnwrap opens anything under the key of the vectors: of it, only the vectors open.
func FuzzUnwrap(f *testing.F) {
	needHPKE(f)
	byKEM := map[bool]*kms.Key{false: identity(f, seeded(f, MLKEM768X25519, 0)), true: identity(f, seeded(f, MLKEM1024P384, 1))}
	genuine := map[string]bool{}
	for _, v := range vectors.Load(f, vectorsFile) {
		blob := vectors.Unhex(f, v.In)
		ad, err := kms.Context(v.Context).Canonical()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(v.KEM == "0051", blob, ad)
		if v.Expect == "ok" {
			genuine[string(blob)+"|"+string(ad)] = true
		}
	}
	f.Fuzz(func(t *testing.T, p384 bool, blob, canonical []byte) {
		ec, err := kms.ParseContext(canonical)
		if err != nil || len(blob) == 0 || len(blob) > 65535 {
			return
		}
		k := byKEM[p384]
		got, err := k.Unwrap(open(t), kms.Wrapped{Ref: k.Ref(), Blob: blob}, ec)
		if err == nil && !genuine[string(blob)+"|"+string(canonical)] {
			t.Fatalf("%x opened to %x", blob, got)
		} else if err != nil && !errors.Is(err, kms.ErrCiphertext) {
			t.Fatalf("unknown error: %v", err)
		}
		plaintext := blob[:min(len(blob), kms.MaxPlaintext)]
		w, err := k.Wrap(open(t), plaintext, ec)
		if err != nil {
			t.Fatal(err)
		}
		got, err = k.Unwrap(open(t), w, ec)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("it does not open to what was wrapped: %v", err)
		}
		bit := int(blob[0])*len(w.Blob)*8/256 + int(blob[len(blob)-1])%8
		w.Blob[bit/8] ^= 1 << (bit % 8)
		if _, err := k.Unwrap(open(t), w, ec); !errors.Is(err, kms.ErrCiphertext) {
			t.Fatalf("bit %d does not matter", bit)
		}
	})
}

// FuzzPEM parses anything in three ways, as it is and with a check value that fits. What parses is, but for white space, what
// is written again.
func FuzzPEM(f *testing.F) {
	needHPKE(f)
	under := identity(f, seeded(f, MLKEM768X25519, 0))
	for _, k := range kems() {
		for _, kind := range []string{"public", "private", "sealed"} {
			f.Add(pemFile(f, k, kind))
		}
	}
	f.Add([]byte("-----BEGIN HOLDFAST HPKE PUBLIC KEY-----\n-----END HOLDFAST HPKE PUBLIC KEY-----\n"))
	same := func(t *testing.T, in, out []byte) {
		in = bytes.TrimSpace(bytes.ReplaceAll(in, []byte("\r\n"), []byte("\n")))
		if !bytes.Equal(in, bytes.TrimSpace(out)) {
			t.Fatalf("%q is written as %q", in, out)
		}
	}
	parse := func(t *testing.T, text []byte) {
		given := bytes.Clone(text)
		parsed := 0
		public, err := ParsePublicKey(text)
		if err == nil {
			parsed++
			same(t, text, public.PEM())
		} else if !errors.Is(err, kms.ErrInvalid) {
			t.Fatal(err)
		}
		private, err := ParsePrivateKey(text)
		if err == nil {
			parsed++
			same(t, text, private.PEM())
		} else if !errors.Is(err, kms.ErrInvalid) {
			t.Fatal(err)
		}
		opened, err := OpenPrivateKey(t.Context(), text, under)
		if err == nil {
			parsed++
			if !bytes.Equal(opened.PEM(), pemFile(t, MLKEM1024P384, "private")) {
				t.Fatal("a sealed key opened that nobody sealed")
			}
		} else if !errors.Is(err, kms.ErrInvalid) && !errors.Is(err, kms.ErrNotFound) && !errors.Is(err, kms.ErrCiphertext) {
			t.Fatal(err)
		}
		if parsed > 1 {
			t.Fatalf("%q is several things at once", text)
		}
		if !bytes.Equal(given, text) {
			t.Fatal("the argument was changed")
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		parse(t, text)
		if block, _ := pem.Decode(text); block != nil && len(block.Bytes) >= checkSize {
			parse(t, encodeFile(block.Type, block.Bytes[:len(block.Bytes)-checkSize]))
		}
	})
}
