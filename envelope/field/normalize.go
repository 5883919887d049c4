package field

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/holdfast-go/holdfast/kms"
)

// The normalizers. Tokens in databases rest on what each does, so that a change is a new version under a new name.
const (
	exactV1    = "exact/v1"    // the bytes as they are
	casefoldV1 = "casefold/v1" // names and words: compatibility forms, case and white space at the ends don't count
	emailV1    = "email/v1"    // as casefold/v1, but ß is not ss
	phoneV1    = "phone/v1"    // as casefold/v1, and separators don't count
)

// maxIndexed is the longest value that is indexed, in bytes. Its normal form is up to 11 times as long: U+FDFA, of 3 bytes, becomes 33.
const maxIndexed = 4096

func knownNormalizer(name string) bool {
	switch name {
	case exactV1, casefoldV1, emailV1, phoneV1:
		return true
	}
	return false
}

// normalize returns the normal form of a value: values with equal forms are equal to an index. It is "" for a value of which nothing is left. The form of a form is the form itself, unless that is too long. All
// but exact/v1 refuse what is no UTF-8. Errors match kms.ErrInvalid and hold nothing of the value.
//
// The forms of characters in Unicode 15.0 stay what they are when Go and golang.org/x/text move to a newer Unicode. Of a character that Unicode adds later the form may change then.
func normalize(name, value string) (string, error) {
	switch {
	case !knownNormalizer(name):
		return "", fmt.Errorf("%w: unknown normalizer %.64q", kms.ErrInvalid, name)
	case len(value) > maxIndexed:
		return "", fmt.Errorf("%w: a value of %d bytes can't be indexed: at most %d", kms.ErrInvalid, len(value), maxIndexed)
	case name == exactV1:
		return value, nil
	case !utf8.ValidString(value):
		return "", fmt.Errorf("%w: the value is not UTF-8, which %s needs", kms.ErrInvalid, name)
	case name == emailV1:
		return normalEmail(value), nil
	case name == phoneV1:
		return normalPhone(value), nil
	default:
		return normalWords(value), nil
	}
}

func normalWords(v string) string {
	if isASCII(v) {
		return strings.ToLower(strings.TrimSpace(v))
	}
	// NFKC comes first, since it makes characters that fold, and again after it, since folding takes some apart.
	v = cases.Fold().String(norm.NFKC.String(v))
	return strings.TrimSpace(norm.NFKC.String(strings.Map(cherokee, v)))
}

// cherokee returns the capital for a small Cherokee letter. Unicode folds these to their capitals, while x/text swaps the two.
func cherokee(r rune) rune {
	switch {
	case 0xab70 <= r && r <= 0xabbf:
		return r - 0xab70 + 0x13a0
	case 0x13f8 <= r && r <= 0x13fd:
		return r - 8
	}
	return r
}

func normalEmail(v string) string {
	if isASCII(v) {
		return strings.ToLower(strings.TrimSpace(v))
	}
	v = norm.NFKC.String(v)
	// Unicode's lower case of İ is i with a dot of its own. ToLower, which maps one character to one, would make it a plain i, and so another person's address.
	v = strings.ToLower(strings.ReplaceAll(v, "\u0130", "i\u0307"))
	// At the end of a word Σ is ς in lower case. Without a word's end to go by, as in an address, both are σ.
	v = strings.ReplaceAll(v, "\u03c2", "\u03c3")
	return strings.TrimSpace(norm.NFKC.String(v))
}

func normalPhone(v string) string {
	ascii := isASCII(v)
	v = strings.Map(phoneRune, normalWords(v))
	if !ascii {
		v = norm.NFKC.String(v) // characters that separators kept apart may compose
	}
	if rest, ok := strings.CutPrefix(v, "00"); ok {
		return "+" + rest
	}
	return v
}

// phoneRune returns the ASCII digit for any script's, -1 for what only separates digits, and every other character as it is.
func phoneRune(r rune) rune {
	switch {
	case '0' <= r && r <= '9', r == '+':
		return r
	case strings.ContainsRune("()[]/.\u00b7\u2212\u30fc", r): // the last ones are middle dot, minus, and the long vowel mark that Japanese keyboards give for a dash
		return -1
	case unicode.IsSpace(r), unicode.Is(unicode.Zs, r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r): // Cf: direction marks that come along with copied numbers
		return -1
	case unicode.Is(unicode.Nd, r):
		return '0' + digitOf(r)
	}
	return r
}

// digitOf returns the value of a decimal digit. Unicode has each script's ten in a row, from zero, and rows only next to other whole rows.
func digitOf(r rune) rune {
	zero := r
	for unicode.Is(unicode.Nd, zero-1) {
		zero--
	}
	return (r - zero) % 10
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
