package secret_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/internal/canary"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// sealedText seals s at place and returns the sealed text.
func sealedText(t testing.TB, tn envelope.Tenant, place, s string) string {
	t.Helper()
	sealed, err := secret.SealText(context.Background(), tn, place, secret.NewText(s))
	require.NoError(t, err)
	return sealed
}

func TestSealText(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("config")
	for name, s := range map[string]string{
		"short":           "x",
		"dsn":             "postgres://app:hunter2@db/app",
		"bytes":           "\x00\xff\xf5",
		"longest":         strings.Repeat("x", 49_089),
		"of another tool": "enc:abcdef",
	} {
		t.Run(name, func(t *testing.T) {
			sealed := sealedText(t, tn, "db", s)
			require.Regexp(t, `^enc:v1:[A-Za-z0-9_-]+$`, sealed)
			require.Len(t, sealed, 7+base64.RawURLEncoding.EncodedLen(len(s)+envelope.RecordOverhead))
			require.LessOrEqual(t, len(sealed), 64<<10)
			require.NotEqual(t, sealed, sealedText(t, tn, "db", s))
			for _, in := range []string{sealed, " \t" + sealed + "\r\n"} {
				text, err := secret.OpenText(t.Context(), tn, "db", in)
				require.NoError(t, err)
				require.Equal(t, s, text.Reveal())
			}
		})
	}
}

func TestSealTextRefuses(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("config")
	for _, c := range []struct {
		name, place, text string
		want              error
	}{
		{"empty", "db", "", kms.ErrInvalid},
		{"too long", "db", strings.Repeat("x", 49_090), envelope.ErrTooLarge},
		{"sealed already", "db", sealedText(t, tn, "db", "x"), kms.ErrInvalid},
		{"sealed already, spaces", "db", " " + sealedText(t, tn, "db", "x"), kms.ErrInvalid},
		{"printed", "db", "[secret]", kms.ErrInvalid},
		{"no place", "", "x", kms.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			sealed, err := secret.SealText(t.Context(), tn, c.place, secret.NewText(c.text))
			require.ErrorIs(t, err, c.want)
			require.Empty(t, sealed)
		})
	}
	_, err := secret.SealText(t.Context(), envelope.Tenant{}, "db", secret.NewText("x"))
	require.ErrorIs(t, err, kms.ErrInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = secret.SealText(ctx, envelopetest.New(t, nil).Tenant("config"), "db", secret.NewText("x"))
	require.ErrorIs(t, err, context.Canceled)
}

func TestPlaces(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("config")
	for place, ok := range map[string]bool{
		"db": true, "a": true, "primary/db": true, "a/b/c/d": true, "smtp.password": true, "api_key-2": true, "0": true, "..": true,
		strings.Repeat("x", 255): true,
		"":                       false, "/": false, "/db": false, "db/": false, "a//b": false, "DB": false, "d b": false, "db\n": false, "é": false, "a\\b": false, "a:b": false, "a\x00": false, "\xff": false,
		strings.Repeat("x", 256): false,
	} {
		sealed, err := secret.SealText(t.Context(), tn, place, secret.NewText("x"))
		if ok {
			require.NoError(t, err, "%q", place)
			continue
		}
		require.ErrorIs(t, err, kms.ErrInvalid, "%q", place)
		require.Empty(t, sealed)
		_, err = secret.OpenText(t.Context(), tn, place, sealedText(t, tn, "db", "x"))
		require.ErrorIs(t, err, kms.ErrInvalid, "%q", place)
	}
}

// TestOpenTextElsewhere moves a sealed text to everything that it is not for.
func TestOpenTextElsewhere(t *testing.T) {
	fake := kmstest.NewFake("key")
	process := func(deployment string) *envelope.Keyring {
		return envelopetest.New(t, &envelopetest.Options{Fake: fake, Deployment: deployment})
	}
	r := process("prod")
	sealed := sealedText(t, r.Tenant("config"), "db", string(canary.Bytes()))
	sealedText(t, r.Tenant("other"), "db", "x")
	for _, c := range []struct {
		name  string
		tn    envelope.Tenant
		place string
		want  error
	}{
		{"another place", r.Tenant("config"), "smtp", envelope.ErrOpen},
		{"a place within", r.Tenant("config"), "db/db", envelope.ErrOpen},
		{"another tenant", r.Tenant("other"), "db", envelope.ErrWrongScope},
		{"a tenant without keys", r.Tenant("new"), "db", envelope.ErrWrongScope},
		{"another deployment", process("test").Tenant("config"), "db", envelope.ErrUnknownKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := secret.OpenText(t.Context(), c.tn, c.place, sealed)
			require.ErrorIs(t, err, c.want)
			require.Empty(t, text.Reveal())
			require.Empty(t, canary.Leaks(err.Error()))
		})
	}
	// A record of the tenant's for another use is no secret of the configuration.
	record, err := r.Tenant("config").Seal(t.Context(), []byte("x"), envelope.Bind("password", "db"))
	require.NoError(t, err)
	_, err = secret.OpenText(t.Context(), r.Tenant("config"), "db", "enc:v1:"+base64.RawURLEncoding.EncodeToString(record))
	require.ErrorIs(t, err, envelope.ErrOpen)
}

func TestOpenTextForms(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("config")
	secretText := string(canary.Bytes())
	sealed := sealedText(t, tn, "db", secretText) // 89 bytes of record: 118 full characters and one of 4 bits
	body := strings.TrimPrefix(sealed, "enc:v1:")
	long, err := tn.Seal(t.Context(), make([]byte, 49_090), envelope.Bind("secret", "db"))
	require.NoError(t, err)
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"plaintext", secretText, secret.ErrNotSealed},
		{"empty", "", secret.ErrNotSealed},
		{"bare record", body, secret.ErrNotSealed},
		{"upper case", "ENC:V1:" + body, secret.ErrNotSealed},
		{"quoted", `"` + sealed + `"`, secret.ErrNotSealed},
		{"version 2", "enc:v2:" + body, envelope.ErrFormat},
		{"version 01", "enc:v01:" + body, envelope.ErrFormat},
		{"no version", "enc:" + body, envelope.ErrFormat},
		{"prefix alone", "enc:v1:", envelope.ErrTruncated},
		{"one byte", "enc:v1:9Q", envelope.ErrTruncated},
		{"cut", sealed[:7+40], envelope.ErrTruncated},
		{"padded", sealed + "=", envelope.ErrFormat},
		{"standard base64", "enc:v1:" + strings.Repeat("+", len(body)), envelope.ErrFormat},
		{"line break within", sealed[:50] + "\n" + sealed[50:], envelope.ErrFormat},
		{"carriage return within", sealed[:50] + "\r" + sealed[50:], envelope.ErrFormat},
		{"space within", sealed[:50] + " " + sealed[50:], envelope.ErrFormat},
		{"space after the prefix", "enc:v1: " + body, envelope.ErrFormat},
		{"bits left over", "enc:v1:9R", envelope.ErrFormat},
		{"secret behind the prefix", "enc:v1:" + secretText, envelope.ErrFormat},
		{"too long", "enc:v1:" + strings.Repeat("A", 64<<10), envelope.ErrFormat},
		{"a good record, too long", "enc:v1:" + base64.RawURLEncoding.EncodeToString(long), envelope.ErrFormat},
		{"a stream", "enc:v1:" + base64.RawURLEncoding.EncodeToString(append([]byte{0xf7}, make([]byte, 100)...)), envelope.ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := secret.OpenText(t.Context(), tn, "db", c.in)
			require.ErrorIs(t, err, c.want)
			require.Empty(t, text.Reveal())
			require.Empty(t, canary.Leaks(err.Error()))
			require.NotContains(t, err.Error(), body[:16])
		})
	}
	require.ErrorIs(t, secret.ErrNotSealed, kms.ErrInvalid)
	require.Equal(t, envelope.Fix, envelope.ActionFor(secret.ErrNotSealed))
}

// TestSealedTextTampered flips every bit and cuts at every length: nothing opens, and no character stands for the same bytes as another.
func TestSealedTextTampered(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("config")
	sealed := sealedText(t, tn, "db", "hunter2") // 64 bytes of record: the last character has bits to spare
	for i := range len(sealed) {
		for bit := range 8 {
			b := []byte(sealed)
			b[i] ^= 1 << bit
			if strings.TrimSpace(string(b)) == sealed {
				continue
			}
			_, err := secret.OpenText(t.Context(), tn, "db", string(b))
			require.Error(t, err, "%d.%d", i, bit)
		}
		_, err := secret.OpenText(t.Context(), tn, "db", sealed[:i])
		require.Error(t, err, "cut %d", i)
	}
}

// TestSealedTextRotation has sealed texts open after a rotation of the tenant's key, and not after the end of the tenant.
func TestSealedTextRotation(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("config")
	sealed := sealedText(t, tn, "db", "hunter2")
	_, err := tn.Rotate(t.Context())
	require.NoError(t, err)
	text, err := secret.OpenText(t.Context(), tn, "db", sealed)
	require.NoError(t, err)
	require.Equal(t, "hunter2", text.Reveal())
	_, err = tn.Destroy(t.Context(), envelope.Erasure{Ref: "end"}, "config")
	require.NoError(t, err)
	_, err = secret.OpenText(t.Context(), tn, "db", sealed)
	require.ErrorIs(t, err, envelope.ErrErased)
}
