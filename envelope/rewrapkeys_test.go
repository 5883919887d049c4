package envelope_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestRewrap(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	before := ringOf(t, fakeKey(t, ours), store, nil)
	records := fill(t, before, "acme", "a/b", "zulu")
	require.NoError(t, before.Tenant("zulu").Disable(t.Context(), "late bills"))
	subjects, data := copyOf(t, store, "subject/"), tenantKeys(t, store, "tenant/")
	require.Len(t, data, 3*rowsEach)

	r := ringOf(t, rollingFakes(t, theirs, ours), store, nil)
	report, err := r.Rewrap(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, envelope.Report{Cursor: "tenant/zulu/wrap/0000000001", Keys: 12, Rewrapped: 12}, report)
	require.Equal(t, 12, requireUnder(t, store, "tenant/", "theirs"))
	require.Equal(t, subjects, copyOf(t, store, "subject/"), "keys of subjects hang under wrap keys")
	for name, k := range tenantKeys(t, store, "tenant/") {
		require.Equal(t, []string{"fake:ours", "fake:theirs"}, k.Refs, name)
	}
	require.Equal(t, []int{12, 12}, []int{theirs.Count("wrap"), theirs.Count("unwrap")}, "each new blob is opened before it is written")

	report, err = r.Rewrap(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, envelope.Report{Cursor: "tenant/zulu/wrap/0000000001", Keys: 12, Fresh: 12}, report)
	require.Equal(t, 12, theirs.Count("wrap"))

	after := ringOf(t, fakeKey(t, theirs), store, nil)
	require.NoError(t, after.Tenant("zulu").Enable(t.Context()))
	requireOpen(t, after, records)
	requireOpen(t, r, records)

	back, err := ringOf(t, rollingFakes(t, ours, theirs), store, nil).Rewrap(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, 12, back.Rewrapped)
	for name, k := range tenantKeys(t, store, "tenant/") {
		require.Equal(t, []string{"fake:ours", "fake:theirs"}, k.Refs, name)
	}
}

func TestRewrapNewVersion(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	records := fill(t, ringOf(t, fakeKey(t, fake), store, nil), "acme")
	fake.Rotate()
	r := ringOf(t, fakeKey(t, fake), store, nil) // a process that has not heard of the version
	dry, err := r.Rewrap(t.Context(), &envelope.RewrapOptions{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, rowsEach, dry.Rewrapped)
	report, err := r.Rewrap(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, rowsEach, report.Rewrapped)
	for name, k := range tenantKeys(t, store, "tenant/") {
		w, _, err := kms.ParseWrapped(k.Wrapped)
		require.NoError(t, err)
		require.Equal(t, "2", w.Version, name)
		require.Equal(t, []string{"fake:key"}, k.Refs, name)
	}
	requireOpen(t, r, records)
}

func TestRewrapDryRun(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), store, nil), "acme", "zulu")
	key := rollingFakes(t, theirs, ours)
	_, err := ringOf(t, key, store, nil).Rewrap(t.Context(), &envelope.RewrapOptions{Tenants: []string{"zulu"}})
	require.NoError(t, err)
	rows := copyOf(t, store, "")
	calls := []int{ours.Count("wrap"), ours.Count("unwrap"), theirs.Count("wrap"), theirs.Count("unwrap")}

	events := &eventLog{}
	report, err := ringOf(t, key, store, &envelope.KeyringOptions{Audit: events}).Rewrap(t.Context(), &envelope.RewrapOptions{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, envelope.Report{Cursor: "tenant/zulu/wrap/0000000001", Keys: 8, Rewrapped: 4, Fresh: 4}, report)
	require.Equal(t, rows, copyOf(t, store, ""))
	require.Equal(t, calls, []int{ours.Count("wrap"), ours.Count("unwrap"), theirs.Count("wrap"), theirs.Count("unwrap")})
	require.Empty(t, events.all)
}

func TestRewrapSomeTenants(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), store, nil), "a", "a-b", "b", "c")
	r := ringOf(t, rollingFakes(t, theirs, ours), store, nil)
	for name, c := range map[string]struct {
		tenants []string
		keys    int
	}{
		"none":           {[]string{}, 0},
		"unknown":        {[]string{"d"}, 0},
		"two, and twice": {[]string{"c", "a", "c"}, 2 * rowsEach},
	} {
		report, err := r.Rewrap(t.Context(), &envelope.RewrapOptions{Tenants: c.tenants})
		require.NoError(t, err, name)
		require.Equal(t, c.keys, report.Keys, name)
	}
	for tenant, id := range map[string]string{"a": "theirs", "a-b": "ours", "b": "ours", "c": "theirs"} {
		require.Equal(t, rowsEach, requireUnder(t, store, "tenant/"+tenant+"/", id), tenant)
	}
}

func TestRewrapRefuses(t *testing.T) {
	r := newKeyring(t, kmstest.NewFake("key"), memstore.New(), nil)
	for name, o := range map[string]envelope.RewrapOptions{
		"workers":           {Workers: -1},
		"many workers":      {Workers: 257},
		"pace":              {PerSecond: -1},
		"fast pace":         {PerSecond: 10_001},
		"no tenant":         {Tenants: []string{""}},
		"odd tenant":        {Tenants: []string{"\xff"}},
		"cursor":            {Cursor: "acme"},
		"cursor of subject": {Cursor: "subject/acme/00/data/0000000001"},
		"cursor cut":        {Cursor: "tenant/acme"},
		"cursor escaped":    {Cursor: "tenant/%zz/data/0000000001"},
		"long cursor":       {Cursor: "tenant/acme/" + strings.Repeat("x", envelope.MaxRowKey)},
	} {
		_, err := r.Rewrap(t.Context(), &o)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	fake, store := kmstest.NewFake("key"), memstore.New()
	fill(t, newKeyring(t, fake, store, nil), "acme")
	fake.Rotate()
	calls := fake.Count("")
	other, err := envelope.NewKeyring("other", store, envelope.SingleRoot(fakeKey(t, fake)), nil)
	require.NoError(t, err)
	defer other.Close()
	report, err := other.Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Zero(t, report, "nothing of another deployment is looked at")
	require.Equal(t, calls, fake.Count(""))

	_, err = (*envelope.Keyring)(nil).Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.NoError(t, r.Close())
	_, err = r.Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, envelope.ErrClosed)
}

// eventLog keeps events.
type eventLog struct {
	mu   sync.Mutex
	all  []envelope.Event
	fail func(envelope.Event) error
}

func (l *eventLog) Record(_ context.Context, e envelope.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
	if l.fail != nil {
		return l.fail(e)
	}
	return nil
}

func TestRewrapAudit(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), store, nil), "acme")
	key := rollingFakes(t, theirs, ours)

	refusing := &eventLog{fail: func(envelope.Event) error { return context.DeadlineExceeded }}
	report, err := ringOf(t, key, store, &envelope.KeyringOptions{Audit: refusing}).Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	require.Equal(t, rowsEach, report.Failed)
	require.Equal(t, rowsEach, requireUnder(t, store, "tenant/", "ours"))
	require.Zero(t, theirs.Count("wrap"))

	events := &eventLog{}
	_, err = ringOf(t, key, store, &envelope.KeyringOptions{Audit: events}).
		Rewrap(envelope.WithActor(t.Context(), "ops", "move to theirs"), &envelope.RewrapOptions{Workers: 1})
	require.NoError(t, err)
	require.Len(t, events.all, 2*rowsEach)
	ids := map[string]bool{}
	for i, e := range events.all {
		require.Equal(t, []string{"rewrap", "acme", "", "ops", "move to theirs"}, []string{e.Op, e.Tenant, e.SubjectRef, e.Actor, e.Purpose})
		require.Equal(t, []string{envelope.Started, envelope.Done}[i%2], e.Outcome)
		ids[e.KeyID.String()] = true
	}
	require.Len(t, ids, rowsEach)
}
