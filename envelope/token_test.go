package envelope_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestToken(t *testing.T) {
	fake, store := kmstest.NewFake("k"), memstore.New()
	defer store.Close()
	ring := envelopetest.New(t, &envelopetest.Options{Fake: fake, Store: store})
	acme, other := ring.Tenant("acme"), ring.Tenant("other")
	place := envelope.Bind("users", "email", "email_eq")
	token := func(tn envelope.Tenant, value string, b envelope.Binding) string {
		t.Helper()
		out, err := tn.AppendToken(t.Context(), []byte("before"), []byte(value), b)
		require.NoError(t, err)
		require.Equal(t, "before", string(out[:6]))
		require.Len(t, out, 6+envelope.TokenSize)
		return string(out[6:])
	}
	first := token(acme, "ada", place)
	require.Equal(t, first, token(acme, "ada", place))
	different := map[string]string{
		"value":    token(acme, "bob", place),
		"tenant":   token(other, "ada", place),
		"binding":  token(acme, "ada", envelope.Bind("users", "email", "email_x")),
		"boundary": token(acme, "ada", envelope.Bind("users", "emailemail_eq")),
	}
	for what, token := range different {
		require.NotEqual(t, first, token, what)
	}

	// It stays, whatever happens to keys that seal, and in every process.
	_, err := acme.Seal(t.Context(), []byte("x"), place)
	require.NoError(t, err)
	_, err = acme.Rotate(t.Context())
	require.NoError(t, err)
	_, err = ring.Rewrap(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, first, token(acme, "ada", place))
	second := envelopetest.New(t, &envelopetest.Options{Fake: fake, Store: store})
	require.Equal(t, first, token(second.Tenant("acme"), "ada", place))

	// More of them than a process remembers.
	many := map[string]bool{}
	for range 2 {
		for i := range 300 {
			many[token(acme, "ada", envelope.Bind("users", "email", strconv.Itoa(i)))] = true
		}
	}
	require.Len(t, many, 300)

	// And differs between deployments with the same words.
	elsewhere := envelopetest.New(t, &envelopetest.Options{Deployment: "elsewhere"})
	require.NotEqual(t, first, token(elsewhere.Tenant("acme"), "ada", place))
}

func TestTokenRefusals(t *testing.T) {
	ring := envelopetest.New(t, nil)
	place := envelope.Bind("users", "email", "email_eq")
	for name, tt := range map[string]struct {
		tenant envelope.Tenant
		b      envelope.Binding
		err    error
	}{
		"zero tenant":  {envelope.Tenant{}, place, kms.ErrInvalid},
		"empty id":     {ring.Tenant(""), place, kms.ErrInvalid},
		"zero binding": {ring.Tenant("acme"), envelope.Binding{}, envelope.ErrUnbound},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := tt.tenant.AppendToken(t.Context(), []byte("dst"), []byte("ada"), tt.b)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, "dst", string(out))
		})
	}
	acme := ring.Tenant("acme")
	_, err := acme.AppendToken(t.Context(), nil, []byte("ada"), place)
	require.NoError(t, err)
	require.NoError(t, acme.Disable(t.Context(), "unpaid"))
	_, err = acme.AppendToken(t.Context(), nil, []byte("ada"), place)
	require.ErrorIs(t, err, envelope.ErrDisabled)
	require.NoError(t, acme.Enable(t.Context()))
	_, err = acme.Destroy(t.Context(), envelope.Erasure{Ref: "r"}, "acme")
	require.NoError(t, err)
	_, err = acme.AppendToken(t.Context(), nil, []byte("ada"), place)
	require.ErrorIs(t, err, envelope.ErrErased)
}

func TestTokenExplicitCreate(t *testing.T) {
	ring := envelopetest.New(t, &envelopetest.Options{Keyring: &envelope.KeyringOptions{ExplicitCreate: true}})
	acme, place := ring.Tenant("acme"), envelope.Bind("users", "email", "email_eq")
	_, err := acme.AppendToken(t.Context(), nil, []byte("ada"), place)
	require.ErrorIs(t, err, envelope.ErrUnknownKey)
	_, err = acme.Create(t.Context())
	require.NoError(t, err)
	_, err = acme.AppendToken(t.Context(), nil, []byte("ada"), place)
	require.NoError(t, err)
}

// TestTokenOutage: what is warm goes on without the KMS, and what is cold says that it is an outage.
func TestTokenOutage(t *testing.T) {
	fake, store := kmstest.NewFake("k"), memstore.New()
	defer store.Close()
	place := envelope.Bind("users", "email", "email_eq")
	warm := envelopetest.New(t, &envelopetest.Options{Fake: fake, Store: store}).Tenant("acme")
	want, err := warm.AppendToken(t.Context(), nil, []byte("ada"), place)
	require.NoError(t, err)
	fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
	got, err := warm.AppendToken(t.Context(), nil, []byte("ada"), place)
	require.NoError(t, err)
	require.Equal(t, want, got)
	cold := envelopetest.New(t, &envelopetest.Options{Fake: fake, Store: store}).Tenant("acme")
	_, err = cold.AppendToken(t.Context(), nil, []byte("ada"), place)
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	require.True(t, errors.Is(err, kms.ErrUnavailable))
}

func BenchmarkToken(b *testing.B) {
	ring := envelopetest.New(b, nil)
	acme, place, value := ring.Tenant("acme"), envelope.Bind("users", "email", "email_eq"), []byte("email/v1\x00ada.lovelace@example.com")
	dst := make([]byte, 0, envelope.TokenSize)
	b.Run("op=token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := acme.AppendToken(b.Context(), dst, value, place); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("op=raw", func(b *testing.B) {
		key := make([]byte, 32)
		b.ReportAllocs()
		for b.Loop() {
			mac := hmac.New(sha256.New, key)
			mac.Write(value)
			mac.Sum(dst)
		}
	})
}
