package envelope_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

const auditPerson = "ada.kanarie@example.com"

// auditBook is an Auditor that keeps what it is told, and takes no events of one operation and outcome.
type auditBook struct {
	mu     sync.Mutex
	events []envelope.Event
	op     string // of which it takes none, "" for takes all
	stage  string // the outcome that it does not take
}

var errBookFull = errors.New("the book is full")

func (b *auditBook) Record(_ context.Context, e envelope.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.op != "" && e.Op == b.op && e.Outcome == b.stage {
		return errBookFull
	}
	b.events = append(b.events, e)
	return nil
}

// refuse has it take no more events of an operation with an outcome, and forget what it was told.
func (b *auditBook) refuse(op, stage string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.op, b.stage, b.events = op, stage, nil
}

// of returns the events of an operation.
func (b *auditBook) of(op string) (found []envelope.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Op == op {
			found = append(found, e)
		}
	}
	return found
}

// auditOp is an operation with two events. before is what must be so before it, nil for nothing.
type auditOp struct {
	op         string
	ref        string
	before, do func(ctx context.Context, r *envelope.Keyring) error
	again      error // what the same call ends in when it was carried out before
}

// auditOps returns the operations on a tenant's subject, or else on a tenant.
func auditOps(person bool) []auditOp {
	scope := func(r *envelope.Keyring) envelope.Scope {
		if person {
			return r.Tenant("acme").Subject(auditPerson)
		}
		return r.Tenant("acme")
	}
	remove := func(ctx context.Context, r *envelope.Keyring) error {
		erasure := envelope.Erasure{Ref: "case 7", Basis: "Art. 17"}
		if person {
			_, err := r.Tenant("acme").Subject(auditPerson).Erase(ctx, erasure)
			return err
		}
		_, err := r.Tenant("acme").Destroy(ctx, erasure, "acme")
		return err
	}
	disable := func(ctx context.Context, r *envelope.Keyring) error { return scope(r).Disable(ctx, "unpaid") }
	hold := func(ctx context.Context, r *envelope.Keyring) error { return scope(r).Hold(ctx, "case 8") }
	ops := []auditOp{
		{op: "rotate", do: func(ctx context.Context, r *envelope.Keyring) error { _, err := scope(r).Rotate(ctx); return err }},
		{op: "disable", ref: "unpaid", do: disable},
		{op: "enable", before: disable, do: func(ctx context.Context, r *envelope.Keyring) error { return scope(r).Enable(ctx) }},
		{op: "hold", ref: "case 8", do: hold},
		{op: "release", ref: "case 8", before: hold, do: func(ctx context.Context, r *envelope.Keyring) error { return scope(r).Release(ctx, "case 8") }, again: kms.ErrInvalid},
	}
	if !person {
		return append(ops, auditOp{op: "destroy", ref: "case 7", do: remove},
			auditOp{op: "compact", do: func(ctx context.Context, r *envelope.Keyring) error { _, err := r.Compact(ctx, "acme"); return err }})
	}
	return append(ops, auditOp{op: "erase", ref: "case 7", do: remove}, auditOp{op: "readmit", ref: "back again", before: remove, do: func(ctx context.Context, r *envelope.Keyring) error {
		return r.Tenant("acme").Subject(auditPerson).Readmit(ctx, "back again")
	}})
}

// auditRows returns all rows of a store.
func auditRows(t testing.TB, store envelope.Store) []envelope.Row {
	t.Helper()
	rows, err := store.List(context.Background(), "", "", 1000)
	require.NoError(t, err)
	return rows
}

// eachAuditOp runs a test for every operation, with a tenant and a subject that have keys.
func eachAuditOp(t *testing.T, test func(t *testing.T, op auditOp, person bool, r *envelope.Keyring, store envelope.Store, book *auditBook)) {
	for _, person := range []bool{false, true} {
		for _, op := range auditOps(person) {
			t.Run(fmt.Sprintf("%s person=%t", op.op, person), func(t *testing.T) {
				store, book := memstore.New(), &auditBook{}
				r := newKeyring(t, kmstest.NewFake("key"), store, &envelope.KeyringOptions{Audit: book})
				for _, s := range []envelope.Scope{r.Tenant("acme"), r.Tenant("acme").Subject(auditPerson)} {
					_, err := s.Create(t.Context())
					require.NoError(t, err)
				}
				if op.before != nil {
					require.NoError(t, op.before(t.Context(), r))
				}
				test(t, op, person, r, store, book)
			})
		}
	}
}

// TestAuditEvents: every operation tells that it begins and how it ended, by whom and why, and nothing of whom.
func TestAuditEvents(t *testing.T) {
	eachAuditOp(t, func(t *testing.T, op auditOp, person bool, r *envelope.Keyring, _ envelope.Store, book *auditBook) {
		book.refuse("", "")
		began := time.Now()
		require.NoError(t, op.do(envelope.WithActor(t.Context(), "ops@acme.example", "ticket 9"), r))
		events := book.of(op.op)
		require.Len(t, events, 2)
		require.Equal(t, envelope.Started, events[0].Outcome)
		require.Equal(t, envelope.Done, events[1].Outcome)
		require.Equal(t, op.op == "rotate", events[1].KeyID != aead.KeyID{})
		for _, e := range events {
			require.Equal(t, []string{"ops@acme.example", "ticket 9", "acme", op.ref}, []string{e.Actor, e.Purpose, e.Tenant, e.Ref})
			require.False(t, e.Time.Before(began) || e.Time.After(time.Now()))
			if person {
				require.Len(t, e.SubjectRef, 64)
			} else {
				require.Empty(t, e.SubjectRef)
			}
		}
		for _, e := range book.events {
			require.NotContains(t, fmt.Sprintf("%+v", e), auditPerson)
			require.Equal(t, "ops@acme.example", e.Actor, "of %s, too", e.Op)
		}
	})
}

// TestAuditBefore: what the Auditor does not take is not carried out, and leaves the store as it was.
func TestAuditBefore(t *testing.T) {
	eachAuditOp(t, func(t *testing.T, op auditOp, _ bool, r *envelope.Keyring, store envelope.Store, book *auditBook) {
		before := auditRows(t, store)
		book.refuse(op.op, envelope.Started)
		err := op.do(t.Context(), r)
		require.ErrorIs(t, err, envelope.ErrUnavailable)
		require.ErrorIs(t, err, errBookFull)
		require.NotErrorIs(t, err, kms.ErrUnavailable)
		require.Equal(t, envelope.Retry, envelope.ActionFor(err))
		require.Equal(t, before, auditRows(t, store))
		require.Empty(t, book.of(op.op), "no end without a beginning")
		book.refuse("", "")
		require.NoError(t, op.do(t.Context(), r))
	})
}

// TestAuditAfter: the caller learns that the Auditor did not take how it ended, though it is done.
func TestAuditAfter(t *testing.T) {
	eachAuditOp(t, func(t *testing.T, op auditOp, _ bool, r *envelope.Keyring, store envelope.Store, book *auditBook) {
		before := auditRows(t, store)
		book.refuse(op.op, envelope.Done)
		err := op.do(t.Context(), r)
		require.ErrorIs(t, err, errBookFull)
		require.Equal(t, envelope.Retry, envelope.ActionFor(err))
		require.NotEqual(t, before, auditRows(t, store))
		require.Len(t, book.of(op.op), 1)
		book.refuse("", "")
		err = op.do(t.Context(), r)
		require.ErrorIs(t, err, op.again, "it may be repeated")
	})
}

// TestAuditManyAtOnce: events of operations at the same time are all told, each with its own actor.
func TestAuditManyAtOnce(t *testing.T) {
	book := &auditBook{}
	r := newKeyring(t, kmstest.NewFake("key"), memstore.New(), &envelope.KeyringOptions{Audit: book})
	var wg sync.WaitGroup
	const n = 8
	for i := range n {
		wg.Go(func() {
			ctx := envelope.WithActor(context.Background(), fmt.Sprint("actor ", i), "")
			if _, err := r.Tenant("acme").Subject(fmt.Sprint("person ", i)).Rotate(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ends := map[string]string{}
	for _, e := range book.of("rotate") {
		if e.Outcome == envelope.Done {
			ends[e.Actor] = e.SubjectRef
		}
	}
	require.Len(t, ends, n)
	require.Len(t, book.of("rotate"), 2*n)
}

// TestWithActor: the innermost counts.
func TestWithActor(t *testing.T) {
	book := &auditBook{}
	r := newKeyring(t, kmstest.NewFake("key"), memstore.New(), &envelope.KeyringOptions{Audit: book})
	ctx := envelope.WithActor(envelope.WithActor(t.Context(), "outer", "why"), "inner", "")
	require.NoError(t, r.Tenant("acme").Disable(ctx, "x"))
	require.Equal(t, []string{"inner", ""}, []string{book.of("disable")[0].Actor, book.of("disable")[0].Purpose})
}

// TestLogAuditor: what lines look like, which alerts hold on to.
func TestLogAuditor(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	events := []envelope.Event{
		{Time: time.Now(), Op: "rotate", Outcome: envelope.Done, Tenant: "acme\n", KeyID: aead.KeyID{0: 0xab, 15: 1}, SubjectRef: "00ff", Actor: "ops", Purpose: "ticket 9"},
		{Op: "erase", Outcome: envelope.Started, Tenant: "acme", Ref: "case 7"},
	}
	for _, e := range events {
		require.NoError(t, envelope.NewLogAuditor(log).Record(t.Context(), e))
	}
	require.Equal(t, strings.Join([]string{
		`level=INFO msg="key rotate" outcome=ok tenant="acme\n" subject=00ff key=ab000000000000000000000000000001 ref="" actor=ops purpose="ticket 9"`,
		`level=INFO msg="key erase" outcome=started tenant=acme subject="" key="" ref="case 7" actor="" purpose=""`, "",
	}, "\n"), out.String())

	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(log)
	out.Reset()
	require.NoError(t, envelope.NewLogAuditor(nil).Record(t.Context(), events[1]))
	require.Contains(t, out.String(), `"key erase"`)
}
