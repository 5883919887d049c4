package hpke

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/canary"
	"github.com/holdfast-go/holdfast/kms"
)

func TestRedaction(t *testing.T) {
	needHPKE(t)
	p := ofSeed(t, MLKEM768X25519, canary.Bytes())
	require.NotEmpty(t, canary.Leaks(strings.ReplaceAll(string(p.PEM()), "\n", "")))
	holders := canary.Holders(p)
	holders["identity"] = identity(t, p)
	holders["driver"] = &driver{pub: p.Public(), priv: p}
	holders["public"] = p.Public()
	canary.RequireRedacted(t, holders)
	canary.RequireName(t, "hpke.PrivateKey("+p.Public().ID()[:8]+")", p)
	require.Equal(t, "hpke.PrivateKey(zero)", fmt.Sprint(PrivateKey{}))
}

// TestErrorsAreQuiet has damaged and misplaced private keys.
func TestErrorsAreQuiet(t *testing.T) {
	needHPKE(t)
	p := ofSeed(t, MLKEM768X25519, canary.Bytes())
	other := seeded(t, MLKEM768X25519, 1)
	for name, text := range map[string][]byte{
		"not a pair": encodeFile(privateType, append(other.Public().body(0), canary.Bytes()...)),
		"longer":     encodeFile(privateType, append(append(p.Public().body(0), canary.Bytes()...), 0)),
		"public":     encodeFile(publicType, append(p.Public().body(0), canary.Bytes()...)),
		"sealed":     encodeFile(sealedType, append(p.Public().body(0), canary.Bytes()...)),
		"raw":        canary.Bytes(),
	} {
		for _, parse := range []func() error{
			func() error { _, err := ParsePublicKey(text); return err },
			func() error { _, err := ParsePrivateKey(text); return err },
			func() error { _, err := OpenPrivateKey(t.Context(), text, identity(t, other)); return err },
		} {
			err := parse()
			require.ErrorIs(t, err, kms.ErrInvalid, name)
			require.Empty(t, canary.Leaks(fmt.Sprintf("%v %+v %#v", err, err, err)), name)
		}
	}
}
