package kmstest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func anotherProcess(t testing.TB, h Harness) {
	need(t, h.Reopen != nil, "Reopen", "what the driver makes of what another process does with its key")
	reopen := func() kms.Driver {
		d := h.Reopen()
		t.Cleanup(func() { closes(t, h, d) })
		require.Equal(t, h.Driver.Ref(), d.Ref())
		return d
	}
	second := reopen()
	stored := []kms.Wrapped{wrap(t, h.Driver, secret(32), pairs()), wrap(t, second, secret(32), pairs())}
	if rotate(t, second) { // which Driver hears nothing of
		stored = append(stored, wrap(t, second, secret(32), pairs()))
	}
	third := reopen()
	for _, w := range stored {
		opens(t, h.Driver, w, pairs(), secret(32))
		opens(t, second, w, pairs(), secret(32))
		opens(t, third, w, pairs(), secret(32))
	}
	w := wrap(t, h.Driver, secret(32), pairs())
	opens(t, second, w, pairs(), secret(32))
	require.NoError(t, closes(t, h, second))
	opens(t, h.Driver, w, pairs(), secret(32))
	opens(t, third, w, pairs(), secret(32))
}

func movedAlias(t testing.TB, h Harness) {
	need(t, h.MoveAlias != nil, "MoveAlias", "that the driver keeps its key when an alias moves")
	ref := h.Driver.Ref()
	old := wrap(t, h.Driver, secret(32), pairs())
	require.NoError(t, h.MoveAlias(own(t)))
	require.Equal(t, ref, h.Driver.Ref())
	opens(t, h.Driver, old, pairs(), secret(32))
	w := wrap(t, h.Driver, secret(32), pairs())
	require.Equal(t, ref, w.Ref)
	opens(t, h.Driver, w, pairs(), secret(32))
	for _, forged := range disguises(t, h, w, wrap(t, h.Other, secret(32), pairs())) {
		refuses(t, h.Other, forged, pairs(), kms.ErrCiphertext, kms.ErrNotFound)
	}
}
