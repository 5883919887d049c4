package envelope_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// optionsRoot is a Root that is never called.
func optionsRoot(context.Context, string) (*kms.Key, error) { panic("I/O in a constructor") }

func TestKeyringOptions(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	nist, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	const day = 24 * time.Hour
	for name, tc := range map[string]struct {
		o     *envelope.KeyringOptions
		field string // that is refused, "" for none
	}{
		"nil":                            {nil, ""},
		"zero":                           {&envelope.KeyringOptions{}, ""},
		"shortest CacheTTL":              {&envelope.KeyringOptions{CacheTTL: time.Second}, ""},
		"CacheTTL too short":             {&envelope.KeyringOptions{CacheTTL: time.Second - 1}, "CacheTTL"},
		"negative CacheTTL":              {&envelope.KeyringOptions{CacheTTL: -time.Minute}, "CacheTTL"},
		"longest CacheTTL":               {&envelope.KeyringOptions{CacheTTL: day}, ""},
		"CacheTTL too long":              {&envelope.KeyringOptions{CacheTTL: day + 1}, "CacheTTL"},
		"longest RefreshAhead":           {&envelope.KeyringOptions{RefreshAhead: 150 * time.Second}, ""},
		"RefreshAhead of more than half": {&envelope.KeyringOptions{RefreshAhead: 150*time.Second + 1}, "RefreshAhead"},
		"negative RefreshAhead":          {&envelope.KeyringOptions{RefreshAhead: -1}, "RefreshAhead"},
		"RefreshAhead and CacheTTL":      {&envelope.KeyringOptions{CacheTTL: time.Hour, RefreshAhead: 30 * time.Minute}, ""},
		"no StaleIfError":                {&envelope.KeyringOptions{StaleIfError: -1}, ""},
		"longest StaleIfError":           {&envelope.KeyringOptions{StaleIfError: day}, ""},
		"StaleIfError too long":          {&envelope.KeyringOptions{StaleIfError: day + 1}, "StaleIfError"},
		"short StaleIfError":             {&envelope.KeyringOptions{StaleIfError: time.Second}, ""},
		"no WriteStaleIfError":           {&envelope.KeyringOptions{WriteStaleIfError: -1}, ""},
		"WriteStaleIfError of the same":  {&envelope.KeyringOptions{WriteStaleIfError: time.Hour}, ""},
		"WriteStaleIfError beyond":       {&envelope.KeyringOptions{WriteStaleIfError: time.Hour + 1}, "WriteStaleIfError"},
		"WriteStaleIfError without":      {&envelope.KeyringOptions{StaleIfError: -1, WriteStaleIfError: 1}, "WriteStaleIfError"},
		"both negative":                  {&envelope.KeyringOptions{StaleIfError: -1, WriteStaleIfError: -1}, ""},
		"soonest RotateAfter":            {&envelope.KeyringOptions{RotateAfter: time.Hour}, ""},
		"RotateAfter too soon":           {&envelope.KeyringOptions{RotateAfter: time.Hour - 1}, "RotateAfter"},
		"no RotateAfter":                 {&envelope.KeyringOptions{RotateAfter: -1}, ""},
		"one entry":                      {&envelope.KeyringOptions{CacheEntries: 1}, ""},
		"negative CacheEntries":          {&envelope.KeyringOptions{CacheEntries: -1}, "CacheEntries"},
		"most CacheEntries":              {&envelope.KeyringOptions{CacheEntries: 10_000_000}, ""},
		"too many CacheEntries":          {&envelope.KeyringOptions{CacheEntries: 10_000_001}, "CacheEntries"},
		"Signer":                         {&envelope.KeyringOptions{Signer: edwards}, ""},
		"Signer of another kind":         {&envelope.KeyringOptions{Signer: nist}, "Signer"},
		"Signer by pointer":              {&envelope.KeyringOptions{Signer: optionsSigner{&ed25519.PublicKey{}}}, "Signer"},
	} {
		t.Run(name, func(t *testing.T) {
			var before envelope.KeyringOptions
			if tc.o != nil {
				before = *tc.o
			}
			r, err := envelope.NewKeyring("test", memstore.New(), optionsRoot, tc.o)
			if tc.o != nil {
				require.Equal(t, before, *tc.o, "an argument stays as it is")
			}
			if tc.field == "" {
				require.NoError(t, err)
				require.NoError(t, r.Close())
				return
			}
			require.Nil(t, r)
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Equal(t, envelope.Fix, envelope.ActionFor(err))
			require.ErrorContains(t, err, "KeyringOptions."+tc.field+" must be", "the text names the fix")
		})
	}
}

// optionsSigner has a public key of any type.
type optionsSigner struct{ crypto.PublicKey }

func (s optionsSigner) Public() crypto.PublicKey { return s.PublicKey }

func (optionsSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, nil }

func TestNewKeyringArguments(t *testing.T) {
	for name, tc := range map[string]struct {
		deployment string
		store      envelope.Store
		root       envelope.Root
		fix        string // a word of the error's text, "" for no error
	}{
		"all":                {"acme-prod", memstore.New(), optionsRoot, ""},
		"one byte":           {"a", memstore.New(), optionsRoot, ""},
		"longest":            {strings.Repeat("é", 127) + "x", memstore.New(), optionsRoot, ""},
		"no deployment":      {"", memstore.New(), optionsRoot, "deployment"},
		"deployment longer":  {strings.Repeat("é", 128), memstore.New(), optionsRoot, "deployment"},
		"deployment invalid": {"acme\xff", memstore.New(), optionsRoot, "UTF-8"},
		"no Store":           {"acme-prod", nil, optionsRoot, "Store"},
		"no Root":            {"acme-prod", memstore.New(), nil, "SingleRoot"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := envelope.NewKeyring(tc.deployment, tc.store, tc.root, nil)
			if tc.fix == "" {
				require.NoError(t, err)
				require.NoError(t, r.Close())
				require.NoError(t, r.Close(), "again")
				return
			}
			require.Nil(t, r)
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.ErrorContains(t, err, tc.fix)
		})
	}
}

// TestAllowUnbound: the zero Binding is refused unless the option says otherwise, and is another one than any that Bind returns.
func TestAllowUnbound(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	strict, lax := newKeyring(t, fake, store, nil), newKeyring(t, fake, store, &envelope.KeyringOptions{AllowUnbound: true})
	unbound := envelope.Binding{}
	for name, b := range map[string]envelope.Binding{"zero": unbound, "of no parts": envelope.Bind()} {
		_, err := strict.Tenant("acme").Seal(t.Context(), nil, b)
		require.ErrorIs(t, err, envelope.ErrUnbound, name)
		require.Equal(t, envelope.Fix, envelope.ActionFor(err))
	}
	require.Empty(t, fake.Calls(), "before anything is asked")
	record, err := lax.Tenant("acme").Seal(t.Context(), []byte("old"), unbound)
	require.NoError(t, err)
	got, err := lax.Tenant("acme").Open(t.Context(), record, unbound)
	require.NoError(t, err)
	require.Equal(t, "old", string(got))
	_, err = strict.Tenant("acme").Open(t.Context(), record, unbound)
	require.ErrorIs(t, err, envelope.ErrUnbound)
	for _, b := range []envelope.Binding{binding, envelope.Bind(""), envelope.Bind("", "")} {
		_, err = lax.Tenant("acme").Open(t.Context(), record, b)
		require.ErrorIs(t, err, envelope.ErrOpen)
	}
}

// TestExplicitCreate: Seal makes no key, and Create does. Whatever else needs no key of its own works.
func TestExplicitCreate(t *testing.T) {
	fake := kmstest.NewFake("key")
	r := newKeyring(t, fake, memstore.New(), &envelope.KeyringOptions{ExplicitCreate: true})
	acme := r.Tenant("acme")
	for name, s := range map[string]envelope.Scope{"tenant": acme, "subject": acme.Subject("ada")} {
		_, err := s.Seal(t.Context(), nil, binding)
		require.ErrorIs(t, err, envelope.ErrUnknownKey, name)
		require.ErrorContains(t, err, "Create", "the text names the fix")
		_, err = s.NewWriter(t.Context(), nil, binding, nil)
		require.ErrorIs(t, err, envelope.ErrUnknownKey, name)
	}
	require.Zero(t, fake.Count("wrap"))
	for name, s := range map[string]envelope.Scope{"tenant": acme, "subject": acme.Subject("ada")} {
		id, err := s.Create(t.Context())
		require.NoError(t, err, name)
		again, err := s.Create(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, id, again)
		record, err := s.Seal(t.Context(), nil, binding)
		require.NoError(t, err, name)
		require.Equal(t, id[:], record[1:17])
	}
}
