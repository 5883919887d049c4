package storetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// reopened has rows outlive their client, with their revisions.
func reopened(t testing.TB, h Harness) {
	need(t, h.Reopen != nil, "Reopen", "that rows outlive the process")
	for i := range 20 {
		fill(t, h.Store, fmt.Sprint("rows/", i))
	}
	r := put(t, h.Store, "changed", "one")
	apply(t, h.Store, changed(r, "two"))
	conflicts(t, h.Store, changed(r, "three"), created("abandoned", ""))
	before := everything(t, h.Store)
	closes(t, h, h.Store)
	s := h.reopen(t)
	require.Equal(t, before, everything(t, s), "opened again, the store has other rows")
	conflicts(t, s, changed(r, "three"))
	conflicts(t, s, created("changed", "three"))
	apply(t, s, changed(holds(t, s, "changed", "two"), "three"), created("abandoned", ""))
	holds(t, s, "changed", "three")
}

// anotherClient has each of two see at once what the other writes.
func anotherClient(t testing.TB, h Harness) {
	need(t, h.Reopen != nil && !h.Exclusive, "Reopen", "what the store makes of what another process writes")
	one, two := h.Store, h.reopen(t)
	lacks(t, two, "a")
	old := put(t, one, "a", "one")
	require.Equal(t, old, holds(t, two, "a", "one"))
	apply(t, two, changed(old, "two"))
	r := holds(t, one, "a", "two")
	conflicts(t, one, changed(old, "three"))
	conflicts(t, one, created("a", "three"))
	conflicts(t, one, checked(old), created("b", ""))
	lacks(t, two, "b")
	for i := range 20 {
		value := fmt.Sprint(i)
		apply(t, [2]envelope.Store{one, two}[i%2], changed(r, value), created("rows/"+value, value))
		r = holds(t, [2]envelope.Store{two, one}[i%2], "a", value)
		require.Equal(t, everything(t, one), everything(t, two))
	}
	closes(t, h, two)
	holds(t, one, "a", "19")
	put(t, one, "c", "still open")
}

// outage has the store say what it is, and work again after it without being opened anew.
func outage(t testing.TB, h Harness) {
	need(t, h.Outage != nil, "Outage", "what the store makes of an outage")
	r := put(t, h.Store, "a", "one")
	undo := sync.OnceFunc(h.Outage())
	defer undo()
	fails(t.Context(), t, h.Store, r, envelope.ErrUnavailable)
	fails(t.Context(), t, h.Store, r, envelope.ErrUnavailable)
	undo()
	require.Equal(t, r, holds(t, h.Store, "a", "one"))
	lacks(t, h.Store, "new")
	apply(t, h.Store, changed(r, "two"), created("new", ""))
	holds(t, h.Store, "a", "two")
}
