package envelope_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// scopeCalls returns every method of a scope, by name.
func scopeCalls(ctx context.Context, s envelope.Scope) map[string]func() error {
	record := append([]byte{0xf5}, make([]byte, envelope.RecordOverhead)...)
	stream := append([]byte{0xf7}, make([]byte, 200)...)
	return map[string]func() error{
		"Seal":          func() error { _, err := s.Seal(ctx, nil, binding); return err },
		"Open":          func() error { _, err := s.Open(ctx, record, binding); return err },
		"AppendSeal":    func() error { _, err := s.AppendSeal(ctx, nil, nil, binding); return err },
		"AppendOpen":    func() error { _, err := s.AppendOpen(ctx, nil, record, binding); return err },
		"Reseal":        func() error { _, err := s.Reseal(ctx, record, binding); return err },
		"NewWriter":     func() error { _, err := s.NewWriter(ctx, io.Discard, binding, nil); return err },
		"NewSealReader": func() error { _, err := s.NewSealReader(ctx, strings.NewReader(""), binding, nil); return err },
		"NewReader":     func() error { _, err := s.NewReader(ctx, bytes.NewReader(stream), binding, nil); return err },
		"NewReaderAt": func() error {
			_, err := s.NewReaderAt(ctx, bytes.NewReader(stream), int64(len(stream)), binding, nil)
			return err
		},
		"Create": func() error { _, err := s.Create(ctx); return err },
		"Rotate": func() error { _, err := s.Rotate(ctx); return err },
		"Versions": func() error {
			for _, err := range s.Versions(ctx) {
				return err
			}
			return nil
		},
		"Disable": func() error { return s.Disable(ctx, "why") },
		"Enable":  func() error { return s.Enable(ctx) },
		"Hold":    func() error { return s.Hold(ctx, "case 1") },
		"Release": func() error { return s.Release(ctx, "case 1") },
	}
}

// TestZeroScopes: what was not made by its constructor is refused, with the constructor's name.
func TestZeroScopes(t *testing.T) {
	for name, s := range map[string]envelope.Scope{
		"Tenant":                     envelope.Tenant{},
		"Subject":                    envelope.Subject{},
		"Subject of a zero Tenant":   envelope.Tenant{}.Subject("ada"),
		"Tenant of a nil Keyring":    (*envelope.Keyring)(nil).Tenant("acme"),
		"Tenant of a zero Keyring":   new(envelope.Keyring).Tenant("acme"),
		"Subject of a zero Keyring":  new(envelope.Keyring).Tenant("acme").Subject("ada"),
		"Tenant without a name, too": new(envelope.Keyring).Tenant(""),
	} {
		for method, call := range scopeCalls(t.Context(), s) {
			err := call()
			require.ErrorIs(t, err, kms.ErrInvalid, "%s of %s", method, name)
			require.Equal(t, envelope.Fix, envelope.ActionFor(err))
			require.ErrorContains(t, err, "Keyring")
		}
	}
	for name, r := range map[string]*envelope.Keyring{"nil": nil, "zero": {}} {
		_, err := r.Stale(t.Context(), make([]byte, 100))
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		require.NoError(t, r.Close(), name)
		require.Equal(t, "envelope.Keyring", r.String())
	}
}

// TestIDsRefused: ids out of bounds fail in every method, before anything is asked.
func TestIDsRefused(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := newKeyring(t, fake, store, nil)
	for name, id := range map[string]string{
		"empty": "", "256 bytes": strings.Repeat("x", 256), "invalid UTF-8": "ada\xff", "cut rune": "ad\xc3", "surrogate": "\xed\xa0\x80", "overlong": "\xc0\xaf",
	} {
		for kind, s := range map[string]envelope.Scope{"tenant": r.Tenant(id), "subject": r.Tenant("acme").Subject(id), "its tenant": r.Tenant(id).Subject("ada")} {
			for method, call := range scopeCalls(t.Context(), s) {
				err := call()
				require.ErrorIs(t, err, kms.ErrInvalid, "%s of a %s %s", method, kind, name)
				require.ErrorContains(t, err, "1 to 255 bytes of valid UTF-8")
			}
		}
	}
	require.Empty(t, fake.Calls())
	rows, err := store.List(t.Context(), "", "", 10)
	require.NoError(t, err)
	require.Empty(t, rows)
}

// hardIDs are all different, and all allowed.
var hardIDs = []string{
	"acme", "acme/", "acme/b", "acme%2Fb", "acme%2fb", "acme%", ".", "..", "../acme", "/", "//", "%2F", "%", "%00", "\x00", "acme\x00", "acme\n", "acme ", " acme",
	"ACME", "Acme", "\u0430cme", "caf\u00e9", "cafe\u0301", "\u212b", "\u00c5", "K", "\u212a", "\ufb01", "fi", "\U0001f512", "\u202eacme", "\ufeff", "\ufffd",
	"acme/data/0000000001", "tenant/acme/", "fleet", "id/00", `"`, `\`, "'; DROP TABLE rows; --", "_", "acme_", "a*", "[a-z]", "~", "+", "a+b", "a b", "?", "#",
	strings.Repeat("x", 255), strings.Repeat("\x00", 255), strings.Repeat("\u00e9", 127), strings.Repeat("%", 255),
}

// TestHardIDs: ids are bytes. None stands for another, whatever it looks like, is written or sorts like.
func TestHardIDs(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := newKeyring(t, fake, store, nil)
	cold := newKeyring(t, fake, store, nil)
	for kind, scope := range map[string]func(r *envelope.Keyring, id string) envelope.Scope{
		"tenant":  func(r *envelope.Keyring, id string) envelope.Scope { return r.Tenant(id) },
		"subject": func(r *envelope.Keyring, id string) envelope.Scope { return r.Tenant("globex").Subject(id) },
		"both":    func(r *envelope.Keyring, id string) envelope.Scope { return r.Tenant(id).Subject(id) },
	} {
		records := map[string][]byte{}
		for _, id := range hardIDs {
			record, err := scope(r, id).Seal(t.Context(), []byte(id), binding)
			require.NoError(t, err, "%s %q", kind, id)
			records[id] = record
		}
		for i, id := range hardIDs {
			got, err := scope(cold, id).Open(t.Context(), records[id], binding)
			require.NoError(t, err, "%s %q", kind, id)
			require.Equal(t, id, string(got))
			other := hardIDs[(i+1)%len(hardIDs)]
			_, err = scope(cold, other).Open(t.Context(), records[id], binding)
			require.ErrorIs(t, err, envelope.ErrWrongScope, "%s %q", kind, id)
			n := 0
			for k, err := range scope(cold, id).Versions(t.Context()) {
				require.NoError(t, err, "%s %q", kind, id)
				require.Equal(t, records[id][1:17], k.ID[:])
				n++
			}
			require.Equal(t, 1, n, "%s %q has keys of its own", kind, id)
		}
		require.NoError(t, scope(r, "acme").Disable(t.Context(), "why"))
		_, err := scope(r, "acme/b").Open(t.Context(), records["acme/b"], binding)
		require.NoError(t, err, "the state of another")
		require.NoError(t, scope(r, "acme").Enable(t.Context()))
	}
}

// TestSameSubjectElsewhere: a person is another in each tenant and deployment, also in the store.
func TestSameSubjectElsewhere(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := newKeyring(t, fake, store, nil)
	record, err := r.Tenant("acme").Subject("ada").Seal(t.Context(), nil, binding)
	require.NoError(t, err)
	_, err = r.Tenant("globex").Subject("ada").Seal(t.Context(), nil, binding)
	require.NoError(t, err)
	_, err = r.Tenant("globex").Subject("ada").Open(t.Context(), record, binding)
	require.ErrorIs(t, err, envelope.ErrWrongScope)
	refs := map[string]bool{}
	rows, err := store.List(t.Context(), "subject/", "", 10)
	require.NoError(t, err)
	for _, row := range rows {
		refs[strings.Split(row.Key, "/")[2]] = true
	}
	require.Len(t, refs, 2)
}

func TestBind(t *testing.T) {
	require.Equal(t, envelope.Bind("users", "email", "7"), binding, "comparable")
	require.Equal(t, envelope.Binding{}, envelope.Bind())
	all := []envelope.Binding{
		{},
		envelope.Bind(""), envelope.Bind("", ""), envelope.Bind("a"), envelope.Bind("a", ""), envelope.Bind("", "a"), envelope.Bind("a", "b"), envelope.Bind("b", "a"),
		envelope.Bind("ab"), envelope.Bind("a\x00b"), envelope.Bind("a/b"), envelope.Bind("\x00\x00\x00\x01a"), envelope.Bind("A"),
	}
	seen := map[envelope.Binding]int{}
	for i, b := range all {
		require.NotContains(t, seen, b, "%d", i)
		seen[b] = i
	}
}

// TestNames: tenants print as such under every verb, in logs and in JSON.
func TestNames(t *testing.T) {
	r := newKeyring(t, kmstest.NewFake("key"), memstore.New(), nil)
	acme := r.Tenant("acme\n")
	require.Equal(t, "acme\n", acme.ID())
	for want, v := range map[string]any{
		`envelope.Tenant("acme\n")`:         acme,
		`envelope.Subject(tenant "acme\n")`: acme.Subject("ada"),
		`envelope.Scope(zero)`:              envelope.Tenant{},
		`envelope.Binding`:                  binding,
		`envelope.Binding(zero)`:            envelope.Binding{},
		`envelope.Keyring`:                  r,
	} {
		require.Equal(t, want, fmt.Sprint(v))
		require.Equal(t, want, fmt.Sprintf("%+v", v))
		require.Equal(t, "["+want+"]", fmt.Sprint([]any{v}))
		var log, plain bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("message", "v", v)
		slog.New(slog.NewTextHandler(&plain, nil)).Info("message", "v", want)
		_, value, _ := strings.Cut(plain.String(), "v=")
		require.True(t, strings.HasSuffix(log.String(), "v="+value), log.String())
	}
	b, err := json.Marshal(map[string]any{"t": acme.Subject("ada")})
	require.NoError(t, err)
	require.JSONEq(t, `{"t":"envelope.Subject(tenant \"acme\\n\")"}`, string(b))
}
