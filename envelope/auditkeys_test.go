package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestAuditOfKeys: a key that is made, and each use of the KMS or of the tenant's wrap key, is told with the key's id.
func TestAuditOfKeys(t *testing.T) {
	fake, store, book := kmstest.NewFake("key"), memstore.New(), &auditBook{}
	o := &envelope.KeyringOptions{Audit: book}
	record, err := newKeyring(t, fake, store, o).Tenant("acme").Subject(auditPerson).Seal(t.Context(), nil, binding)
	require.NoError(t, err)
	made := map[string]bool{}
	for _, e := range book.of("create") {
		if e.Outcome == envelope.Done {
			require.NotZero(t, e.KeyID)
			made[e.KeyID.String()] = true
		} else {
			require.Equal(t, envelope.Started, e.Outcome)
		}
	}
	require.Len(t, made, 3, "lookup, wrap and the person's")
	require.Len(t, book.of("create"), 6)
	require.Equal(t, fake.Count("unwrap")+1, len(book.of("unwrap")), "the person's key is unwrapped here")

	book.refuse("", "")
	_, err = newKeyring(t, fake, store, o).Tenant("acme").Subject(auditPerson).Open(t.Context(), record, binding)
	require.NoError(t, err)
	require.Len(t, book.events, 3, "only unwraps")
	last := book.events[2]
	require.Equal(t, []any{"unwrap", envelope.Done, record[1:17]}, []any{last.Op, last.Outcome, last.KeyID[:]})
	require.Len(t, last.SubjectRef, 64)
	for _, e := range book.events {
		require.True(t, made[e.KeyID.String()])
		require.Empty(t, e.Actor+e.Purpose, "nobody said")
	}
}

// TestAuditOfFailures: the outcome is the class of the error.
func TestAuditOfFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(fake *kmstest.Fake, r *envelope.Keyring) error
		do      func(ctx context.Context, r *envelope.Keyring) error
		op      string
		want    error
	}{
		"unwrap refused": {
			func(fake *kmstest.Fake, _ *envelope.Keyring) error { fake.SetState(kms.Disabled); return nil },
			func(ctx context.Context, r *envelope.Keyring) error {
				_, err := r.Tenant("acme").Seal(ctx, nil, binding)
				return err
			},
			"unwrap", kms.ErrDisabled,
		},
		"unwrap in an outage": {
			func(fake *kmstest.Fake, _ *envelope.Keyring) error {
				fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
				return nil
			},
			func(ctx context.Context, r *envelope.Keyring) error {
				_, err := r.Tenant("acme").Seal(ctx, nil, binding)
				return err
			},
			"unwrap", kms.ErrUnavailable,
		},
		"another key unwrapped": {
			func(fake *kmstest.Fake, _ *envelope.Keyring) error {
				fake.Always(kmstest.Fault{Unwrap: func(b []byte) []byte { b[0] ^= 1; return b }})
				return nil
			},
			func(ctx context.Context, r *envelope.Keyring) error {
				_, err := r.Tenant("acme").Seal(ctx, nil, binding)
				return err
			},
			"unwrap", envelope.ErrOpen,
		},
		"create throttled": {
			func(fake *kmstest.Fake, _ *envelope.Keyring) error {
				fake.Always(kmstest.Fault{Err: kms.ErrThrottled})
				return nil
			},
			func(ctx context.Context, r *envelope.Keyring) error {
				_, err := r.Tenant("globex").Create(ctx)
				return err
			},
			"create", kms.ErrThrottled,
		},
		"rotate denied": {
			func(fake *kmstest.Fake, _ *envelope.Keyring) error {
				fake.Always(kmstest.Fault{Op: "wrap", Err: kms.ErrAccessDenied})
				return nil
			},
			func(ctx context.Context, r *envelope.Keyring) error {
				_, err := r.Tenant("acme").Rotate(ctx)
				return err
			},
			"rotate", kms.ErrAccessDenied,
		},
		"destroy held": {
			func(_ *kmstest.Fake, r *envelope.Keyring) error {
				return r.Tenant("acme").Hold(context.Background(), "case 8")
			},
			func(ctx context.Context, r *envelope.Keyring) error {
				_, err := r.Tenant("acme").Destroy(ctx, envelope.Erasure{Ref: "case 7"}, "acme")
				return err
			},
			"destroy", envelope.ErrHeld,
		},
		"release of nothing": {
			func(*kmstest.Fake, *envelope.Keyring) error { return nil },
			func(ctx context.Context, r *envelope.Keyring) error { return r.Tenant("acme").Release(ctx, "case 8") },
			"release", kms.ErrInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			fake, store, book := kmstest.NewFake("key"), memstore.New(), &auditBook{}
			_, err := newKeyring(t, fake, store, nil).Tenant("acme").Create(t.Context())
			require.NoError(t, err)
			r := newKeyring(t, fake, store, &envelope.KeyringOptions{Audit: book})
			require.NoError(t, tc.prepare(fake, r))
			err = tc.do(t.Context(), r)
			require.ErrorIs(t, err, tc.want)
			events := book.of(tc.op)
			require.NotEmpty(t, events)
			require.Equal(t, envelope.Class(err), events[len(events)-1].Outcome)
		})
	}
}

// TestAuditOfUnwrap: a key whose use the Auditor did not take is not used.
func TestAuditOfUnwrap(t *testing.T) {
	fake, store, book := kmstest.NewFake("key"), memstore.New(), &auditBook{}
	first := newKeyring(t, fake, store, nil)
	for name, of := range map[string]func(r *envelope.Keyring) envelope.Scope{
		"tenant":  func(r *envelope.Keyring) envelope.Scope { return r.Tenant("acme") },
		"subject": func(r *envelope.Keyring) envelope.Scope { return r.Tenant("acme").Subject(auditPerson) },
	} {
		record, err := of(first).Seal(t.Context(), []byte("hello"), binding)
		require.NoError(t, err, name)
		book.refuse("unwrap", envelope.Done)
		r := newKeyring(t, fake, store, &envelope.KeyringOptions{Audit: book})
		for range 3 {
			got, err := of(r).Open(t.Context(), record, binding)
			require.ErrorIs(t, err, errBookFull, name)
			require.Empty(t, got)
			require.Equal(t, envelope.Retry, envelope.ActionFor(err))
			_, err = of(r).Seal(t.Context(), nil, binding)
			require.ErrorIs(t, err, errBookFull, name)
		}
		book.refuse("", "")
		_, err = of(newKeyring(t, fake, store, &envelope.KeyringOptions{Audit: book})).Open(t.Context(), record, binding)
		require.NoError(t, err, name)
	}
}
