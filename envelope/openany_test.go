package envelope_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// anyRig is two processes over one store: one that seals, and one that opens without knowing whose a record is.
type anyRig struct {
	writer, reader *envelope.Keyring
	place          envelope.Binding
}

func newAnyRig(t *testing.T) *anyRig {
	t.Helper()
	fake, store := kmstest.NewFake("k"), memstore.New()
	t.Cleanup(func() { store.Close() })
	return &anyRig{
		envelopetest.New(t, &envelopetest.Options{Fake: fake, Store: store}),
		envelopetest.New(t, &envelopetest.Options{Fake: fake, Store: store}),
		envelope.Bind("message", "orders"),
	}
}

func (r *anyRig) seal(t *testing.T, s envelope.Scope, text string) []byte {
	t.Helper()
	record, err := s.Seal(t.Context(), []byte(text), r.place)
	require.NoError(t, err)
	return record
}

// open opens twice: as the first of its key and with the key at hand.
func (r *anyRig) open(t *testing.T, tenant string, record []byte) (string, error) {
	t.Helper()
	first, err := r.reader.Tenant(tenant).AppendOpenAny(t.Context(), nil, record, r.place)
	out, again := r.reader.Tenant(tenant).AppendOpenAny(t.Context(), []byte("before"), record, r.place)
	require.Equal(t, envelope.Class(err), envelope.Class(again))
	if err != nil {
		require.Equal(t, "before", string(out))
		return "", err
	}
	require.Equal(t, "before"+string(first), string(out))
	return string(first), nil
}

func TestOpenAny(t *testing.T) {
	r := newAnyRig(t)
	acme := r.writer.Tenant("acme")
	ada, bob := acme.Subject("ada"), acme.Subject("bob")
	require.Equal(t, acme, ada.Tenant())
	records := map[string][]byte{"of acme": r.seal(t, acme, "of acme"), "of ada": r.seal(t, ada, "of ada"), "of bob": r.seal(t, bob, "of bob")}
	for want, record := range records {
		got, err := r.open(t, "acme", record)
		require.NoError(t, err, want)
		require.Equal(t, want, got)
		_, err = r.open(t, "other", record)
		require.ErrorIs(t, err, envelope.ErrWrongScope, want)
		changed := append([]byte(nil), record...)
		changed[len(changed)-1] ^= 1
		_, err = r.open(t, "acme", changed)
		require.ErrorIs(t, err, envelope.ErrOpen, want)
		_, err = r.reader.Tenant("acme").AppendOpenAny(t.Context(), nil, record, envelope.Bind("message", "bills"))
		require.ErrorIs(t, err, envelope.ErrOpen, want)
		changed[3] ^= 1
		_, err = r.open(t, "acme", changed)
		require.ErrorIs(t, err, envelope.ErrUnknownKey, want)
		_, err = r.open(t, "acme", record[:30])
		require.ErrorIs(t, err, envelope.ErrTruncated, want)
	}
	_, err := ada.Open(t.Context(), records["of bob"], r.place)
	require.ErrorIs(t, err, envelope.ErrWrongScope, "Open stays strict")
	_, err = acme.Open(t.Context(), records["of bob"], r.place)
	require.ErrorIs(t, err, envelope.ErrWrongScope)

	// Rotation needs nothing of the reader.
	for _, s := range []envelope.Scope{acme, ada} {
		_, err := s.Rotate(t.Context())
		require.NoError(t, err)
		got, err := r.open(t, "acme", r.seal(t, s, "new"))
		require.NoError(t, err)
		require.Equal(t, "new", got)
	}
	got, err := r.open(t, "acme", records["of ada"])
	require.NoError(t, err)
	require.Equal(t, "of ada", got)
}

func TestOpenAnyBadTenants(t *testing.T) {
	r := newAnyRig(t)
	record := r.seal(t, r.writer.Tenant("acme").Subject("ada"), "x")
	_, err := envelope.Tenant{}.AppendOpenAny(t.Context(), nil, record, r.place)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Zero(t, envelope.Subject{}.Tenant())
	for _, id := range []string{"", "\xff", strings.Repeat("x", 256)} {
		_, err = r.reader.Tenant(id).AppendOpenAny(t.Context(), nil, record, r.place)
		require.ErrorIs(t, err, kms.ErrInvalid, "%q", id)
	}
	_, err = r.reader.Tenant("acme").AppendOpenAny(t.Context(), nil, record, envelope.Binding{})
	require.ErrorIs(t, err, envelope.ErrUnbound)
}

// TestNoSubjectByReference: what stands for a subject inside is no identifier that a caller can give.
func TestNoSubjectByReference(t *testing.T) {
	r := newAnyRig(t)
	record := r.seal(t, r.writer.Tenant("acme").Subject("ada"), "x")
	_, err := r.open(t, "acme", record)
	require.NoError(t, err)
	receipt, err := r.writer.Tenant("acme").Subject("ada").Erase(t.Context(), envelope.Erasure{Ref: "r"})
	require.NoError(t, err)
	for _, id := range []string{"\xff" + receipt.SubjectRef, "\xff", "\xfe"} {
		s := r.reader.Tenant("acme").Subject(id)
		_, err := s.Open(t.Context(), record, r.place)
		require.ErrorIs(t, err, kms.ErrInvalid)
		_, err = s.Seal(t.Context(), nil, r.place)
		require.ErrorIs(t, err, kms.ErrInvalid)
	}
}

// TestOpenAnyEnds: what ends a subject's key here holds at once for who only knows the key's id.
func TestOpenAnyEnds(t *testing.T) {
	ends := map[string]struct {
		do  func(ctx context.Context, s envelope.Subject) error
		err error
	}{
		"erased": {func(ctx context.Context, s envelope.Subject) error {
			_, err := s.Erase(ctx, envelope.Erasure{Ref: "r"})
			return err
		}, envelope.ErrErased},
		"disabled": {func(ctx context.Context, s envelope.Subject) error { return s.Disable(ctx, "r") }, envelope.ErrDisabled},
		"tenant destroyed": {func(ctx context.Context, s envelope.Subject) error {
			_, err := s.Tenant().Destroy(ctx, envelope.Erasure{Ref: "r"}, "acme")
			return err
		}, envelope.ErrErased},
		"tenant disabled": {func(ctx context.Context, s envelope.Subject) error { return s.Tenant().Disable(ctx, "r") }, envelope.ErrDisabled},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			r := newAnyRig(t)
			ada, bob := r.writer.Tenant("acme").Subject("lovelace"), r.writer.Tenant("acme").Subject("bob")
			record, other := r.seal(t, ada, "x"), r.seal(t, bob, "y")
			for _, b := range [][]byte{record, other} {
				_, err := r.open(t, "acme", b)
				require.NoError(t, err)
			}
			// The reader's process has never heard the identifier before.
			require.NoError(t, end.do(t.Context(), r.reader.Tenant("acme").Subject("lovelace")))
			_, err := r.open(t, "acme", record)
			require.ErrorIs(t, err, end.err)
			require.NotContains(t, err.Error(), "lovelace")
			got, err := r.open(t, "acme", other)
			if strings.HasPrefix(name, "tenant") {
				require.ErrorIs(t, err, end.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "y", got)
		})
	}
}

// TestOpenAnyAgain: a disabled subject's records open again once it is enabled.
func TestOpenAnyAgain(t *testing.T) {
	r := newAnyRig(t)
	record := r.seal(t, r.writer.Tenant("acme").Subject("ada"), "x")
	_, err := r.open(t, "acme", record)
	require.NoError(t, err)
	ada := r.reader.Tenant("acme").Subject("ada")
	require.NoError(t, ada.Disable(t.Context(), "r"))
	_, err = r.open(t, "acme", record)
	require.ErrorIs(t, err, envelope.ErrDisabled)
	require.NoError(t, ada.Enable(t.Context()))
	_, err = r.open(t, "acme", record)
	require.NoError(t, err)
}

func TestOpenAnyAllocates(t *testing.T) {
	if envelope.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	r := newAnyRig(t)
	record := r.seal(t, r.writer.Tenant("acme").Subject("ada"), "x")
	tn, buf := r.reader.Tenant("acme"), make([]byte, 0, 100)
	ctx := t.Context()
	n := testing.AllocsPerRun(100, func() {
		if _, err := tn.AppendOpenAny(ctx, buf, record, r.place); err != nil {
			t.Fatal(err)
		}
	})
	require.Zero(t, n)
}

// TestOpenAnyInOutage: with the store away it serves for as long as Open does, and no longer.
func TestOpenAnyInOutage(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, &envelope.KeyringOptions{CacheEntries: 1000}) // keys share places in front of the cache
		acme := g.Tenant("acme")
		scopes := []envelope.Scope{acme}
		for i := range 400 {
			scopes = append(scopes, acme.Subject(strconv.Itoa(i)))
		}
		var records [][]byte
		for _, s := range scopes {
			record, err := s.Seal(t.Context(), []byte("x"), binding)
			require.NoError(t, err)
			records = append(records, record)
		}
		any := func(record []byte) error {
			_, err := acme.AppendOpenAny(t.Context(), nil, record, binding)
			return err
		}
		for _, record := range records {
			require.NoError(t, any(record))
		}
		g.store.set(errors.New("away"))
		start := time.Now()
		for time.Since(start) < 4*time.Minute+50*time.Second {
			for i, record := range records {
				require.NoError(t, any(record), "%d, after %v", i, time.Since(start))
			}
			sleep(10 * time.Second)
		}
		sleep(20 * time.Second)
		for i, record := range records {
			_, err := scopes[i].Open(t.Context(), record, binding)
			require.ErrorIs(t, err, envelope.ErrUnavailable)
			require.ErrorIs(t, any(record), envelope.ErrUnavailable)
		}
	})
}

// TestOpenAnyMeetsClose: Close waits for a call that is asking the store, and later ones don't ask.
func TestOpenAnyMeetsClose(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		armed := false
		inner := memstore.New()
		store := newHaltStore(inner, func(op, key string, _ []byte) bool { return armed && op == "get" && strings.HasPrefix(key, "id/") })
		defer inner.Close()
		ring, err := envelope.NewKeyring("test", store, envelope.SingleRoot(eraseKey(t, kmstest.NewFake("k"))), nil)
		require.NoError(t, err)
		acme := ring.Tenant("acme")
		record, err := acme.Seal(t.Context(), []byte("x"), binding)
		require.NoError(t, err)
		record[3] ^= 1
		armed = true
		called, closed := make(chan error, 1), make(chan struct{})
		go func() {
			_, err := acme.AppendOpenAny(context.Background(), nil, record, binding)
			called <- err
		}()
		<-store.halted
		go func() { ring.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		close(store.goOn)
		require.ErrorIs(t, <-called, envelope.ErrUnknownKey)
		<-closed
		_, err = acme.AppendOpenAny(t.Context(), nil, record, binding)
		require.ErrorIs(t, err, envelope.ErrClosed)
	})
}
