package envelope_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// A KMS that answers wrongly changes no row.
func TestRewrapLies(t *testing.T) {
	ours, theirs := kmstest.NewFake("ours"), kmstest.NewFake("theirs")
	origin := memstore.New()
	records := fill(t, ringOf(t, fakeKey(t, ours), origin, nil), "acme")
	rows := copyOf(t, origin, "")
	flip := func(b []byte) []byte {
		b[0] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		liar  *kmstest.Fake
		fault kmstest.Fault
		want  error
	}{
		"old unwraps to another key":  {ours, kmstest.Fault{Op: "unwrap", Unwrap: flip}, envelope.ErrOpen},
		"old unwraps to a shorter":    {ours, kmstest.Fault{Op: "unwrap", Unwrap: func(b []byte) []byte { return b[:31] }}, envelope.ErrOpen},
		"new unwraps to another key":  {theirs, kmstest.Fault{Op: "unwrap", Unwrap: flip}, envelope.ErrOpen},
		"new can't unwrap":            {theirs, kmstest.Fault{Op: "unwrap", Err: kms.ErrAccessDenied}, kms.ErrAccessDenied},
		"new wraps what opens not":    {theirs, kmstest.Fault{Op: "wrap", Wrap: func(w kms.Wrapped) kms.Wrapped { flip(w.Blob); return w }}, envelope.ErrOpen},
		"new wraps under another key": {theirs, kmstest.Fault{Op: "wrap", Wrap: func(w kms.Wrapped) kms.Wrapped { w.KeyID = "other"; return w }}, kms.ErrInvalid},
		"new wraps under old version": {theirs, kmstest.Fault{Op: "wrap", Wrap: func(w kms.Wrapped) kms.Wrapped { w.Version = "0"; return w }}, nil},
		"new throttles":               {theirs, kmstest.Fault{Op: "wrap", Err: kms.ErrThrottled}, envelope.ErrUnavailable},
		"new is a blob above a row":   {theirs, kmstest.Fault{Op: "wrap", Wrap: func(w kms.Wrapped) kms.Wrapped { w.Blob = make([]byte, 60_000); return w }}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			store := restored(t, rows)
			c.liar.Always(c.fault)
			defer c.liar.Always()
			report, err := ringOf(t, rollingFakes(t, theirs, ours), store, nil).Rewrap(t.Context(), nil)
			require.Error(t, err)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			require.Equal(t, envelope.Report{
				Keys: rowsEach, Failed: rowsEach, Reasons: map[string]int{envelope.Class(err): rowsEach},
				Failures: []envelope.RewrapFailure{{Tenant: "acme", Reason: envelope.Class(err), Keys: rowsEach, Err: report.Failures[0].Err}},
			}, report)
			require.Equal(t, copyOf(t, restored(t, rows), ""), copyOf(t, store, ""))
			c.liar.Always()
			requireOpen(t, ringOf(t, fakeKey(t, ours), store, nil), records)
		})
	}
}

// A key is never left under fewer KMS keys than it should be.
func TestRewrapMissingRecipient(t *testing.T) {
	ours, theirs, recovery := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), kmstest.NewFake("recovery")
	store := memstore.New()
	records := fill(t, ringOf(t, fakeKey(t, ours), store, nil), "acme")
	both, err := kms.AnyOf([]*kms.Key{fakeKey(t, theirs), fakeKey(t, recovery)}, &kms.AnyOptions{Minimum: 1})
	require.NoError(t, err)
	key, err := kms.Rolling(both, fakeKey(t, ours))
	require.NoError(t, err)
	r := ringOf(t, key, store, nil)

	recovery.Always(kmstest.Fault{Err: kms.ErrUnavailable})
	report, err := r.Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	require.Equal(t, map[string]int{"kms_unavailable": rowsEach}, report.Reasons)
	require.Equal(t, rowsEach, requireUnder(t, store, "tenant/", "ours"))

	recovery.Always()
	_, err = r.Rewrap(t.Context(), nil)
	require.NoError(t, err)
	requireOpen(t, ringOf(t, fakeKey(t, recovery), store, nil), records)
	requireOpen(t, ringOf(t, fakeKey(t, theirs), store, nil), records)
}

// Rows that hold no key fail, and no other does.
func TestRewrapDamagedRows(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), store, nil), "a", "b", "c")
	put := func(key, value string) {
		t.Helper()
		row, err := store.Get(t.Context(), key)
		require.NoError(t, err)
		row.Value = []byte(value)
		require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: row}))
	}
	moved, err := store.Get(t.Context(), "tenant/a/data/0000000001")
	require.NoError(t, err)
	put("tenant/b/lookup/0000000001", string(moved.Value))
	put("tenant/b/data/0000000003", "{}")
	put("tenant/b/data/0000000004", "no JSON")
	put("tenant/%zz/data/0000000001", "{}")
	var huge map[string]any
	require.NoError(t, json.Unmarshal(moved.Value, &huge))
	huge["refs"] = []string{strings.Repeat("x", envelope.MaxRowValue-len(moved.Value))}
	text, err := json.Marshal(huge)
	require.NoError(t, err)
	require.LessOrEqual(t, len(text), envelope.MaxRowValue)
	put(moved.Key, string(text))

	report, err := ringOf(t, rollingFakes(t, theirs, ours), store, nil).Rewrap(t.Context(), &envelope.RewrapOptions{Workers: 1})
	require.Error(t, err)
	require.Equal(t, map[string]int{"open": 1, "format": 3, "too_large": 1}, report.Reasons)
	require.Equal(t, []int{15, 10, 5}, []int{report.Keys, report.Rewrapped, report.Failed})
	require.Empty(t, report.Cursor, "the first row failed")
	var failures []string
	for _, f := range report.Failures {
		failures = append(failures, fmt.Sprintf("%s %s %d", f.Tenant, f.Reason, f.Keys))
	}
	require.Equal(t, []string{" format 1", "a too_large 1", "b format 2", "b open 1"}, failures)
	left, err := store.Get(t.Context(), moved.Key)
	require.NoError(t, err)
	require.Equal(t, text, left.Value)
}

// Failures beyond a thousand tenants are counted, and the error stays small.
func TestRewrapManyFailures(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	for i := range 1200 {
		require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: fmt.Sprintf("tenant/%d/data/0000000001", i), Value: []byte("{}")}}))
	}
	report, err := newKeyring(t, fake, store, nil).Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, envelope.ErrFormat)
	require.Less(t, len(err.Error()), 500)
	require.Equal(t, 1200, report.Failed)
	require.Equal(t, map[string]int{"format": 1200}, report.Reasons)
	require.Len(t, report.Failures, 1000)
}
