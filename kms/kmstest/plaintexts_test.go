package kmstest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"

	"github.com/holdfast-go/holdfast/kms"
)

// plaintextMutants change or show what they wrap.
func plaintextMutants() []mutant {
	opens := func(name string, change func([]byte) []byte) mutant {
		return mutant{name, "any plaintext", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				if err == nil {
					got = change(got)
				}
				return got, err
			}
		}}
	}
	decodes := func(decode func(string) ([]byte, error)) func([]byte) []byte {
		return func(p []byte) []byte {
			if decoded, err := decode(string(p)); err == nil && len(decoded) >= 16 {
				return decoded
			}
			return p
		}
	}
	shows := func(name string, encode func([]byte) []byte) mutant {
		return mutant{name, "hides the plaintext", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				w, err := b.fakeDriver.Wrap(ctx, p, ec)
				if err == nil {
					w.Blob = append(w.Blob, encode(p)...)
				}
				return w, err
			}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				w.Blob = w.Blob[:min(len(w.Blob), 32)]
				return b.fakeDriver.Unwrap(ctx, w, ec)
			}
		}}
	}
	return []mutant{
		opens("strips leading zeros", func(p []byte) []byte { return bytes.TrimLeft(p, "\x00") }),
		opens("strips trailing zeros", func(p []byte) []byte { return bytes.TrimRight(p, "\x00") }),
		opens("cuts at a zero", func(p []byte) []byte { p, _, _ = bytes.Cut(p, []byte{0}); return p }),
		opens("opens zeros to nothing", func(p []byte) []byte {
			if len(bytes.Trim(p, "\x00")) == 0 {
				return nil
			}
			return p
		}),
		opens("takes 0xff for none", func(p []byte) []byte { return bytes.TrimRight(p, "\xff") }),
		opens("trims space", bytes.TrimSpace),
		opens("takes off padding", func(p []byte) []byte {
			if n := int(p[len(p)-1]); len(p) == 32 && n < 16 && bytes.HasSuffix(p, bytes.Repeat([]byte{byte(n)}, n)) {
				return p[:len(p)-n]
			}
			return p
		}),
		opens("takes off a bit of padding", func(p []byte) []byte {
			return bytes.TrimSuffix(bytes.TrimRight(p, "\x00"), []byte{0x80})
		}),
		opens("loses a byte of 63", func(p []byte) []byte {
			if len(p) == 63 {
				p = p[1:]
			}
			return p
		}),
		opens("decodes base64", decodes(base64.StdEncoding.DecodeString)),
		opens("decodes hex", decodes(hex.DecodeString)),
		shows("encrypts nothing", bytes.Clone),
		shows("shows the plaintext in hex", func(p []byte) []byte { return hex.AppendEncode(nil, p) }),
		shows("shows the plaintext in capital hex", func(p []byte) []byte { return bytes.ToUpper(hex.AppendEncode(nil, p)) }),
		shows("shows the plaintext in base64", func(p []byte) []byte { return base64.StdEncoding.AppendEncode(nil, p) }),
		shows("shows the plaintext in base64 of URLs", func(p []byte) []byte { return base64.RawURLEncoding.AppendEncode(nil, p) }),
		shows("shows the plaintext within base64", func(p []byte) []byte {
			return base64.StdEncoding.AppendEncode(nil, append([]byte("x"), p...))
		}),
		shows("shows 16 bytes of the plaintext", func(p []byte) []byte { return p[max(len(p), 20)-20 : max(len(p), 4)-4] }),
	}
}
