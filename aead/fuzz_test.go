package aead

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzRecordOpen opens anything under the key of the vectors: of it, only the vectors open.
func FuzzRecordOpen(f *testing.F) {
	k := vectorKey(0)
	genuine := map[string]bool{}
	for _, v := range loadVectors(f, vectorsFile) {
		if v.Kind == "record" {
			sealed, ad := unhex(f, v.In), unhex(f, v.AAD)
			f.Add(sealed, ad)
			if v.Expect == "ok" {
				genuine[string(sealed)+"|"+string(ad)] = true
			}
		}
	}
	f.Fuzz(func(t *testing.T, b, ad []byte) {
		if got, err := k.Open(nil, b, ad); err == nil && !genuine[string(b)+"|"+string(ad)] {
			t.Fatalf("%x opened to %x", b, got)
		} else if err != nil && err != ErrOpen {
			t.Fatalf("unknown error: %v", err)
		}
		sealed := k.Seal(nil, b, ad)
		got, err := k.Open(nil, sealed, ad)
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%x does not open to what was sealed: %v", b, err)
		}
		bit := 0
		if len(b) > 0 {
			bit = int(b[0]) * len(sealed) * 8 / 256
		}
		if _, err := k.Open(nil, flip(sealed, bit), ad); err != ErrOpen {
			t.Fatalf("bit %d does not matter", bit)
		}
	})
}

// FuzzStream opens anything in three ways, which must agree; and what they open, sealed again, opens to the same.
func FuzzStream(f *testing.F) {
	k, aad := vectorKey(0), []byte("ad")
	genuine := map[string]bool{}
	for _, file := range []string{vectorsFile, floeVectorsFile} {
		for _, v := range loadVectors(f, file) {
			if v.Kind == "stream" {
				if !strings.Contains(v.Name, "flip") || strings.HasSuffix(v.Name, ".0") { // a bit of each byte will do
					f.Add(unhex(f, v.In))
				}
				genuine[v.In] = genuine[v.In] || v.Expect == "ok"
			}
		}
	}
	o := &StreamOptions{MaxSegmentSize: 1 << 20, Workers: 2}
	f.Fuzz(func(t *testing.T, b []byte) {
		read, err := openStreamBytes(k, aad, b, o)
		copied, copyErr := openCopy(k, aad, b, o)
		at, atErr := openAt(k, aad, b, o)
		if class(err) != class(copyErr) || !bytes.Equal(read, copied) {
			t.Fatalf("Read has %d bytes, %v; WriteTo %d, %v", len(read), err, len(copied), copyErr)
		}
		if (err == nil) != (atErr == nil) || err == nil && !bytes.Equal(read, at) {
			t.Fatalf("Read has %d bytes, %v; ReadAt %d, %v", len(read), err, len(at), atErr)
		}
		for _, e := range []error{err, atErr} {
			if e != nil && class(e) == e.Error() {
				t.Fatalf("unknown error: %v", e)
			}
		}
		if err == nil && !genuine[*hexOf(b)] {
			t.Fatalf("%x opened to %x", b, read)
		}
		sealed := sealStream(t, k, aad, b, &StreamOptions{SegmentSize: 64})
		for _, c := range openers {
			if got, err := c.open(k, aad, sealed, o); err != nil || !bytes.Equal(got, b) {
				t.Fatalf("%s does not open what was sealed: %v", c.name, err)
			}
		}
	})
}
