package secret_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
)

const storedFile = "testdata/passwords.json" // what is stored of passwords, and hashes alone

// TestStoredVectors reads stored hashes (kind password), and verifies hashes (kinds argon2id and pbkdf2-sha256).
func TestStoredVectors(t *testing.T) {
	for _, v := range vectors.Load(t, storedFile) {
		t.Run(v.Name, func(t *testing.T) {
			out, class := storedRun(t, v)
			require.Equal(t, v.Expect, class)
			if v.Expect == "ok" {
				require.Equal(t, *v.Out, hex.EncodeToString(out))
			} else {
				require.Nil(t, out)
			}
		})
	}
}

// storedRun returns what a vector gives, and its class.
func storedRun(t *testing.T, v vectors.Vector) (out []byte, class string) {
	t.Helper()
	in := vectors.Unhex(t, v.In)
	if v.Kind != "password" {
		return storedTag(t, v, string(in)), "ok"
	}
	store := memstore.New()
	for name, value := range v.Rows {
		require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: name, Value: []byte(value)}}))
	}
	pepper := encKeyring(t, v.LocalKey, v.Deployment, store).Tenant(v.Tenant)
	p, err := secret.NewPasswords(pepper, nil)
	require.NoError(t, err)
	require.Len(t, v.Parts, 2)
	require.Equal(t, "password", string(vectors.Unhex(t, v.Parts[0])))
	account := string(vectors.Unhex(t, v.Parts[1]))
	_, _, err = p.Verify(t.Context(), account, secret.NewText("any"), in)
	phc, plain := pepper.Open(t.Context(), in, envelope.Bind("password", account))
	switch {
	case errors.Is(err, kms.ErrUnsupported): // a good one
		require.True(t, storedBeyond(phc))
	case err != nil:
		return nil, envelope.Class(err)
	}
	require.NoError(t, plain)
	return phc, "ok"
}

// storedBeyond tells whether a PHC string is one of those that this process may not compute.
func storedBeyond(phc []byte) bool {
	return fips140.Enforced() && bytes.HasPrefix(phc, []byte("$argon2id$"))
}

// storedTag returns the tag of a PHC string, once Verify has computed the same of the vector's password, and not of another.
func storedTag(t *testing.T, v vectors.Vector, phc string) []byte {
	t.Helper()
	p, _ := newPasswords(t, nil)
	parts := strings.Split(phc, "$")
	require.Equal(t, v.Kind, parts[1])
	stored, err := p.Import(t.Context(), "7", phc)
	if storedBeyond([]byte(phc)) {
		require.ErrorIs(t, err, kms.ErrUnsupported)
	} else {
		require.NoError(t, err)
		password := string(vectors.Unhex(t, v.Key))
		for _, text := range []string{password, password + "x"} {
			ok, _, err := p.Verify(t.Context(), "7", secret.NewText(text), stored)
			require.NoError(t, err)
			require.Equal(t, text == password, ok)
		}
	}
	tag, err := base64.RawStdEncoding.DecodeString(parts[len(parts)-1])
	require.NoError(t, err)
	return tag
}

// TestUpdateStoredVectors writes the vectors.
func TestUpdateStoredVectors(t *testing.T) {
	vectors.BeginUpdate(t, *update, 11)
	bubble.Test(t, func(t *testing.T) { // rows hold times
		const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		store := memstore.New()
		ctx, pepper := t.Context(), encKeyring(t, key, "acme-prod", store).Tenant("pepper")
		p, err := secret.NewPasswords(pepper, nil)
		require.NoError(t, err)
		argon, err := p.Hash(ctx, "7", secret.NewText("correct horse"))
		require.NoError(t, err)
		list, err := store.List(ctx, "", "", 1000)
		require.NoError(t, err)
		rows := map[string]string{}
		for _, r := range list {
			if r.Key != "fleet" {
				rows[r.Key] = string(r.Value)
			}
		}
		var all []vectors.Vector
		add := func(v vectors.Vector, name, expect string, in, out []byte) {
			v.Name, v.Expect, v.In = name, expect, hex.EncodeToString(in)
			if out != nil {
				v.Out = vectors.Hex(out)
			}
			got, class := storedRun(t, v)
			require.Equal(t, expect, class, name)
			require.Equal(t, out, got, name)
			all = append(all, v)
		}
		of := func(account string) vectors.Vector {
			return vectors.Vector{
				Kind: "password", LocalKey: key, KeyID: encKey, Parts: []string{hex.EncodeToString([]byte("password")), hex.EncodeToString([]byte(account))},
				Stored: &vectors.Stored{Deployment: "acme-prod", Tenant: "pepper", Rows: maps.Clone(rows)},
			}
		}
		seal := func(account, plaintext string) []byte {
			record, err := pepper.Seal(ctx, []byte(plaintext), envelope.Bind("password", account))
			require.NoError(t, err)
			return record
		}
		fresh, err := pepper.Open(ctx, argon, envelope.Bind("password", "7"))
		require.NoError(t, err)
		salt := []byte("0123456789abcdef")
		tag, err := pbkdf2.Key(sha256.New, "correct horse", salt, 600_000, 32)
		require.NoError(t, err)
		base := base64.RawStdEncoding.EncodeToString
		slow := fmt.Sprintf("$pbkdf2-sha256$i=600000$%s$%s", base(salt), base(tag))

		add(of("7"), "argon2id", "ok", argon, fresh)
		add(of("7"), "pbkdf2-sha256", "ok", seal("7", slow), []byte(slow))
		add(of("ada/é"), "small argon2id", "ok", seal("ada/é", passwordsArgon), []byte(passwordsArgon))
		add(of("7"), "long tag", "ok", seal("7", passwordsPBKDF2), []byte(passwordsPBKDF2))
		add(of("8"), "of another account", "open", argon, nil)
		add(of("77"), "of an account with the same beginning", "open", argon, nil)
		add(of("7"), "of no account", "open", func() []byte {
			record, err := pepper.Seal(ctx, fresh, envelope.Bind("password"))
			require.NoError(t, err)
			return record
		}(), nil)
		add(of("7"), "unsealed", "format", fresh, nil)
		add(of("7"), "cut 30", "truncated", argon[:30], nil)
		add(of("7"), "cut by a byte", "open", argon[:len(argon)-1], nil)
		add(of("7"), "of another pepper", "unknown_key", append(append([]byte{0xf5}, make([]byte, 16)...), argon[17:]...), nil)
		for _, c := range storedMalformed(string(fresh), slow) {
			add(of("7"), c[0], "format", seal("7", c[1]), nil)
		}

		for _, c := range []struct{ name, password, phc string }{
			{"tag of argon2id", "correct horse", string(fresh)},
			{"tag of pbkdf2-sha256", "correct horse", slow},
			{"tag of small argon2id", cheapPassword, passwordsArgon},
			{"long tag of pbkdf2-sha256", cheapPassword, passwordsPBKDF2},
		} {
			v := vectors.Vector{Kind: strings.Split(c.phc, "$")[1], Keyed: &vectors.Keyed{Key: hex.EncodeToString([]byte(c.password))}}
			tag, err := base64.RawStdEncoding.DecodeString(c.phc[strings.LastIndex(c.phc, "$")+1:])
			require.NoError(t, err)
			add(v, c.name, "ok", []byte(c.phc), tag)
		}
		vectors.Write(t, storedFile, all)
	})
}

// storedMalformed are names of faults, and what a good argon2id or pbkdf2-sha256 becomes by them.
func storedMalformed(argon, slow string) [][2]string {
	edit := func(name, of, from, to string) [2]string {
		return [2]string{name, strings.Replace(of, from, to, 1)}
	}
	return [][2]string{
		{"nothing", ""},
		{"no hash", "correct horse"},
		{"space at the end", argon + " "},
		{"line break at the end", slow + "\n"},
		{"another part", argon + "$AAAA"},
		{"600 bytes", argon + strings.Repeat("A", 600)},
		edit("argon2i", argon, "argon2id", "argon2i"),
		edit("upper case", argon, "argon2id", "ARGON2ID"),
		edit("version 16", argon, "v=19", "v=16"),
		edit("no version", argon, "$v=19", ""),
		edit("parameters in another order", argon, "m=19456,t=2", "t=2,m=19456"),
		edit("leading zero", argon, "t=2", "t=02"),
		edit("sign", argon, "t=2", "t=+2"),
		edit("hex", argon, "m=19456", "m=0x4c00"),
		edit("0 passes", argon, "t=2", "t=0"),
		edit("17 passes", argon, "t=2", "t=17"),
		edit("0 lanes", argon, "p=1", "p=0"),
		edit("17 lanes", argon, "p=1", "p=17"),
		edit("less memory than lanes need", argon, "m=19456", "m=7"),
		edit("2^32 KiB", argon, "m=19456", "m=4294967296"),
		edit("4 TiB", argon, "m=19456", "m=4294967295"),
		edit("0 iterations", slow, "i=600000", "i=0"),
		edit("10 000 001 iterations", slow, "i=600000", "i=10000001"),
		edit("two salts", slow, "$MDEy", "$MDEyMw$MDEy"),
		edit("short salt", slow, "MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Ng"),
		edit("long salt", slow, "MDEyMzQ1Njc4OWFiY2RlZg", strings.Repeat("A", 87)),
		edit("salt with bits to spare", slow, "MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2RlZh"),
		edit("salt with padding", slow, "MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2RlZg=="),
		edit("salt in base64url", slow, "MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2Rl_-"),
		{"short tag", slow[:strings.LastIndex(slow, "$")+1] + "AAAAAAAAAAAAAAAAAAAA"},
		{"long tag, of 65 bytes", slow[:strings.LastIndex(slow, "$")+1] + strings.Repeat("A", 87)},
		{"no tag", slow[:strings.LastIndex(slow, "$")]},
	}
}
