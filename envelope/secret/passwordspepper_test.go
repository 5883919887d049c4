package secret_test

import (
	"context"
	"crypto/fips140"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func passwordsMatch(err error, any ...error) bool {
	return slices.ContainsFunc(any, func(want error) bool { return errors.Is(err, want) })
}

// TestRepepper moves a table to a new key, in two runs of which the first is cut short.
func TestRepepper(t *testing.T) {
	ctx := t.Context()
	p, pepper := newPasswords(t, nil)
	table := map[string][]byte{}
	for i := range 10 {
		stored, err := p.Import(ctx, fmt.Sprint(i), cheapHash())
		require.NoError(t, err)
		table[fmt.Sprint(i)] = stored
	}
	all := func(stale int) {
		t.Helper()
		for account, stored := range table {
			ok, _, err := p.Verify(ctx, account, secret.NewText(cheapPassword), stored)
			require.NoError(t, err)
			require.True(t, ok)
			if s := passwordsStale(t, pepper, stored); s {
				stale--
			}
		}
		require.Zero(t, stale)
	}
	run := func(most int) {
		t.Helper()
		for account, stored := range table {
			was := passwordsStale(t, pepper, stored)
			out, err := p.Repepper(ctx, account, stored)
			require.NoError(t, err)
			if !was {
				require.Equal(t, stored, out, "changed for nothing")
				continue
			}
			if most--; most < 0 {
				return // killed before it was stored
			}
			require.NotEqual(t, stored[:17], out[:17])
			table[account] = out
		}
	}
	all(0)
	_, err := pepper.Rotate(ctx)
	require.NoError(t, err)
	all(10)
	run(4)
	all(6)
	run(10)
	all(0)
	run(0)
	all(0)
}

func passwordsStale(t *testing.T, pepper envelope.Tenant, stored []byte) bool {
	t.Helper()
	keys, newest := map[string]uint64{}, uint64(0)
	for k, err := range pepper.Versions(t.Context()) {
		require.NoError(t, err)
		keys[string(k.ID[:])], newest = k.Version, max(newest, k.Version)
	}
	return keys[string(stored[1:17])] != newest
}

// TestPepperAway has an outage, a revocation and an end of the pepper: none says that a password is wrong.
func TestPepperAway(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(ctx context.Context, pepper envelope.Tenant, fake *kmstest.Fake) error
		want error
	}{
		"outage": {func(_ context.Context, _ envelope.Tenant, fake *kmstest.Fake) error {
			fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
			return nil
		}, envelope.ErrUnavailable},
		"revoked": {func(_ context.Context, _ envelope.Tenant, fake *kmstest.Fake) error {
			fake.Always(kmstest.Fault{Err: kms.ErrAccessDenied})
			return nil
		}, kms.ErrAccessDenied},
		"disabled": {func(ctx context.Context, pepper envelope.Tenant, _ *kmstest.Fake) error {
			return pepper.Disable(ctx, "test")
		}, envelope.ErrDisabled},
		"destroyed": {func(ctx context.Context, pepper envelope.Tenant, _ *kmstest.Fake) error {
			_, err := pepper.Destroy(ctx, envelope.Erasure{Ref: "test"}, pepper.ID())
			return err
		}, envelope.ErrErased},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			store, fake := memstore.New(), kmstest.NewFake("k")
			t.Cleanup(func() { store.Close() })
			process := func() (*secret.Passwords, envelope.Tenant) {
				pepper := envelopetest.New(t, &envelopetest.Options{Store: store, Fake: fake}).Tenant("pepper")
				p, err := secret.NewPasswords(pepper, nil)
				require.NoError(t, err)
				return p, pepper
			}
			first, pepper := process()
			stored, err := first.Import(ctx, "7", cheapHash())
			require.NoError(t, err)
			require.NoError(t, c.do(ctx, pepper, fake))

			p, _ := process() // with nothing in memory
			for _, password := range []string{cheapPassword, "wrong"} {
				ok, rehash, err := p.Verify(ctx, "7", secret.NewText(password), stored)
				require.ErrorIs(t, err, c.want)
				require.False(t, ok || rehash)
				require.ErrorIs(t, p.Dummy(ctx, secret.NewText(password)), c.want, "it tells who has an account")
			}
			_, err = p.Repepper(ctx, "7", stored)
			require.ErrorIs(t, err, c.want)
			_, err = p.Import(ctx, "7", cheapHash())
			require.ErrorIs(t, err, c.want)
		})
	}
}

// TestDummyFollowsThePepper has a pepper that ends after the first Dummy, and one that rotates.
func TestDummyFollowsThePepper(t *testing.T) {
	ctx := t.Context()
	p, pepper := newPasswords(t, nil)
	require.NoError(t, p.Dummy(ctx, secret.NewText("password")))
	_, err := pepper.Rotate(ctx)
	require.NoError(t, err)
	require.NoError(t, p.Dummy(ctx, secret.NewText("password")))
	require.NoError(t, pepper.Disable(ctx, "test"))
	require.ErrorIs(t, p.Dummy(ctx, secret.NewText("password")), envelope.ErrDisabled)
}

// TestPasswordsShowNothing plants a password and looks for it, its salt and its hash.
func TestPasswordsShowNothing(t *testing.T) {
	ctx := t.Context()
	store := memstore.New()
	t.Cleanup(func() { store.Close() })
	ring := envelopetest.New(t, &envelopetest.Options{Store: store})
	pepper := ring.Tenant("pepper")
	p, err := secret.NewPasswords(pepper, nil)
	require.NoError(t, err)
	const password, account = "canary-Tr0ub4dor", "ada@canary.example"
	stored, err := p.Hash(ctx, account, secret.NewText(password))
	require.NoError(t, err)
	plaintext, err := pepper.Open(ctx, stored, envelope.Bind("password", account))
	require.NoError(t, err)
	parts := strings.Split(string(plaintext), "$")
	hidden := []string{password, account, "argon2id$", "pbkdf2-sha256$"}
	for _, text := range parts[len(parts)-2:] {
		b, err := base64.RawStdEncoding.DecodeString(text)
		require.NoError(t, err)
		hidden = append(hidden, text, string(b))
	}

	var seen []string
	say := func(err error) {
		t.Helper()
		require.Error(t, err)
		seen = append(seen, err.Error(), fmt.Sprintf("%+v %#v", err, err))
	}
	see := func(b []byte) { seen = append(seen, string(b)) }
	see(stored)
	out, err := p.Repepper(ctx, account, stored)
	require.NoError(t, err)
	see(out)
	rows, err := store.List(ctx, "", "", 100)
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	for _, row := range rows {
		see(row.Value)
		seen = append(seen, row.Key)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	text := secret.NewText(password)
	_, err = p.Hash(ended, account, text)
	say(err)
	_, _, err = p.Verify(ended, account, text, stored)
	say(err)
	say(p.Dummy(ended, text))
	_, _, err = p.Verify(ctx, account+"x", text, stored)
	say(err)
	_, _, err = p.Verify(ctx, account, text, plaintext)
	say(err)
	_, _, err = p.Verify(ctx, account, text, []byte(password))
	say(err)
	_, _, err = p.Verify(ctx, account, secret.NewText(strings.Repeat(password, 100)), stored)
	say(err)
	_, err = p.Hash(ctx, "", text)
	say(err)
	for _, phc := range []string{
		string(plaintext) + "$", string(plaintext) + "=", string(plaintext[1:]), password, "$" + password, "$argon2id$" + password, "$pbkdf2-sha256$" + password,
		"$pbkdf2-sha256$i=" + password + "$" + password + "$" + password, "$pbkdf2-sha256$i=1$" + password + "$" + password, strings.Replace(string(plaintext), "=", "=0", 1),
		"$argon2id$v=19$m=9999999,t=1,p=1$" + parts[len(parts)-2] + "$" + parts[len(parts)-1],
	} {
		_, err := p.Import(ctx, account, phc)
		say(err)
	}
	seen = append(seen, fmt.Sprintf("%v %+v %#v", p, p, p))
	for _, text := range seen {
		for _, s := range hidden {
			if strings.HasSuffix(s, "$") && strings.Contains(text, "is read as") {
				continue // the form that the error explains
			}
			require.NotContains(t, text, s)
		}
	}
}

// TestPasswordsInFIPSMode tells what is made and what is refused in each mode.
func TestPasswordsInFIPSMode(t *testing.T) {
	ctx := t.Context()
	p, pepper := newPasswords(t, nil)
	argon, err := pepper.Seal(ctx, []byte(passwordsArgon), envelope.Bind("password", "7"))
	require.NoError(t, err)
	short, err := pepper.Seal(ctx, []byte("$pbkdf2-sha256$i=1$AAECAwQFBgc$AAECAwQFBgcICQoLDA0ODw"), envelope.Bind("password", "7"))
	require.NoError(t, err)
	for name, stored := range map[string][]byte{"Argon2id": argon, "PBKDF2 with a short salt": short} {
		ok, rehash, err := p.Verify(ctx, "7", secret.NewText(cheapPassword), stored)
		if fips140.Enforced() {
			require.ErrorIs(t, err, kms.ErrUnsupported, name)
			require.False(t, ok || rehash, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, name == "Argon2id", ok, name)
	}
}
