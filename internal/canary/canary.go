// Package canary tests that a key can't be printed, logged or encoded by
// accident, however it is held.
package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Bytes returns 32 bytes that are easy to find in what is printed: make the key of them.
func Bytes() []byte {
	return []byte{
		0xc3, 0xa4, 0xd9, 0xee, 0x91, 0xbd, 0xfa, 0x87, 0xe1, 0xb3, 0x9d, 0xcc, 0xf6, 0x8b, 0xda, 0xa9,
		0xb7, 0xf1, 0x95, 0xe8, 0xc6, 0xab, 0xdf, 0x83, 0xec, 0x99, 0xb1, 0xf4, 0xd2, 0x8d, 0xa6, 0xcb,
	}
}

// Leaks returns the forms of the canary that text holds, of any four bytes in a row.
func Leaks(text string) (found []string) {
	all := Bytes()
	for i := range len(all) - 3 {
		part := all[i : i+4]
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
	for shift := range 3 { // the body of a PEM file has it anywhere
		if strings.Contains(text, base64.RawStdEncoding.EncodeToString(all[shift:shift+27])) {
			found = append(found, "base64")
		}
		if strings.Contains(text, base64.RawURLEncoding.EncodeToString(all[shift:shift+27])) {
			found = append(found, "base64url")
		}
	}
	return found
}

// Holder holds a key in every way, so that no method of it is called where fields are unexported.
type Holder[K any] struct {
	Exported   K
	ExportedP  *K
	unexported K
	pointer    *K
	Slice      []K
	Map        map[string]*K
	Any        any
	inner      struct{ keys [2]*K }
}

type keyError struct{ key any }

func (e keyError) Error() string { return fmt.Sprint("with ", e.key) }

// Holders returns everything that has k in it, by what it is.
func Holders[K any](k *K) map[string]any {
	h := Holder[K]{*k, k, *k, k, []K{*k}, map[string]*K{"k": k}, k, struct{ keys [2]*K }{[2]*K{k, k}}}
	return map[string]any{
		"key":       *k,
		"pointer":   k,
		"struct":    h,
		"to struct": &h,
		"slice":     []K{*k},
		"pointers":  []*K{k},
		"array":     [1]K{*k},
		"map":       map[string]K{"k": *k},
		"error":     fmt.Errorf("wrapped: %w", keyError{k}),
	}
}

// failure records what an assertion prints.
type failure struct{ text string }

func (f *failure) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

// RequireRedacted requires that nothing of the canary shows in what is printed, logged, marshalled or dumped of holders, and that the
// key in them can't be read back from its JSON.
func RequireRedacted(t *testing.T, holders map[string]any) {
	t.Helper()
	for name, v := range holders {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
			for _, flags := range []string{"", "+", "#", " ", "0", "-60", "60.3", "# "} {
				out := fmt.Sprintf("%"+flags+string(verb), v)
				require.Empty(t, Leaks(out), "%%%s%c of %s", flags, verb, name)
			}
		}
		require.Empty(t, Leaks(fmt.Sprintln(v)), name)

		var log bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(h).Info("message", "k", v, slog.Group("g", "k", v))
		}
		require.Empty(t, Leaks(log.String()), name)

		b, err := json.Marshal(v)
		require.NoError(t, err, name)
		require.Empty(t, Leaks(string(b)), name)

		// A failed assertion dumps by reflection, through unexported pointers.
		var f failure
		require.False(t, assert.Equal(&f, "another", v))
		require.NotEmpty(t, f.text)
		require.Empty(t, Leaks(f.text), name)
	}
}

// RequireName requires that k shows as name under the usual verbs, in logs and in JSON, and that JSON does not become a key.
func RequireName[K any](t *testing.T, name string, k *K) {
	t.Helper()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, name, fmt.Sprintf(format, k))
		require.Equal(t, name, fmt.Sprintf(format, *k))
	}
	require.Equal(t, "["+name+"]", fmt.Sprint([]*K{k}))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("message", "k", k)
	require.Contains(t, log.String(), name)
	b, err := json.Marshal(k)
	require.NoError(t, err)
	require.JSONEq(t, strconv.Quote(name), string(b))
	require.Error(t, json.Unmarshal(fmt.Appendf(nil, `{"ExportedP":%s}`, b), new(Holder[K])), "a name must not become a key")
}
