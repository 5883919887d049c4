package hpke

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

	"github.com/holdfast-go/holdfast/kms"
)

// canary is a seed whose bytes are easy to find in what is printed.
func canary() []byte {
	return []byte{
		0xc3, 0xa4, 0xd9, 0xee, 0x91, 0xbd, 0xfa, 0x87, 0xe1, 0xb3, 0x9d, 0xcc, 0xf6, 0x8b, 0xda, 0xa9,
		0xb7, 0xf1, 0x95, 0xe8, 0xc6, 0xab, 0xdf, 0x83, 0xec, 0x99, 0xb1, 0xf4, 0xd2, 0x8d, 0xa6, 0xcb,
	}
}

// leaks returns the forms of the canary that text holds, of any four bytes in a row.
func leaks(text string) (found []string) {
	for i := range seedSize - 3 {
		part := canary()[i : i+4]
		decimal, spaced := make([]string, 4), make([]string, 4)
		for j, c := range part {
			decimal[j], spaced[j] = strconv.Itoa(int(c)), fmt.Sprintf("%02x", c)
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
			"quoted":         quoted[1 : len(quoted)-1],
		} {
			if strings.Contains(text, form) {
				found = append(found, name)
			}
		}
	}
	for shift := range 3 { // a PEM body has it anywhere
		e := base64.RawStdEncoding.EncodeToString(canary()[shift : shift+27])
		if strings.Contains(text, e) {
			found = append(found, "base64")
		}
	}
	return found
}

// holder holds a key in every way, so that no method of it is called where fields are unexported.
type holder struct {
	Exported   PrivateKey
	ExportedP  *PrivateKey
	unexported PrivateKey
	pointer    *PrivateKey
	Slice      []PrivateKey
	Map        map[string]*PrivateKey
	Any        any
	inner      struct{ keys [2]*PrivateKey }
}

type keyError struct{ key *PrivateKey }

func (e keyError) Error() string { return fmt.Sprint("with ", e.key) }

// holders returns everything that has the key in it.
func holders(t *testing.T, p *PrivateKey) map[string]any {
	k := identity(t, p)
	d := &driver{pub: p.Public(), priv: p}
	h := holder{*p, p, *p, p, []PrivateKey{*p}, map[string]*PrivateKey{"k": p}, p, struct{ keys [2]*PrivateKey }{[2]*PrivateKey{p, p}}}
	return map[string]any{
		"key":        *p,
		"pointer":    p,
		"struct":     h,
		"to struct":  &h,
		"slice":      []PrivateKey{*p},
		"pointers":   []*PrivateKey{p},
		"map":        map[string]PrivateKey{"k": *p},
		"error":      fmt.Errorf("wrapped: %w", keyError{p}),
		"identity":   k,
		"identities": []*kms.Key{k},
		"driver":     d,
		"public":     p.Public(),
	}
}

func TestLeaksFindsTheCanary(t *testing.T) {
	for _, verb := range []string{"%s", "%x", "%X", "% x", "%#v", "%v", "%d", "%q"} {
		require.NotEmpty(t, leaks(fmt.Sprintf(verb, canary())), verb)
	}
	needHPKE(t)
	require.NotEmpty(t, leaks(strings.ReplaceAll(string(ofSeed(t, MLKEM768X25519, canary()).PEM()), "\n", "")))
}

func TestRedaction(t *testing.T) {
	needHPKE(t)
	p := ofSeed(t, MLKEM768X25519, canary())
	for name, v := range holders(t, p) {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
			for _, flags := range []string{"", "+", "#", " ", "0", "-60", "60.3", "# "} {
				out := fmt.Sprintf("%"+flags+string(verb), v)
				require.Empty(t, leaks(out), "%%%s%c of %s", flags, verb, name)
			}
		}
		var text bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("message", "k", v, slog.Group("g", "k", v))
		slog.New(slog.NewJSONHandler(&text, nil)).Info("message", "k", v, slog.Group("g", "k", v))
		require.Empty(t, leaks(text.String()), name)
		b, err := json.Marshal(v)
		require.NoError(t, err, name)
		require.Empty(t, leaks(string(b)), name)
		var f failure // dumps by reflection, through unexported pointers
		require.False(t, assert.Equal(&f, "another", v))
		require.NotEmpty(t, f.text)
		require.Empty(t, leaks(f.text), name)
	}
	short := "hpke.PrivateKey(" + p.Public().ID()[:8] + ")"
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, short, fmt.Sprintf(format, p))
		require.Equal(t, short, fmt.Sprintf(format, *p))
	}
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `"`+short+`"`, string(b))
	require.Error(t, json.Unmarshal(fmt.Appendf(nil, `{"ExportedP":%s}`, b), new(holder)), "a name must not become a key")
	require.Equal(t, "hpke.PrivateKey(zero)", fmt.Sprint(PrivateKey{}))
}

// failure records what an assertion prints.
type failure struct{ text string }

func (f *failure) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

// TestErrorsAreQuiet has damaged and misplaced private keys.
func TestErrorsAreQuiet(t *testing.T) {
	needHPKE(t)
	p := ofSeed(t, MLKEM768X25519, canary())
	other := seeded(t, MLKEM768X25519, 1)
	for name, text := range map[string][]byte{
		"not a pair": encodePEM(privateType, append(other.Public().body(0), canary()...)),
		"longer":     encodePEM(privateType, append(append(p.Public().body(0), canary()...), 0)),
		"public":     encodePEM(publicType, append(p.Public().body(0), canary()...)),
		"sealed":     encodePEM(sealedType, append(p.Public().body(0), canary()...)),
		"raw":        canary(),
	} {
		for _, parse := range []func() error{
			func() error { _, err := ParsePublicKey(text); return err },
			func() error { _, err := ParsePrivateKey(text); return err },
			func() error { _, err := OpenPrivateKey(t.Context(), text, identity(t, other)); return err },
		} {
			err := parse()
			require.ErrorIs(t, err, kms.ErrInvalid, name)
			require.Empty(t, leaks(fmt.Sprintf("%v %+v %#v", err, err, err)), name)
		}
	}
}
