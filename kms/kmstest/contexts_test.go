package kmstest

import (
	"bytes"
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/holdfast-go/holdfast/kms"
)

// binds has a driver authenticate what lossy makes of a context.
func binds(lossy func(kms.Context) kms.Context) func(*broken, *Harness) {
	return func(b *broken, _ *Harness) {
		b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
			if _, err := ec.Canonical(); err != nil {
				return kms.Wrapped{}, err
			}
			return b.fakeDriver.Wrap(ctx, p, lossy(ec))
		}
		b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
			if _, err := ec.Canonical(); err != nil {
				return nil, err
			}
			return b.fakeDriver.Unwrap(ctx, w, lossy(ec))
		}
	}
}

// bindsTexts has a driver authenticate what key and value make of these.
func bindsTexts(key, value func(string) string) func(*broken, *Harness) {
	return binds(func(ec kms.Context) kms.Context {
		lost := kms.Context{}
		for k, v := range ec {
			lost["k"+key(k)] = value(v)
		}
		return lost
	})
}

// bindsJoined has a driver authenticate pairs one behind the other.
func bindsJoined(is, between string, escape func(string) string) func(*broken, *Harness) {
	return binds(func(ec kms.Context) kms.Context {
		var list []string
		for k, v := range ec {
			list = append(list, escape(k)+is+escape(v))
		}
		slices.Sort(list)
		return kms.Context{"joined": strings.Join(list, between)}
	})
}

// contextMutants break what a driver binds to.
func contextMutants() []mutant {
	same := func(s string) string { return s }
	lose := func(name string, f func(string) string) []mutant {
		return []mutant{
			{name + " of a key", "wrong context", bindsTexts(f, same)},
			{name + " of a value", "wrong context", bindsTexts(same, f)},
		}
	}
	ascii := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r > unicode.MaxASCII {
				return '?'
			}
			return r
		}, s)
	}
	list := slices.Concat(
		lose("ignores the case", strings.ToLower),
		lose("trims the space", strings.TrimSpace),
		lose("composes the letters", func(s string) string { return strings.ReplaceAll(s, "e\u0301", "\u00e9") }),
		lose("reads as ASCII the letters", ascii),
		lose("takes the first 999 bytes", func(s string) string { return s[:min(len(s), 999)] }),
	)
	value := func(name string, f func(string) string) {
		list = append(list, mutant{name, "wrong context", bindsTexts(same, f)})
	}
	value("ignores the case of ASCII", func(s string) string { return string(bytes.ToLower([]byte(ascii(s)))) })
	value("trims the line end", func(s string) string { return strings.TrimRight(s, "\r\n") })
	value("runs spaces together", func(s string) string { return strings.ReplaceAll(s, "  ", " ") })
	value("cuts at NUL", func(s string) string { s, _, _ = strings.Cut(s, "\x00"); return s })
	value("drops NUL", func(s string) string { return strings.ReplaceAll(s, "\x00", "") })
	value("decodes percents", func(s string) string {
		if decoded, err := url.PathUnescape(s); err == nil {
			return decoded
		}
		return s
	})
	value("leaves out byte 65", func(s string) string {
		if len(s) > 64 {
			s = s[:64] + s[65:]
		}
		return s
	})
	for _, join := range [][2]string{
		{"", ""},
		{"=", ","},
		{"=", "&"},
		{"=", ";"},
		{":", ","},
		{":", "\n"},
		{"\x00", "\x00"},
		{`":"`, `","`},
	} {
		list = append(list, mutant{"joins pairs by " + join[0] + " and " + join[1], "wrong context", bindsJoined(join[0], join[1], same)})
	}
	return append(
		list,
		mutant{"escapes all but the escape", "wrong context", bindsJoined("=", ",", func(s string) string {
			return strings.NewReplacer("=", `\=`, ",", `\,`).Replace(s)
		})},
		mutant{"escapes the comma only", "wrong context", bindsJoined("=", ",", func(s string) string {
			return strings.ReplaceAll(s, ",", `\,`)
		})},
		mutant{"binds 19 pairs", "wrong context", binds(func(ec kms.Context) kms.Context {
			bound := kms.Context{}
			for i, k := range slices.Sorted(maps.Keys(ec)) {
				if i < 19 {
					bound[k] = ec[k]
				}
			}
			return bound
		})},
		mutant{"takes half of what a context may be", "round trip", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				if canonical, err := ec.Canonical(); err == nil && len(canonical) > maxContext/2 {
					return kms.Wrapped{}, kms.ErrInvalid
				}
				return b.fakeDriver.Wrap(ctx, p, ec)
			}
		}},
	)
}
