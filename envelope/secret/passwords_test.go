package secret_test

import (
	"bytes"
	"crypto/fips140"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/kms"
)

// newPasswords returns Passwords with a pepper of their own.
func newPasswords(t testing.TB, o *secret.PasswordOptions) (*secret.Passwords, envelope.Tenant) {
	t.Helper()
	pepper := envelopetest.New(t, nil).Tenant("pepper")
	p, err := secret.NewPasswords(pepper, o)
	require.NoError(t, err)
	return p, pepper
}

// cheapHash returns a PHC string of cheapPassword, which this mode takes and which costs next to nothing.
func cheapHash() string {
	if fips140.Enabled() {
		return passwordsPBKDF2
	}
	return passwordsArgon
}

const (
	cheapPassword   = "passwordPASSWORDpassword"
	passwordsPBKDF2 = "$pbkdf2-sha256$i=4096$c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$NIyJ28vTKy8y2BS4EW6EzysXNH68GAAYHE4qH7jdU+HGNVGMfaxH6Q"
	passwordsArgon  = "$argon2id$v=19$m=8,t=1,p=1$c2FsdFNBTFRzYWx0$IDNiw5F4i9OZ43cAbToGlA"
)

func TestPasswords(t *testing.T) {
	ctx := t.Context()
	p, pepper := newPasswords(t, nil)
	stored, err := p.Hash(ctx, "7", secret.NewText("correct horse"))
	require.NoError(t, err)

	ok, rehash, err := p.Verify(ctx, "7", secret.NewText("correct horse"), stored)
	require.NoError(t, err)
	require.True(t, ok)
	require.False(t, rehash)
	for _, wrong := range []string{"correct horsf", "correct hors", "correct horse ", "Correct horse", "\x00"} {
		ok, rehash, err = p.Verify(ctx, "7", secret.NewText(wrong), stored)
		require.NoError(t, err)
		require.False(t, ok || rehash, wrong)
	}

	// What is stored, with the pepper.
	plaintext, err := pepper.Open(ctx, stored, envelope.Bind("password", "7"))
	require.NoError(t, err)
	prefix, size := "$argon2id$v=19$m=19456,t=2,p=1$", 154
	if fips140.Enabled() {
		prefix, size = "$pbkdf2-sha256$i=600000$", 147
	}
	require.True(t, strings.HasPrefix(string(plaintext), prefix))
	require.Len(t, stored, size)

	again, err := p.Hash(ctx, "7", secret.NewText("correct horse"))
	require.NoError(t, err)
	other, err := pepper.Open(ctx, again, envelope.Bind("password", "7"))
	require.NoError(t, err)
	one, two := strings.Split(string(plaintext[len(prefix):]), "$"), strings.Split(string(other[len(prefix):]), "$")
	require.NotEqual(t, one[0], two[0], "salt")
	require.NotEqual(t, one[1], two[1], "tag")
}

// TestPasswordVectors has the known answers of the reference implementation of Argon2 (phc-winner-argon2, src/test.c), and one of PBKDF2-HMAC-SHA-256: the fifth input of RFC 6070, whose answer
// for SHA-256 is in widespread use. RFC 9106's own, section 5.3, has a secret and associated data, for which golang.org/x/crypto/argon2 has no parameters, though its own tests have it.
func TestPasswordVectors(t *testing.T) {
	for _, v := range []struct{ parameters, password, salt, tag string }{
		{"$argon2id$v=19$m=65536,t=2,p=1$", "password", "somesalt", "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"},
		{"$argon2id$v=19$m=256,t=2,p=1$", "password", "somesalt", "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"},
		{"$argon2id$v=19$m=256,t=2,p=2$", "password", "somesalt", "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"},
		{"$pbkdf2-sha256$i=4096$", "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1c635518c7dac47e9"},
	} {
		t.Run(v.parameters, func(t *testing.T) {
			ctx := t.Context()
			p, _ := newPasswords(t, nil)
			tag, err := hex.DecodeString(v.tag)
			require.NoError(t, err)
			enc := base64.RawStdEncoding
			stored, err := p.Import(ctx, "7", v.parameters+enc.EncodeToString([]byte(v.salt))+"$"+enc.EncodeToString(tag))
			if fips140.Enforced() && strings.Contains(v.parameters, "argon2id") {
				require.ErrorIs(t, err, kms.ErrUnsupported)
				return
			}
			require.NoError(t, err)
			ok, rehash, err := p.Verify(ctx, "7", secret.NewText(v.password), stored)
			require.NoError(t, err)
			require.True(t, ok)
			require.True(t, rehash, "it is weaker than new ones, and has a short salt")
			ok, rehash, err = p.Verify(ctx, "7", secret.NewText(v.password+"x"), stored)
			require.NoError(t, err)
			require.False(t, ok || rehash)
		})
	}
}

func TestPasswordRefusals(t *testing.T) {
	ctx := t.Context()
	p, _ := newPasswords(t, nil)
	stored, err := p.Import(ctx, "7", cheapHash())
	require.NoError(t, err)
	for name, password := range map[string]secret.Text{
		"zero": {}, "empty": secret.NewText(""), "long": secret.NewText(strings.Repeat("a", 1025)),
	} {
		_, err := p.Hash(ctx, "7", password)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		_, _, err = p.Verify(ctx, "7", password, stored)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		require.ErrorIs(t, p.Dummy(ctx, password), kms.ErrInvalid, name)
	}
	_, _, err = p.Verify(ctx, "7", secret.NewText(strings.Repeat("a", 1024)), stored)
	require.NoError(t, err)

	for name, q := range map[string]*secret.Passwords{"no account": p, "zero": {}, "nil": nil} {
		account := "7"
		if q == p {
			account = ""
		}
		_, err := q.Hash(ctx, account, secret.NewText("a"))
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		_, _, err = q.Verify(ctx, account, secret.NewText("a"), stored)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		_, err = q.Repepper(ctx, account, stored)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		_, err = q.Import(ctx, account, cheapHash())
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		if q != p {
			require.ErrorIs(t, q.Dummy(ctx, secret.NewText("a")), kms.ErrInvalid, name)
		}
	}
	_, err = secret.NewPasswords(envelope.Tenant{}, nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// TestImportRefuses has the cases that matter most; the parser's own tests have the others.
func TestImportRefuses(t *testing.T) {
	p, _ := newPasswords(t, nil)
	const rest = "$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	for _, phc := range []string{
		"", "password", "hunter2$", "$hunter2$", "$hunter2",
		"$argon2id$v=19$m=4294967295,t=2,p=1" + rest,
		"$argon2id$v=19$m=262145,t=2,p=1" + rest,
		"$argon2id$v=19$m=19456,t=4294967296,p=1" + rest,
		"$argon2id$v=19$m=19456,t=2,p=255" + rest,
		"$argon2i$v=19$m=19456,t=2,p=1" + rest,
		"$pbkdf2-sha256$i=4294967295" + rest,
		passwordsPBKDF2 + "\n",
		strings.Repeat(passwordsPBKDF2, 1000),
	} {
		stored, err := p.Import(t.Context(), "7", phc)
		require.ErrorIs(t, err, envelope.ErrFormat)
		require.Nil(t, stored)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "AAECAwQF")
	}
}

// TestStoredBoundsAreChecked seals what Import would refuse, as an older version or other options might have.
func TestStoredBoundsAreChecked(t *testing.T) {
	ctx := t.Context()
	p, pepper := newPasswords(t, nil)
	for _, text := range []string{"", "plaintext", "$argon2id$v=19$m=262145,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"} {
		stored, err := pepper.Seal(ctx, []byte(text), envelope.Bind("password", "7"))
		require.NoError(t, err)
		ok, rehash, err := p.Verify(ctx, "7", secret.NewText("plaintext"), stored)
		require.ErrorIs(t, err, envelope.ErrFormat)
		require.False(t, ok || rehash)
	}
}

// TestHashesStayInTheirRow moves and changes stored values.
func TestHashesStayInTheirRow(t *testing.T) {
	ctx := t.Context()
	ring := envelopetest.New(t, nil)
	with := func(pepper envelope.Tenant) *secret.Passwords {
		p, err := secret.NewPasswords(pepper, nil)
		require.NoError(t, err)
		return p
	}
	p := with(ring.Tenant("pepper"))
	stored, err := p.Import(ctx, "mallory", cheapHash())
	require.NoError(t, err)
	_, err = with(ring.Tenant("other")).Import(ctx, "mallory", cheapHash())
	require.NoError(t, err)
	refused := func(p *secret.Passwords, account string, stored []byte, want ...error) {
		t.Helper()
		ok, rehash, err := p.Verify(ctx, account, secret.NewText(cheapPassword), stored)
		require.False(t, ok || rehash)
		_, failed := p.Repepper(ctx, account, stored)
		for _, err := range []error{err, failed} {
			require.Error(t, err)
			require.Condition(t, func() bool { return passwordsMatch(err, want...) }, "%v", err)
		}
	}
	refused(p, "admin", stored, envelope.ErrOpen)
	refused(p, "mallor", stored, envelope.ErrOpen)
	refused(with(ring.Tenant("other")), "mallory", stored, envelope.ErrWrongScope)
	refused(with(envelopetest.New(t, nil).Tenant("pepper")), "mallory", stored, envelope.ErrUnknownKey)
	for _, b := range []envelope.Binding{envelope.Bind("password"), envelope.Bind("users", "password", "admin"), envelope.Bind("password", "admin", "")} {
		elsewhere, err := ring.Tenant("pepper").Seal(ctx, []byte(cheapHash()), b)
		require.NoError(t, err)
		refused(p, "admin", elsewhere, envelope.ErrOpen)
	}

	for n := range len(stored) {
		refused(p, "mallory", stored[:n], envelope.ErrTruncated, envelope.ErrOpen)
	}
	refused(p, "mallory", nil, envelope.ErrTruncated)
	refused(p, "mallory", append(bytes.Clone(stored), 0), envelope.ErrOpen)
	refused(p, "mallory", []byte(cheapHash()), envelope.ErrFormat)
	for bit := range len(stored) * 8 {
		changed := bytes.Clone(stored)
		changed[bit/8] ^= 1 << (bit % 8)
		refused(p, "mallory", changed, envelope.ErrOpen, envelope.ErrUnknownKey, envelope.ErrWrongScope, envelope.ErrFormat)
	}
	ok, _, err := p.Verify(ctx, "mallory", secret.NewText(cheapPassword), stored)
	require.NoError(t, err)
	require.True(t, ok)
}

func FuzzPasswordsVerify(f *testing.F) {
	p, pepper := newPasswords(f, nil)
	good, err := p.Import(f.Context(), "7", cheapHash())
	require.NoError(f, err)
	id := aead.KeyID(good[1:17])
	f.Add(good)
	f.Add(good[:60])
	f.Add([]byte(cheapHash()))
	f.Add(fmt.Appendf([]byte{0xf5}, "%s%060d", id[:], 0))
	f.Fuzz(func(t *testing.T, stored []byte) {
		ok, rehash, err := p.Verify(t.Context(), "7", secret.NewText(cheapPassword), stored)
		if bytes.Equal(stored, good) {
			require.NoError(t, err)
			require.True(t, ok && rehash)
			return
		}
		require.Error(t, err)
		require.False(t, ok || rehash)
		_, err = pepper.Open(t.Context(), stored, envelope.Bind("password", "7"))
		require.Error(t, err)
	})
}
