package kms_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// region is a driver that wraps in the clear, unless a test tells it otherwise, which it may at any time.
type region struct {
	ref      kms.Ref
	material string    // regions of the same material open each other's
	replicas []kms.Ref // that it owns besides its own
	wrapOnly bool
	pad      int // bytes added to each blob

	mu           sync.Mutex
	version      string
	wrap, unwrap func(ctx context.Context) error // ahead of the answer; nil for none
	answer       func([]byte) []byte             // changes what Unwrap returns
	asked        func(op string)
	closed       int
}

func (r *region) Ref() kms.Ref           { return r.ref }
func (r *region) Owns(ref kms.Ref) bool  { return slices.Contains(r.replicas, ref) }
func (r *region) WrapOnly() bool         { return r.wrapOnly }
func (r *region) CurrentVersion() string { return get(r, &r.version) }
func (r *region) Close() error           { set(r, &r.closed, r.closed+1); return nil }

func get[T any](r *region, field *T) T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return *field
}

func set[T any](r *region, field *T, v T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*field = v
}

func (r *region) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	r.asked("wrap " + r.ref.KeyID)
	if before := get(r, &r.wrap); before != nil {
		if err := before(ctx); err != nil {
			return kms.Wrapped{}, err
		}
	}
	bound, err := ec.Canonical()
	blob := slices.Concat(make([]byte, r.pad), []byte(r.material), bound, plaintext)
	return kms.Wrapped{Ref: r.ref, Version: r.CurrentVersion(), Blob: blob}, err
}

func (r *region) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	op := "unwrap " + r.ref.KeyID
	if w.Ref != r.ref {
		op += " of " + w.KeyID
	}
	r.asked(op)
	if r.wrapOnly {
		return nil, fmt.Errorf("%w: no private key", kms.ErrInvalid)
	}
	if before := get(r, &r.unwrap); before != nil {
		if err := before(ctx); err != nil {
			return nil, err
		}
	}
	bound, err := ec.Canonical()
	front := slices.Concat(make([]byte, r.pad), []byte(r.material), bound)
	if err != nil || !strings.HasPrefix(string(w.Blob), string(front)) {
		return nil, kms.ErrCiphertext
	}
	plaintext := slices.Clone(w.Blob[len(front):])
	if answer := get(r, &r.answer); answer != nil {
		plaintext = answer(plaintext)
	}
	return plaintext, nil
}

// fails has both operations end in err; nil mends them.
func (r *region) fails(err error) {
	said := func(context.Context) error { return err }
	set(r, &r.wrap, said)
	set(r, &r.unwrap, said)
}

// hang waits for the end of ctx, as a driver over a network does.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// fleet are regions a, b, c and so on with their Keys, and what they were asked and reported to have failed in.
type fleet struct {
	regions []*region
	keys    []*kms.Key

	mu      sync.Mutex
	asked   []string
	reports []string
}

// newFleet returns n regions. Their breakers hardly ever open.
func newFleet(t *testing.T, n int) *fleet {
	t.Helper()
	f := &fleet{}
	for i := range n {
		id := string(rune('a' + i))
		r := &region{ref: kms.Ref{Provider: "region", KeyID: id}, material: id}
		f.add(t, r)
	}
	return f
}

// add adds a region.
func (f *fleet) add(t *testing.T, r *region) *kms.Key {
	t.Helper()
	r.asked = func(op string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked = append(f.asked, op)
	}
	k, err := kms.NewKey(r, &kms.Options{Attempts: 1, BreakAfter: 1000})
	require.NoError(t, err)
	t.Cleanup(func() { k.Close() })
	f.regions, f.keys = append(f.regions, r), append(f.keys, k)
	return k
}

// anyOf returns an AnyOf key over keys, or over all.
func (f *fleet) anyOf(t *testing.T, o kms.AnyOptions, keys ...*kms.Key) *kms.Key {
	t.Helper()
	if len(keys) == 0 {
		keys = f.keys
	}
	o.Report = func(_ context.Context, op string, failed []*kms.Error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, e := range failed {
			f.reports = append(f.reports, fmt.Sprint(op, " ", e.Ref.KeyID, " ", kms.Class(e)))
		}
	}
	k, err := kms.AnyOf(keys, &o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Close()) })
	return k
}

// took returns what the regions were asked and reported since the last time.
func (f *fleet) took() (asked, reports []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked, reports = f.asked, f.reports
	f.asked, f.reports = nil, nil
	return asked, reports
}

// wrapped wraps "secret" under k, and forgets that regions were asked.
func (f *fleet) wrapped(t *testing.T, k *kms.Key) kms.Wrapped {
	t.Helper()
	w, err := k.Wrap(t.Context(), []byte("secret"), nil)
	require.NoError(t, err)
	f.took()
	return w
}

// requireOpens requires that k opens w, having asked and reported exactly these.
func (f *fleet) requireOpens(t *testing.T, k *kms.Key, w kms.Wrapped, asked, reports []string) {
	t.Helper()
	got, err := k.Unwrap(t.Context(), w, nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))
	gotAsked, gotReports := f.took()
	require.Equal(t, asked, gotAsked)
	require.Equal(t, reports, gotReports)
}

// recipients are the key ids that w lists.
func recipients(t require.TestingT, w kms.Wrapped) (ids []string) {
	list, err := w.Recipients()
	require.NoError(t, err)
	for _, one := range list {
		ids = append(ids, one.KeyID)
	}
	return ids
}
