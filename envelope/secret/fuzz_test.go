package secret_test

import (
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/secret"
)

// FuzzOpenText opens changed texts: only what was sealed opens. Every process of a fuzzer has keys of its own, so inputs are changes: x over
// the text at a place by exclusive or, and cut to a length.
func FuzzOpenText(f *testing.F) {
	tn := envelopetest.New(f, nil).Tenant("config")
	sealed := sealedText(f, tn, "db", "hunter2")
	for _, x := range []string{"", "\x01", "\x20", "\n"} {
		for _, at := range []uint16{0, 4, 7, 8, 30, uint16(len(sealed) - 1), uint16(len(sealed))} {
			f.Add(at, uint16(len(sealed)+1), []byte(x))
			f.Add(at, at, []byte(x))
		}
	}
	f.Fuzz(func(t *testing.T, at, length uint16, x []byte) {
		b := []byte(sealed)
		for i, c := range x {
			if j := int(at) + i; j < len(b) {
				b[j] ^= c
			} else {
				b = append(b, c)
			}
		}
		in := string(b[:min(len(b), int(length))])
		text, err := secret.OpenText(t.Context(), tn, "db", in)
		if whole := strings.TrimSpace(in) == sealed; whole != (err == nil) {
			t.Fatalf("whole: %t, error: %v", whole, err)
		}
		if err == nil && text.Reveal() != "hunter2" || err != nil && text.Reveal() != "" {
			t.Fatal("another text")
		}
		if a := envelope.ActionFor(err); err != nil && a != envelope.Reject && a != envelope.Fix {
			t.Fatalf("%v is for %v", err, a)
		}
	})
}
