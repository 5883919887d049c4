package kms_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// fault is how a region may be: what its calls end in, nil for success.
type fault struct {
	name         string
	wrap, unwrap error
	before       func(context.Context) error
	answer       func([]byte) []byte
}

var faults = []fault{
	{name: "up"},
	{name: "slow", before: func(context.Context) error { time.Sleep(time.Second); return nil }},
	{name: "hangs", wrap: kms.ErrUnavailable, unwrap: kms.ErrUnavailable, before: hang},
	{name: "answers too much", unwrap: kms.ErrCiphertext, answer: func(b []byte) []byte { return slices.Repeat(b, 65) }},
	{name: "answers nothing", unwrap: kms.ErrCiphertext, answer: func([]byte) []byte { return nil }},
	refuses(kms.ErrUnavailable), refuses(kms.ErrThrottled), refuses(kms.ErrDisabled), refuses(kms.ErrPendingDeletion), refuses(kms.ErrAccessDenied),
	refuses(kms.ErrDestroyed), refuses(kms.ErrNotFound), refuses(kms.ErrCiphertext), refuses(errors.New("something else")),
}

func refuses(said error) fault {
	class := said
	if kms.Class(said) == kms.ClassOther {
		class = kms.ErrUnavailable
	}
	return fault{name: said.Error(), wrap: class, unwrap: class, before: func(context.Context) error { return said }}
}

func (r *region) suffer(x fault) {
	set(r, &r.wrap, x.before)
	set(r, &r.unwrap, x.before)
	set(r, &r.answer, x.answer)
}

// decides returns which of several failures decides.
func decides(failed []error) error {
	return slices.MinFunc(failed, func(a, b error) int { return slices.Index(mending, a) - slices.Index(mending, b) })
}

// timeless hides Deadline, which a bubble forbids, from rapid.
type timeless struct{ testing.TB }

// TestAnyOfModel wraps and unwraps under AnyOf keys over some of the same regions, while these come and go.
func TestAnyOfModel(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		rapid.Check(timeless{t}, func(rt *rapid.T) {
			m := &anyModel{fleet: newFleet(t, 4), faults: make([]fault, 4)}
			for range 3 {
				order := rapid.Permutation([]int{0, 1, 2, 3}).Draw(rt, "members")[:rapid.IntRange(1, 4).Draw(rt, "size")]
				var keys []*kms.Key
				for _, i := range order {
					keys = append(keys, m.keys[i])
				}
				minimum := rapid.IntRange(0, len(order)).Draw(rt, "minimum")
				m.groups = append(m.groups, anyGroup{order, minimum, m.anyOf(t, kms.AnyOptions{Minimum: minimum}, keys...)})
			}
			rt.Repeat(map[string]func(*rapid.T){"": func(*rapid.T) {}, "fault": m.fault, "wait": m.wait, "wrap": m.wrap, "wrap under one": m.wrapOne, "unwrap": m.unwrap})
		})
	})
}

type anyModel struct {
	*fleet
	faults []fault // of the regions
	groups []anyGroup
	stored []anyStored
}

type anyGroup struct {
	members []int
	minimum int
	key     *kms.Key
}

type anyStored struct {
	w         kms.Wrapped
	list      bool
	by        []int
	plaintext string
}

func (m *anyModel) fault(rt *rapid.T) {
	i := rapid.IntRange(0, 3).Draw(rt, "region")
	m.faults[i] = rapid.SampledFrom(faults).Draw(rt, "fault")
	m.regions[i].suffer(m.faults[i])
}

func (m *anyModel) wait(rt *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 40).Draw(rt, "seconds")) * time.Second)
}

func (m *anyModel) wrapOne(rt *rapid.T) {
	i := rapid.IntRange(0, 3).Draw(rt, "region")
	s := anyStored{by: []int{i}, plaintext: fmt.Sprint("one ", len(m.stored))}
	var err error
	s.w, err = m.keys[i].Wrap(context.Background(), []byte(s.plaintext), nil)
	m.took()
	if m.faults[i].wrap == nil {
		require.NoError(rt, err)
		m.stored = append(m.stored, s)
	}
}

func (m *anyModel) wrap(rt *rapid.T) {
	g := rapid.SampledFrom(m.groups).Draw(rt, "group")
	s := anyStored{list: true, plaintext: fmt.Sprint("list ", len(m.stored))}
	var failed []error
	var ids, reports []string
	for _, i := range g.members {
		id := m.regions[i].ref.KeyID
		if class := m.faults[i].wrap; class != nil {
			failed = append(failed, class)
			reports = append(reports, "wrap "+id+" "+kms.Class(class))
			continue
		}
		s.by, ids = append(s.by, i), append(ids, id)
	}
	start := time.Now()
	w, err := g.key.Wrap(context.Background(), []byte(s.plaintext), nil)
	require.LessOrEqual(rt, time.Since(start), 10*time.Second)
	asked, reported := m.took()
	require.Len(rt, asked, len(g.members))
	if len(s.by) == 0 || len(failed) > 0 && (g.minimum == 0 || len(s.by) < g.minimum) {
		requireClass(rt, err, decides(failed))
		require.Empty(rt, reported)
		return
	}
	require.NoError(rt, err)
	require.Equal(rt, ids, recipients(rt, w))
	require.Equal(rt, reports, reported)
	s.w = w
	m.stored = append(m.stored, s)
}

func (m *anyModel) unwrap(rt *rapid.T) {
	if len(m.stored) == 0 {
		return
	}
	g, s := rapid.SampledFrom(m.groups).Draw(rt, "group"), rapid.SampledFrom(m.stored).Draw(rt, "stored")
	owning, opens := map[string]error{}, false
	for _, i := range g.members {
		if slices.Contains(s.by, i) {
			owning["unwrap "+m.regions[i].ref.KeyID] = m.faults[i].unwrap
			opens = opens || m.faults[i].unwrap == nil
		}
	}
	require.Equal(rt, !s.list || len(s.by) != len(g.members) || len(owning) != len(s.by), g.key.Stale(s.w))
	start := time.Now()
	got, err := g.key.Unwrap(context.Background(), s.w, nil)
	require.LessOrEqual(rt, time.Since(start), 10*time.Second)
	asked, reported := m.took()
	var failed []error
	var reports []string
	for n, op := range asked {
		class, ok := owning[op]
		require.True(rt, ok, "%s is none of its own, or was asked twice", op)
		delete(owning, op)
		if class == nil {
			require.Equal(rt, len(asked)-1, n, "others were asked after it opened")
			continue
		}
		failed = append(failed, class)
		reports = append(reports, op+" "+kms.Class(class))
	}
	if opens {
		require.NoError(rt, err)
		require.Equal(rt, s.plaintext, string(got))
		require.Equal(rt, reports, reported)
		return
	}
	require.Empty(rt, owning, "not asked")
	if len(asked) == 0 {
		failed = []error{kms.ErrNotFound}
	}
	requireClass(rt, err, decides(failed))
	require.Empty(rt, reported)
	require.Nil(rt, got)
}

// requireClass is requireOnly for any test.
func requireClass(t require.TestingT, err, class error) {
	require.Error(t, err)
	for _, c := range classes {
		require.Equal(t, c == class, errors.Is(err, c), "%v as %v", err, c)
	}
}

// TestAnyOfWhileMembersFlap has many callers while all members but one come and go: what was wrapped opens at any time.
func TestAnyOfWhileMembersFlap(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		k := f.anyOf(t, kms.AnyOptions{Minimum: 1})
		w := f.wrapped(t, k)
		var over atomic.Bool
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				for !over.Load() {
					time.Sleep(time.Duration(100+i) * time.Millisecond)
					got, err := k.Unwrap(t.Context(), w, nil)
					if err != nil || string(got) != "secret" {
						t.Errorf("unwrap: %q, %v", got, err)
					}
					fresh, err := k.Wrap(t.Context(), []byte(fmt.Sprint("secret ", i)), nil)
					if err != nil {
						t.Errorf("wrap: %v", err)
						continue
					}
					got, err = k.Unwrap(t.Context(), fresh, nil)
					// It may have none but the members that are down by now.
					if err == nil && string(got) != fmt.Sprint("secret ", i) || err != nil && !strings.Contains("unavailable throttled disabled pending_deletion access_denied destroyed not_found ciphertext", kms.Class(err)) {
						t.Errorf("unwrap what was just wrapped: %q, %v", got, err)
					}
					k.Status()
				}
			})
		}
		for n := range 120 {
			time.Sleep(time.Second)
			f.regions[n%2].suffer(faults[n%len(faults)])
		}
		over.Store(true)
		all.Wait()
		require.Equal(t, kms.HealthDegraded, k.Status().Health)
		require.NoError(t, k.Close())
	})
}

// TestAnyOfTellsNoSecrets: neither errors nor reports hold what is wrapped, or whom for.
func TestAnyOfTellsNoSecrets(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const canary = "canary-4711"
		ec := kms.Context{"tenant": canary}
		f := newFleet(t, 3)
		var told []string
		k, err := kms.AnyOf(f.keys, &kms.AnyOptions{Minimum: 1, Timeout: 50 * time.Millisecond, Report: func(_ context.Context, op string, failed []*kms.Error) {
			told = append(told, fmt.Sprintf("%s %v", op, failed))
			for _, e := range failed {
				told = append(told, fmt.Sprintf("%v %+v %#v", e, e.Err, e.Err))
			}
		}})
		require.NoError(t, err)
		w, err := k.Wrap(t.Context(), []byte(canary), ec)
		require.NoError(t, err)
		say := func(err error) {
			if err != nil {
				told = append(told, fmt.Sprintf("%v %+v %q", err, err, err))
			}
		}
		for _, last := range []fault{faults[0], refuses(kms.ErrAccessDenied)} {
			f.regions[2].suffer(last)
			for _, x := range faults {
				f.regions[0].suffer(x)
				f.regions[1].suffer(x)
				_, err := k.Wrap(t.Context(), []byte(canary), ec)
				say(err)
				_, err = k.Unwrap(t.Context(), w, ec)
				say(err)
				_, err = k.Unwrap(t.Context(), w, kms.Context{"tenant": canary + "x"})
				say(err)
			}
		}
		for n := range w.Blob {
			spoilt := w
			spoilt.Blob = slices.Clone(w.Blob)
			spoilt.Blob[n] ^= 0x40
			_, err := k.Unwrap(t.Context(), spoilt, ec)
			say(err)
		}
		_, err = k.Wrap(t.Context(), []byte(strings.Repeat(canary, 10)), ec)
		say(err)
		say(k.Check(t.Context()))
		say(k.Status().Err)
		time.Sleep(time.Second) // what is slow ends
		require.Greater(t, len(told), 100)
		for _, text := range told {
			require.NotContains(t, text, canary)
			require.NotContains(t, text, fmt.Sprintf("%x", canary))
		}
	})
}
