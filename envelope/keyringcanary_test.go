package envelope_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/canary"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

const (
	canaryPerson = "Kanarie.9876543210@vogel.example"
	canaryText   = "Geheim-0123456789-Inhalt"
	canaryRow    = "Zeile-1357924680-Bindung"
)

// canaries are what nobody may see, and the keys that the KMS has unwrapped.
type canaries struct {
	mu      sync.Mutex
	secrets [][]byte
}

func newCanaries() *canaries {
	return &canaries{secrets: [][]byte{[]byte(canaryPerson), []byte(canaryText), []byte(canaryRow)}}
}

// watch has keys that the KMS unwraps be secrets, too.
func (c *canaries) watch(fake *kmstest.Fake) {
	fake.Always(kmstest.Fault{Unwrap: func(key []byte) []byte {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.secrets = append(c.secrets, bytes.Clone(key))
		return key
	}})
}

// lowered returns a text with the letters A to Z in lower case. strings.ToLower has all bytes that are no UTF-8, as those of keys and ciphertexts, look alike.
func lowered(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// leaks returns the forms of parts of a secret, six bytes each, that text has.
func (c *canaries) leaks(text string) (found []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lower := lowered(text)
	for _, secret := range c.secrets {
		for part := range slices.Chunk(secret[:len(secret)/6*6], 6) {
			decimal, spaced := fmt.Sprint(part), fmt.Sprintf("% x", part)
			decimal = strings.Trim(decimal, "[]")
			for form, text := range map[string]string{
				lowered(string(part)): lower, hex.EncodeToString(part): lower, spaced: lower, "0x" + strings.ReplaceAll(spaced, " ", ", 0x"): lower,
				decimal: text, strings.ReplaceAll(decimal, " ", ","): text, strings.ReplaceAll(decimal, " ", ", "): text,
			} {
				if strings.Contains(text, form) {
					found = append(found, form)
				}
			}
		}
		for shift := range 3 {
			whole := secret[shift : shift+(len(secret)-shift)/3*3]
			if strings.Contains(text, base64.StdEncoding.EncodeToString(whole)) {
				found = append(found, "base64")
			}
		}
	}
	return found
}

// says requires that nothing secret shows in what is printed, logged or marshalled of v.
func (c *canaries) says(t *testing.T, name string, v any) {
	t.Helper()
	for _, verb := range "vTtbcdoOqxXUeEfFgGs" {
		for _, flags := range []string{"", "+", "#", "60.3"} {
			require.Empty(t, c.leaks(fmt.Sprintf("%"+flags+string(verb), v)), "%%%s%c of %s", flags, verb, name)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("message", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("message", "v", v)
	require.Empty(t, c.leaks(log.String()), "logs of %s", name)
	if b, err := json.Marshal(v); err == nil {
		require.Empty(t, c.leaks(string(b)), "JSON of %s", name)
	}
}

// prints is says, and requires the same of a failed assertion, which follows unexported fields, and pointers.
func (c *canaries) prints(t *testing.T, name string, v any) {
	t.Helper()
	c.says(t, name, v)
	require.Empty(t, c.leaks(fmt.Sprintf("%p", v)), name)
	var f canaryFailure
	require.False(t, assert.Equal(&f, "another", v))
	require.NotEmpty(t, f.text)
	require.Empty(t, c.leaks(f.text), "dump of %s", name)
}

// canaryFailure keeps what an assertion prints.
type canaryFailure struct{ text string }

func (f *canaryFailure) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

// canaryStore keeps all that was ever written.
type canaryStore struct {
	envelope.Store
	mu      sync.Mutex
	written []string
}

func (s *canaryStore) Apply(ctx context.Context, changes ...envelope.Change) error {
	s.mu.Lock()
	for _, c := range changes {
		s.written = append(s.written, c.Key, string(c.Value))
	}
	s.mu.Unlock()
	return s.Store.Apply(ctx, changes...)
}

// TestCanariesAreFound: the test finds what it looks for.
func TestCanariesAreFound(t *testing.T) {
	c := newCanaries()
	for _, format := range []string{"%s", "%q", "%x", "%X", "% x", "%#v", "%v", "%d"} {
		require.NotEmpty(t, c.leaks(fmt.Sprintf(format, []byte(canaryPerson))), format)
	}
	b, err := json.Marshal([]byte("12" + canaryPerson))
	require.NoError(t, err)
	require.NotEmpty(t, c.leaks(string(b)))
	require.NotEmpty(t, c.leaks(strings.ToUpper(canaryText)))
	require.Empty(t, c.leaks("envelope.Subject(tenant \"acme\")"))
}

// TestCanaries leads a person's whole life, and then looks at all that was written, told, asked and returned.
func TestCanaries(t *testing.T) {
	fake, store, book, c := kmstest.NewFake("key"), &canaryStore{Store: memstore.New()}, &auditBook{}, newCanaries()
	c.watch(fake)
	var log bytes.Buffer
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	r := newKeyring(t, fake, store, &envelope.KeyringOptions{
		Signer: ed25519.NewKeyFromSeed(seed),
		Audit:  canaryAuditors{book, envelope.NewLogAuditor(slog.New(slog.NewTextHandler(&log, nil)))},
	})
	ada := r.Tenant("acme").Subject(canaryPerson)
	at := envelope.Bind("users", canaryRow)
	ctx := envelope.WithActor(t.Context(), "ops", "ticket 9")
	record, err := ada.Seal(ctx, []byte(canaryText), at)
	require.NoError(t, err)
	got, err := ada.Open(ctx, record, at)
	require.NoError(t, err)
	require.Equal(t, canaryText, string(got))
	stream, err := ada.NewSealReader(ctx, strings.NewReader(canaryText), at, nil)
	require.NoError(t, err)
	sealed, err := io.ReadAll(stream)
	require.NoError(t, err)
	_, err = ada.Rotate(ctx)
	require.NoError(t, err)
	again, err := ada.Reseal(ctx, record, at)
	require.NoError(t, err)
	require.NoError(t, ada.Disable(ctx, "why"))
	require.NoError(t, ada.Enable(ctx))
	require.NoError(t, ada.Hold(ctx, "case 1"))
	require.NoError(t, ada.Release(ctx, "case 1"))
	_, err = r.Compact(ctx, "acme")
	require.NoError(t, err)
	fake.Rotate()
	report, err := r.Rewrap(ctx, nil)
	require.NoError(t, err)
	require.NotZero(t, report.Rewrapped)
	for _, v := range []any{r, &r, ada, r.Tenant("acme"), r.Health(ctx, "acme"), report, canary.Holders(&ada), []any{r}} {
		c.prints(t, fmt.Sprintf("%T", v), v) // keys are in memory, and the person is known
	}
	for _, v := range []any{at, &at, []envelope.Binding{at}, struct{ B envelope.Binding }{at}} {
		c.says(t, fmt.Sprintf("%T", v), v)
	}
	receipt, err := ada.Erase(ctx, envelope.Erasure{Ref: "case 7"})
	require.NoError(t, err)
	require.NoError(t, ada.Readmit(ctx, "back"))
	_, err = ada.Seal(ctx, []byte(canaryText), at)
	require.NoError(t, err)
	_, err = r.Tenant("acme").Destroy(ctx, envelope.Erasure{Ref: "case 8"}, "acme")
	require.NoError(t, err)
	c.prints(t, "receipt", receipt)
	c.prints(t, "receipts", canary.Holders(receipt))

	require.Greater(t, len(c.secrets), 10, "keys were unwrapped")
	require.Greater(t, len(book.events), 30)
	require.Empty(t, c.leaks(fmt.Sprintf("%+v", book.events)))
	require.Empty(t, c.leaks(log.String()))
	require.Contains(t, log.String(), "key erase")
	require.Empty(t, c.leaks(strings.Join(store.written, "\n")))
	require.Contains(t, strings.Join(store.written, "\n"), "subject/acme/")
	for _, bytes := range [][]byte{record, sealed, again} {
		require.Empty(t, c.leaks(string(bytes)))
	}
	for _, call := range fake.Calls() {
		require.Empty(t, c.leaks(fmt.Sprint(call.Context)))
	}
}

// canaryAuditors tells several.
type canaryAuditors []envelope.Auditor

func (a canaryAuditors) Record(ctx context.Context, e envelope.Event) error {
	for _, one := range a {
		if err := one.Record(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// TestCanariesInErrors has everything fail in every way, and looks at what it says.
func TestCanariesInErrors(t *testing.T) {
	at := envelope.Bind("users", canaryRow)
	bad := canaryPerson + "\xff" + canaryPerson
	for name, break_ := range map[string]func(fake *kmstest.Fake, store *modelStore, r *envelope.Keyring) error{
		"nothing": func(*kmstest.Fake, *modelStore, *envelope.Keyring) error { return nil },
		"KMS away": func(f *kmstest.Fake, _ *modelStore, _ *envelope.Keyring) error {
			f.Always(kmstest.Fault{Err: kms.ErrUnavailable})
			return nil
		},
		"KMS denies": func(f *kmstest.Fake, _ *modelStore, _ *envelope.Keyring) error {
			f.Always(kmstest.Fault{Err: kms.ErrAccessDenied})
			return nil
		},
		"KMS lies": func(f *kmstest.Fake, _ *modelStore, _ *envelope.Keyring) error {
			f.Always(kmstest.Fault{Unwrap: func(b []byte) []byte { return b[:31] }})
			return nil
		},
		"KMS disabled": func(f *kmstest.Fake, _ *modelStore, _ *envelope.Keyring) error { f.SetState(kms.Disabled); return nil },
		"store away":   func(_ *kmstest.Fake, s *modelStore, _ *envelope.Keyring) error { s.away.Store(true); return nil },
		"store closed": func(_ *kmstest.Fake, s *modelStore, _ *envelope.Keyring) error { return s.Close() },
		"closed":       func(_ *kmstest.Fake, _ *modelStore, r *envelope.Keyring) error { return r.Close() },
		"disabled": func(_ *kmstest.Fake, _ *modelStore, r *envelope.Keyring) error {
			return r.Tenant("acme").Subject(canaryPerson).Disable(context.Background(), "why")
		},
		"held": func(_ *kmstest.Fake, _ *modelStore, r *envelope.Keyring) error {
			return r.Tenant("acme").Subject(canaryPerson).Hold(context.Background(), "case 1")
		},
		"erased": func(_ *kmstest.Fake, _ *modelStore, r *envelope.Keyring) error {
			_, err := r.Tenant("acme").Subject(canaryPerson).Erase(context.Background(), envelope.Erasure{Ref: "case 7"})
			return err
		},
		"destroyed": func(_ *kmstest.Fake, _ *modelStore, r *envelope.Keyring) error {
			_, err := r.Tenant("acme").Destroy(context.Background(), envelope.Erasure{Ref: "case 7"}, "acme")
			return err
		},
		"wrap key gone": func(_ *kmstest.Fake, s *modelStore, _ *envelope.Keyring) error {
			return canaryDamage(s, "tenant/acme/wrap/")
		},
		"key damaged": func(_ *kmstest.Fake, s *modelStore, _ *envelope.Keyring) error {
			return canaryDamage(s, "subject/acme/")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, failures := newCanaries(), 0
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for _, warm := range []bool{false, true} {
				fake, store := kmstest.NewFake("key"), &modelStore{Store: memstore.New()}
				first := newKeyring(t, fake, store, nil)
				record, err := first.Tenant("acme").Subject(canaryPerson).Seal(t.Context(), []byte(canaryText), at)
				require.NoError(t, err)
				r := first
				if !warm {
					r = newKeyring(t, fake, store, nil)
				}
				require.NoError(t, break_(fake, store, r))
				for _, person := range []string{canaryPerson, canaryPerson + "2", bad, strings.Repeat(canaryPerson, 9)} {
					s := r.Tenant("acme").Subject(person)
					calls := scopeCalls(t.Context(), s)
					calls["Open of the record"] = func() error { _, err := s.Open(t.Context(), record, at); return err }
					calls["Open elsewhere"] = func() error { _, err := s.Open(t.Context(), record, envelope.Bind(canaryRow+"2")); return err }
					calls["Open altered"] = func() error {
						_, err := s.Open(t.Context(), append(slices.Clone(record[:20]), make([]byte, 60)...), at)
						return err
					}
					calls["Open of plaintext"] = func() error { _, err := s.Open(t.Context(), []byte(canaryText), at); return err }
					calls["canceled"] = func() error { _, err := s.Open(ctx, record, at); return err }
					calls["Stale"] = func() error { _, err := r.Stale(t.Context(), []byte(canaryText)); return err }
					calls["Erase"] = func() error { _, err := s.Erase(t.Context(), envelope.Erasure{Ref: "case 9"}); return err }
					calls["Readmit"] = func() error { return s.Readmit(t.Context(), "back") }
					calls["Compact"] = func() error { _, err := r.Compact(t.Context(), "acme"); return err }
					for call, do := range calls {
						if err := do(); err != nil {
							failures++
							text := fmt.Sprintf("%v\n%+v\n%#v\n%q\n%x", err, err, err, err, err)
							require.Empty(t, c.leaks(text), "%s: %v", call, err)
						}
					}
				}
			}
			require.Greater(t, failures, 20)
		})
	}
}

// canaryDamage alters the rows of keys under a prefix.
func canaryDamage(s *modelStore, prefix string) error {
	rows, err := s.List(context.Background(), prefix, "", 100)
	for _, row := range rows {
		if strings.Contains(string(row.Value), `"wrapped"`) {
			row.Value = []byte(strings.Replace(string(row.Value), `"wrapped":"`, `"wrapped":"AAAA`, 1))
			err = s.Apply(context.Background(), envelope.Change{Row: row})
		}
	}
	return err
}
