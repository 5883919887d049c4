package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

const (
	writers    = 64
	increments = 2 // of each writer
)

// rounds returns how often to try what only chance brings about.
func rounds() int {
	if testing.Short() {
		return 20
	}
	return 100
}

// increment adds one to a row, as often as it takes.
func increment(ctx context.Context, s envelope.Store, key string) error {
	for {
		r, err := s.Get(ctx, key)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			return errors.New("a row has a value that nobody wrote")
		}
		if err := s.Apply(ctx, changed(r, strconv.Itoa(n+1))); !errors.Is(err, envelope.ErrConflict) {
			return err
		}
	}
}

func compareAndSwap(t testing.TB, h Harness) {
	clients := h.clients(t)
	put(t, h.Store, "counter", "0")
	var done atomic.Int64
	everyone(t, h, writers, func(caller int) error {
		for range increments {
			if err := increment(t.Context(), clients[caller%2], "counter"); err != nil {
				return err
			}
			done.Add(1)
		}
		return nil
	}, func() {})
	require.EqualValues(t, writers*increments, done.Load())
	for _, s := range clients {
		holds(t, s, "counter", fmt.Sprint(done.Load()))
	}
}

// both applies two lists of changes at once.
func both(t testing.TB, h Harness, clients [2]envelope.Store, changes [2][]envelope.Change) (errs [2]error) {
	t.Helper()
	everyone(t, h, 2, func(caller int) error {
		errs[caller] = clients[caller].Apply(t.Context(), changes[caller]...)
		return nil
	}, func() {})
	return errs
}

// sharedCheck has two require that one row stays as it is, and write others.
func sharedCheck(t testing.TB, h Harness) {
	clients := h.clients(t)
	r := put(t, h.Store, "head", "active")
	for i := range rounds() {
		left, right := fmt.Sprint("left ", i), fmt.Sprint("right ", i)
		errs := both(t, h, clients, [2][]envelope.Change{{checked(r), created(left, "one")}, {created(right, "two"), checked(r)}})
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
		holds(t, h.Store, left, "one")
		holds(t, h.Store, right, "two")
	}
	require.Equal(t, r, holds(t, h.Store, "head", "active"))
}

// writeSkew has two require what the other changes. One of them is first, and the other must see it.
func writeSkew(t testing.TB, h Harness) {
	clients := h.clients(t)
	a, b := put(t, h.Store, "a", "0"), put(t, h.Store, "b", "0")
	for i := range rounds() {
		value := fmt.Sprint(i + 1)
		errs := both(t, h, clients, [2][]envelope.Change{{checked(a), changed(b, value)}, {changed(a, value), checked(b)}})
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		require.NoError(t, errs[winner], "none of two succeeds")
		only(t, errs[1-winner], envelope.ErrConflict)
		if winner == 0 {
			require.Equal(t, a, get(t, h.Store, "a"), "the loser wrote")
			b = holds(t, h.Store, "b", value)
		} else {
			require.Equal(t, b, get(t, h.Store, "b"), "the loser wrote")
			a = holds(t, h.Store, "a", value)
		}
	}
}

// oneView has a List see all changes of an Apply or none, and never less than before.
func oneView(t testing.TB, h Harness) {
	const width = 8
	clients := h.clients(t)
	write := func(value string) error {
		rows, err := h.Store.List(t.Context(), "view/", "", width)
		if err != nil {
			return err
		}
		var changes []envelope.Change
		for _, r := range rows {
			changes = append(changes, changed(r, value))
		}
		return h.Store.Apply(t.Context(), changes...)
	}
	var changes []envelope.Change
	for i := range width {
		changes = append(changes, created(fmt.Sprint("view/", i), "0"))
	}
	apply(t, h.Store, changes...)
	var written atomic.Int64
	everyone(t, h, 5, func(caller int) error {
		if caller == 0 {
			defer written.Store(-1)
			for i := range rounds() {
				if err := write(fmt.Sprint(i + 1)); err != nil {
					return err
				}
				written.Store(int64(i + 1))
			}
			return nil
		}
		for least := int64(0); ; least = written.Load() {
			if least < 0 {
				return nil
			}
			if err := agree(t.Context(), clients[caller%2], "view/", width, least); err != nil {
				return err
			}
		}
	}, func() {})
	for _, s := range clients {
		require.NoError(t, agree(t.Context(), s, "view/", width, int64(rounds())))
	}
}

// agree requires that a List has one number in all rows, and not less than least.
func agree(ctx context.Context, s envelope.Store, prefix string, width int, least int64) error {
	rows, err := s.List(ctx, prefix, "", width)
	if err != nil {
		return err
	}
	if len(rows) != width {
		return errors.New("a List lacks rows")
	}
	for _, r := range rows {
		if string(r.Value) != string(rows[0].Value) {
			return errors.New("a List has changes of an Apply, and not all")
		}
	}
	if n, err := strconv.ParseInt(string(rows[0].Value), 10, 64); err != nil || n < least {
		return errors.New("a List is older than an Apply that had returned")
	}
	return nil
}
