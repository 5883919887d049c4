package field

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/rangetable"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/kms"
)

type normalizeVector struct{ Normalizer, Name, Value, Form string }

func normalizeVectors(t testing.TB) []normalizeVector {
	data, err := os.ReadFile("testdata/normalize.json")
	require.NoError(t, err)
	var file struct{ Vectors []normalizeVector }
	require.NoError(t, json.Unmarshal(data, &file))
	require.Greater(t, len(file.Vectors), 100)
	return file.Vectors
}

func TestNormalizeVectors(t *testing.T) {
	for _, v := range normalizeVectors(t) {
		t.Run(v.Normalizer+"/"+v.Name, func(t *testing.T) {
			form, err := normalize(v.Normalizer, v.Value)
			require.NoError(t, err)
			require.Equal(t, v.Form, form, "%+q is not %+q", form, v.Form)
			again, err := normalize(v.Normalizer, form)
			require.NoError(t, err)
			require.Equal(t, form, again)
		})
	}
}

// The forms of the characters of Unicode 15.0 with marks behind them must never change: tokens in databases rest on them. Each form's form is itself.
func TestNormalizeNeverChanges(t *testing.T) {
	for name, want := range map[string]string{
		casefoldV1: "4c5294a095504eb6b2b927c994f6041394f2230e2a56811d9eee0eb011367b33",
		emailV1:    "cda89339b09bf3002c175db0094db8c13c326127d96ad02ad5a4794a2496a804",
		phoneV1:    "90105be7e2c610486eb23da52b59de823c664338baeed1294d7a1b8389535fc6",
	} {
		t.Run(name, func(t *testing.T) {
			hash := sha256.New()
			var text strings.Builder
			flush := func() {
				form, err := normalize(name, text.String())
				require.NoError(t, err)
				again, err := normalize(name, form)
				require.NoError(t, err)
				require.Equal(t, form, again, "%+q", text.String())
				hash.Write([]byte(form + "\n"))
				text.Reset()
			}
			rangetable.Visit(rangetable.Assigned("15.0.0"), func(r rune) {
				if !utf8.ValidRune(r) || unicode.In(r, unicode.Co, unicode.Unified_Ideograph) {
					return // halves of UTF-16's pairs are not in UTF-8; private characters and plain ideographs are many, and their own forms
				}
				text.WriteString("x" + string(r) + "\u0345\u0301")
				if text.Len() > maxIndexed/16 {
					flush()
				}
			})
			flush()
			require.Equal(t, want, hex.EncodeToString(hash.Sum(nil)))
		})
	}
}

// A newer Unicode changes nothing of old characters, as the test above tells, and brings new ones, whose forms change: note in the changelog which Unicode it is, and then here.
func TestNormalizeUnicodeVersion(t *testing.T) {
	const known = "15.0.0"
	require.Equal(t, known, unicode.Version)
	require.Equal(t, known, norm.Version)
	require.Equal(t, known, cases.UnicodeVersion)
}

func TestNormalizeRefuses(t *testing.T) {
	long := strings.Repeat("\u00e4", maxIndexed/2)
	tests := map[string]struct{ normalizer, value string }{
		"no normalizer":      {"", "canary"},
		"unknown normalizer": {"email/v2", "canary"},
		"another case":       {"EMAIL/V1", "canary"},
		"too long, exact":    {exactV1, strings.Repeat("canary", maxIndexed)},
		"too long, words":    {casefoldV1, long + "c"},
		"too long, e-mail":   {emailV1, long + "c"},
		"too long, phone":    {phoneV1, long + "c"},
		"blank and too long": {emailV1, strings.Repeat(" ", maxIndexed+1)},
		"no UTF-8, words":    {casefoldV1, "canary\xff"},
		"no UTF-8, e-mail":   {emailV1, "canary\xc3@example.com"},
		"no UTF-8, phone":    {phoneV1, "canary\xed\xa0\x80"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			form, err := normalize(test.normalizer, test.value)
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Empty(t, form)
			require.NotContains(t, err.Error(), "canary")
		})
	}
	for _, name := range []string{exactV1, casefoldV1, emailV1, phoneV1} {
		_, err := normalize(name, long)
		require.NoError(t, err, "%s, as long as is allowed", name)
		require.True(t, knownNormalizer(name))
	}
	require.False(t, knownNormalizer("email"))
	form, err := normalize(exactV1, "a\xffb")
	require.NoError(t, err, "exact takes any bytes")
	require.Equal(t, "a\xffb", form)
}

func TestNormalizeIsOneForm(t *testing.T) {
	// Characters that change or move in some step, so that their mixtures are where forms would differ.
	odd := rapid.SampledFrom([]rune("aIK\u00df\u1e9e\u0130\u0131\u0149\u01f0\u0390\u03a3\u03c2\u0345\u0301\u0323\u0308\u034f\u0307\u00a8\u00a0\u200b\u202a\u2126\u212a\ufb03\ufdfa\uff76\uff9e\u1112\u1161\u11ab\u13a0\uab70\u1f80\u1fb3\u0587-() 0+\u0660\U00010400\U0001d7ce"))
	value := rapid.OneOf(rapid.StringOfN(odd, 0, 60, -1), rapid.StringN(0, 60, -1))
	rapid.Check(t, func(t *rapid.T) {
		s := value.Draw(t, "value")
		for _, name := range []string{exactV1, casefoldV1, emailV1, phoneV1} {
			normalizeTwice(t, name, s)
		}
		// Canonically equal values are equal, and white space around them doesn't count.
		if !utf8.ValidString(s) {
			return
		}
		for _, name := range []string{casefoldV1, emailV1, phoneV1} {
			want, err := normalize(name, s)
			require.NoError(t, err)
			for _, same := range []string{norm.NFD.String(s), norm.NFKD.String(s), "\u00a0 " + s + "\t\u3000"} {
				form, err := normalize(name, same)
				require.NoError(t, err)
				require.Equal(t, want, form, "%s of %+q and %+q", name, s, same)
			}
		}
	})
}

// normalizeTwice checks that a form is its own form, and returns it.
func normalizeTwice(t require.TestingT, name, value string) string {
	form, err := normalize(name, value)
	if len(value) > maxIndexed || name != exactV1 && !utf8.ValidString(value) {
		require.ErrorIs(t, err, kms.ErrInvalid)
		require.Empty(t, form)
		return ""
	}
	require.NoError(t, err)
	require.LessOrEqual(t, len(form), 11*len(value))
	if len(form) <= maxIndexed {
		again, err := normalize(name, form)
		require.NoError(t, err)
		require.Equal(t, form, again, "%s: %+q became %+q", name, value, form)
	}
	return form
}

func FuzzNormalize(f *testing.F) {
	for _, v := range normalizeVectors(f) {
		f.Add(v.Value)
	}
	f.Add("\xff")
	f.Add(strings.Repeat("\u0345", 40))
	f.Fuzz(func(t *testing.T, value string) {
		require.Equal(t, len(value) <= maxIndexed, normalizeTwice(t, exactV1, value) == value)
		for _, name := range []string{casefoldV1, emailV1} {
			form := normalizeTwice(t, name, value)
			require.Equal(t, strings.TrimSpace(form), form)
		}
		phone := normalizeTwice(t, phoneV1, value)
		require.False(t, strings.HasPrefix(phone, "00"))
		require.False(t, strings.ContainsFunc(phone, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Cf, r) }))
	})
}

// Every script's digits are those of ASCII.
func TestNormalizeDigits(t *testing.T) {
	scripts := 0
	next := '0'
	rangetable.Visit(unicode.Nd, func(r rune) {
		require.Equal(t, string(next), normalizeTwice(t, phoneV1, string(r)), "%U", r)
		if next++; next > '9' {
			next = '0'
			scripts++
		}
	})
	require.Equal(t, '0', next)
	require.Greater(t, scripts, 60)
}

// The common case costs nothing beside the token: what is in its normal form already is not copied.
func TestNormalizeAllocations(t *testing.T) {
	tests := map[string]struct {
		normalizer, value string
		most              float64
	}{
		"e-mail":          {emailV1, " ada@example.com\n", 0},
		"e-mail, capital": {emailV1, "Ada@example.com", 1},
		"name":            {casefoldV1, "ada lovelace", 0},
		"phone":           {phoneV1, "+4930123456", 0},
		"phone, spaces":   {phoneV1, "+49 30 123456", 1},
		"exact":           {exactV1, "\u00c4rger", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = normalize(test.normalizer, test.value) }), test.most)
		})
	}
}

func BenchmarkNormalize(b *testing.B) {
	values := []struct{ name, normalizer, value string }{
		{"email-20", emailV1, "ada.love@example.com"},
		{"email-20-capitals", emailV1, "Ada.Love@Example.com"},
		{"email-20-umlaut", emailV1, "j\u00fcrgen.m@example.com"},
		{"casefold-umlaut", casefoldV1, "J\u00fcrgen M\u00fcller"},
		{"phone", phoneV1, "+49 (30) 123 45-67"},
	}
	for _, v := range values {
		b.Run("op=normalize/value="+v.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(v.value)))
			for b.Loop() {
				_, _ = normalize(v.normalizer, v.value)
			}
		})
	}
	b.Run("op=hmac/size=20", func(b *testing.B) {
		key, message, sum := make([]byte, 32), make([]byte, 20), make([]byte, 0, 32)
		b.ReportAllocs()
		b.SetBytes(int64(len(message)))
		for b.Loop() {
			mac := hmac.New(sha256.New, key)
			mac.Write(message)
			sum = mac.Sum(sum[:0])
		}
	})
}
