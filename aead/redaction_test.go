package aead

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canary is a key whose bytes are easy to find in what is printed.
var canary = []byte{
	0xc3, 0xa4, 0xd9, 0xee, 0x91, 0xbd, 0xfa, 0x87, 0xe1, 0xb3, 0x9d, 0xcc, 0xf6, 0x8b, 0xda, 0xa9,
	0xb7, 0xf1, 0x95, 0xe8, 0xc6, 0xab, 0xdf, 0x83, 0xec, 0x99, 0xb1, 0xf4, 0xd2, 0x8d, 0xa6, 0xcb,
}

// leaks returns the forms of the canary that text holds, of any four bytes in a row.
func leaks(text string) (found []string) {
	for i := range len(canary) - 3 {
		part := canary[i : i+4]
		decimal, octal, spaced := make([]string, 4), make([]string, 4), make([]string, 4)
		for j, c := range part {
			decimal[j], octal[j] = strconv.Itoa(int(c)), strconv.FormatInt(int64(c), 8)
			spaced[j] = fmt.Sprintf("%02x", c)
		}
		quoted := strconv.Quote(string(part))
		for name, form := range map[string]string{
			"raw":            string(part),
			"hex":            hex.EncodeToString(part),
			"upper hex":      strings.ToUpper(hex.EncodeToString(part)),
			"spaced hex":     strings.Join(spaced, " "),
			"0x hex":         "0x" + strings.Join(spaced, ", 0x"),
			"decimal":        strings.Join(decimal, " "),
			"decimal, comma": strings.Join(decimal, ","),
			"decimal, both":  strings.Join(decimal, ", "),
			"octal":          strings.Join(octal, " "),
			"quoted":         quoted[1 : len(quoted)-1],
		} {
			if strings.Contains(text, form) {
				found = append(found, name)
			}
		}
	}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if strings.Contains(text, e.EncodeToString(canary)[:40]) {
			found = append(found, "base64")
		}
	}
	return found
}

func TestLeaksFindsTheCanary(t *testing.T) {
	for _, verb := range []string{"%s", "%x", "%X", "% x", "%#v", "%v", "%d", "%o", "%q"} {
		require.NotEmpty(t, leaks(fmt.Sprintf(verb, canary)), verb)
	}
	b, err := json.Marshal(canary)
	require.NoError(t, err)
	require.NotEmpty(t, leaks(string(b)))
}

// holder holds a key in every way, so that no method of it is called where fields are unexported.
type holder struct {
	Exported   Key
	ExportedP  *Key
	unexported Key
	pointer    *Key
	Slice      []Key
	Map        map[string]*Key
	Any        any
	inner      struct{ keys [2]*Key }
}

func holders(k *Key) map[string]any {
	h := holder{*k, k, *k, k, []Key{*k}, map[string]*Key{"k": k}, k, struct{ keys [2]*Key }{[2]*Key{k, k}}}
	return map[string]any{
		"key":       *k,
		"pointer":   k,
		"struct":    h,
		"to struct": &h,
		"slice":     []Key{*k},
		"pointers":  []*Key{k},
		"array":     [1]Key{*k},
		"map":       map[string]Key{"k": *k},
		"error":     fmt.Errorf("wrapped: %w", keyError{k}),
	}
}

type keyError struct{ key *Key }

func (e keyError) Error() string { return fmt.Sprint("with ", e.key) }

// used is a key that holds all that a key can hold.
func used(t *testing.T, b []byte) *Key {
	k := parse(t, b)
	for range 5 {
		_, err := k.Open(nil, parse(t, b).Seal(nil, []byte("x"), nil), nil)
		require.NoError(t, err)
	}
	k.Seal(nil, nil, nil)
	return k
}

func TestPrintingRedacts(t *testing.T) {
	k := used(t, canary)
	short := k.String()
	for name, v := range holders(k) {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
			for _, flags := range []string{"", "+", "#", " ", "0", "-60", "60.3", "# "} {
				out := fmt.Sprintf("%"+flags+string(verb), v)
				require.Empty(t, leaks(out), "%%%s%c of %s: %s", flags, verb, name, out)
			}
		}
		require.Empty(t, leaks(fmt.Sprintln(v)))
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, short, fmt.Sprintf(format, k))
		require.Equal(t, short, fmt.Sprintf(format, *k))
	}
	require.Equal(t, "["+short+"]", fmt.Sprint([]*Key{k}))
}

func TestLoggingRedacts(t *testing.T) {
	k := used(t, canary)
	for name, v := range holders(k) {
		var text, asJSON bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("message", "k", v, slog.Group("g", "k", v))
		slog.New(slog.NewJSONHandler(&asJSON, nil)).Info("message", "k", v, slog.Group("g", "k", v))
		require.Empty(t, leaks(text.String()), name)
		require.Empty(t, leaks(asJSON.String()), name)
	}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("message", "k", k)
	require.Contains(t, b.String(), k.String())
}

func TestMarshallingRedacts(t *testing.T) {
	k := used(t, canary)
	for name, v := range holders(k) {
		b, err := json.Marshal(v)
		require.NoError(t, err, name)
		require.Empty(t, leaks(string(b)), name)
	}
	b, err := json.Marshal(k)
	require.NoError(t, err)
	require.JSONEq(t, `"`+k.String()+`"`, string(b))
	require.Error(t, json.Unmarshal(fmt.Appendf(nil, `{"ExportedP":%s}`, b), new(holder)), "a name must not become a key")
}

// failure records what an assertion prints.
type failure struct{ text string }

func (f *failure) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

// TestDumpingRedacts looks at a failed assertion: it dumps by reflection, through unexported pointers.
func TestDumpingRedacts(t *testing.T) {
	k, other := used(t, canary), used(t, pattern(KeySize))
	for name, v := range holders(k) {
		var f failure
		require.False(t, assert.Equal(&f, holders(other)[name], v))
		require.NotEmpty(t, f.text)
		require.Empty(t, leaks(f.text), name)
	}
	var f failure
	require.False(t, assert.ErrorIs(&f, errors.New("another"), keyError{k}))
	require.Empty(t, leaks(f.text))
}
