package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// fails requires that all methods fail with one class of error, and write and return nothing. r is a row that there is.
func fails(ctx context.Context, t testing.TB, s envelope.Store, r envelope.Row, class error) {
	t.Helper()
	got, err := s.Get(ctx, r.Key)
	only(t, err, class)
	require.Zero(t, got, "a failed Get returns a row")
	rows, err := s.List(ctx, "", "", 10)
	only(t, err, class)
	require.Nil(t, rows, "a failed List returns rows")
	for _, changes := range [][]envelope.Change{{created("new", "")}, {changed(r, "two")}, {checked(r)}, {checked(r), created("new", "")}} {
		only(t, s.Apply(ctx, changes...), class)
	}
}

func cancelledCall(t testing.TB, h Harness) {
	r := put(t, h.Store, "a", "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fails(ctx, t, h.Store, r, context.Canceled)
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	fails(late, t, h.Store, r, context.DeadlineExceeded)
	require.Equal(t, r, holds(t, h.Store, "a", "one"), "a cancelled Apply writes")
	lacks(t, h.Store, "new")
}

// cancelledInUse cancels calls at every stage, while others use the store. Each ends, and is made wholly or not at all.
func cancelledInUse(t testing.TB, h Harness) {
	const callers, width = 8, 4
	everyone(t, h, callers, func(caller int) error {
		for i := range rounds() / 10 {
			prefix := fmt.Sprintf("%d/%d/", caller, i)
			var changes []envelope.Change
			for j := range width {
				changes = append(changes, created(fmt.Sprint(prefix, j), "value"))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*i)*50*time.Microsecond)
			err := h.Store.Apply(ctx, changes...)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("a cancelled call: %w", err)
			}
			rows, listErr := h.Store.List(t.Context(), prefix, "", 10)
			switch {
			case listErr != nil:
				return fmt.Errorf("a call after a cancelled one: %w", listErr)
			case err == nil && len(rows) != width:
				return errors.New("an Apply that succeeded lacks rows")
			case len(rows) != 0 && len(rows) != width:
				return errors.New("a cancelled Apply is made in part")
			}
		}
		return nil
	}, func() {})
	put(t, h.Store, "after", "value")
}

func cancelledWhileHeld(t testing.TB, h Harness) {
	need(t, h.Hold != nil, "Hold", "that a call which waits for others ends with its context")
	r := put(t, h.Store, "a", "one")
	release := sync.OnceFunc(h.Hold())
	defer release()
	for _, wait := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- h.Store.Apply(ctx, changed(r, "two"), created("new", "")) }()
		only(t, await(t, h, done, "an Apply whose context ends"), context.DeadlineExceeded)
	}
	release()
	require.Equal(t, r, holds(t, h.Store, "a", "one"), "a cancelled Apply writes")
	lacks(t, h.Store, "new")
	apply(t, h.Store, changed(r, "two"), created("new", ""))
}

func closedStore(t testing.TB, h Harness) {
	r := put(t, h.Store, "a", "one")
	closes(t, h, h.Store)
	fails(t.Context(), t, h.Store, r, envelope.ErrClosed)
	closes(t, h, h.Store)
	fails(t.Context(), t, h.Store, r, envelope.ErrClosed)
}

// closedInUse closes the store under its callers. Each call succeeds or fails with ErrClosed, and none writes after Close has
// returned.
func closedInUse(t testing.TB, h Harness) {
	const callers = 16
	var closed atomic.Bool
	busy := make(chan struct{}, callers)
	var after []envelope.Row
	var s envelope.Store
	everyone(t, h, callers, func(caller int) error {
		for i := 0; ; i++ {
			late := closed.Load()
			key := fmt.Sprintf("%d/%d", caller, i)
			err := h.Store.Apply(t.Context(), created(key, "value"))
			if err == nil {
				_, err = h.Store.Get(t.Context(), key)
			}
			if err == nil {
				_, err = h.Store.List(t.Context(), key, "", 1)
			}
			if i == 0 {
				busy <- struct{}{}
			}
			switch {
			case errors.Is(err, envelope.ErrClosed):
				return nil
			case err != nil:
				return fmt.Errorf("a call under Close: %w", err)
			case late:
				return errors.New("calls after Close succeed")
			}
		}
	}, func() {
		for range callers {
			await(t, h, busy, "one of several calls")
		}
		closes(t, h, h.Store)
		closed.Store(true)
		if h.Reopen != nil {
			s = h.reopen(t)
			after = everything(t, s)
		}
	})
	if s != nil {
		require.Equal(t, after, everything(t, s), "a call writes after Close has returned")
	}
}

// everything returns all rows.
func everything(t testing.TB, s envelope.Store) (all []envelope.Row) {
	t.Helper()
	for after := ""; ; after = all[len(all)-1].Key {
		rows, err := s.List(t.Context(), "", after, 1000)
		require.NoError(t, err)
		all = append(all, rows...)
		if len(rows) < 1000 {
			return all
		}
	}
}
