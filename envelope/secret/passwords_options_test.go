package secret_test

import (
	"crypto/fips140"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/kms"
)

func TestPasswordOptions(t *testing.T) {
	pepper := envelopetest.New(t, nil).Tenant("pepper")
	for name, c := range map[string]struct {
		o  secret.PasswordOptions
		ok bool
	}{
		"zero":                     {secret.PasswordOptions{}, true},
		"the least":                {secret.PasswordOptions{Memory: 19456, Time: 2, Threads: 1, Concurrent: 1, MaxMemory: 19456}, true},
		"the most":                 {secret.PasswordOptions{Memory: 1 << 20, Time: 16, Threads: 16, Concurrent: 1024, MaxMemory: 1 << 20}, true},
		"much memory":              {secret.PasswordOptions{Memory: 1 << 19}, true},
		"little memory":            {secret.PasswordOptions{Memory: 19455}, false},
		"negative memory":          {secret.PasswordOptions{Memory: -1}, false},
		"too much memory":          {secret.PasswordOptions{Memory: 1<<20 + 1}, false},
		"one pass":                 {secret.PasswordOptions{Time: 1}, false},
		"one pass, much memory":    {secret.PasswordOptions{Time: 1, Memory: 1 << 20}, false},
		"17 passes":                {secret.PasswordOptions{Time: 17}, false},
		"negative threads":         {secret.PasswordOptions{Threads: -1}, false},
		"17 threads":               {secret.PasswordOptions{Threads: 17}, false},
		"257 threads":              {secret.PasswordOptions{Threads: 257}, false},
		"negative concurrency":     {secret.PasswordOptions{Concurrent: -1}, false},
		"1025 at once":             {secret.PasswordOptions{Concurrent: 1025}, false},
		"less for stored ones":     {secret.PasswordOptions{Memory: 20000, MaxMemory: 19999}, false},
		"too much for stored ones": {secret.PasswordOptions{MaxMemory: 1<<20 + 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.o
			_, err := secret.NewPasswords(pepper, &c.o)
			require.Equal(t, before, c.o)
			if c.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, kms.ErrInvalid)
		})
	}
}

// TestOldHashesAreRehashed verifies under options other than those of the hash.
func TestOldHashesAreRehashed(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("new hashes are PBKDF2, which has no options")
	}
	ctx := t.Context()
	pepper := envelopetest.New(t, nil).Tenant("pepper")
	middle := secret.PasswordOptions{Memory: 20000, Time: 3, Threads: 2}
	with := func(o secret.PasswordOptions) *secret.Passwords {
		p, err := secret.NewPasswords(pepper, &o)
		require.NoError(t, err)
		return p
	}
	stored, err := with(middle).Hash(ctx, "7", secret.NewText("password"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		o      secret.PasswordOptions
		rehash bool
	}{
		"same":           {middle, false},
		"more memory":    {secret.PasswordOptions{Memory: 20001, Time: 3, Threads: 2}, true},
		"more time":      {secret.PasswordOptions{Memory: 20000, Time: 4, Threads: 2}, true},
		"more threads":   {secret.PasswordOptions{Memory: 20000, Time: 3, Threads: 4}, false},
		"less":           {secret.PasswordOptions{}, false},
		"more and less":  {secret.PasswordOptions{Memory: 32 << 10}, true},
		"fewer, at once": {secret.PasswordOptions{Memory: 20000, Time: 3, Threads: 1, Concurrent: 1}, false},
	} {
		ok, rehash, err := with(c.o).Verify(ctx, "7", secret.NewText("password"), stored)
		require.NoError(t, err, name)
		require.True(t, ok, name)
		require.Equal(t, c.rehash, rehash, name)
		ok, rehash, err = with(c.o).Verify(ctx, "7", secret.NewText("Password"), stored)
		require.NoError(t, err, name)
		require.False(t, ok || rehash, name)
	}

	// What rehash asks for ends it.
	raised := with(secret.PasswordOptions{Memory: 20001})
	stored, err = raised.Hash(ctx, "7", secret.NewText("password"))
	require.NoError(t, err)
	ok, rehash, err := raised.Verify(ctx, "7", secret.NewText("password"), stored)
	require.NoError(t, err)
	require.True(t, ok && !rehash)
}

// TestOtherAlgorithmIsRehashed imports strong hashes of both algorithms.
func TestOtherAlgorithmIsRehashed(t *testing.T) {
	for _, phc := range []string{passwordsArgon, passwordsPBKDF2} {
		p, _ := newPasswords(t, nil)
		stored, err := p.Import(t.Context(), "7", phc)
		if fips140.Enforced() && phc == passwordsArgon {
			require.ErrorIs(t, err, kms.ErrUnsupported)
			continue
		}
		require.NoError(t, err)
		require.Len(t, stored, len(phc)+envelope.RecordOverhead)
		ok, rehash, err := p.Verify(t.Context(), "7", secret.NewText(cheapPassword), stored)
		require.NoError(t, err)
		require.True(t, ok)
		require.True(t, rehash)
	}
}
