package storetest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

func outOfBounds(t testing.TB, h Harness) {
	ctx, s := t.Context(), h.Store
	a := put(t, s, "a", "one")
	long := strings.Repeat("k", envelope.MaxRowKey+1)
	var many []envelope.Change
	for i := range envelope.MaxChanges + 1 {
		many = append(many, created(fmt.Sprint("many ", i), ""))
	}
	for name, changes := range map[string][]envelope.Change{
		"none":                   nil,
		"too many":               many,
		"empty key":              {created("good", ""), created("", "")},
		"long key":               {created("good", ""), created(long, "")},
		"long value":             {created("good", ""), created("b", string(make([]byte, envelope.MaxRowValue+1)))},
		"twice":                  {created("good", ""), created("b", ""), created("b", "")},
		"twice the same":         {created("good", ""), changed(a, "two"), changed(a, "two")},
		"checked and changed":    {created("good", ""), checked(a), changed(a, "two")},
		"check without revision": {created("good", ""), checked(envelope.Row{Key: "b"})},
	} {
		t.Log(name)
		only(t, s.Apply(ctx, changes...), kms.ErrInvalid)
	}
	for _, key := range []string{"", long} {
		r, err := s.Get(ctx, key)
		only(t, err, kms.ErrInvalid)
		require.Zero(t, r)
	}
	for _, limit := range []int{0, -1, -1 << 31, 1001, 1<<31 - 1} {
		rows, err := s.List(ctx, "", "", limit)
		only(t, err, kms.ErrInvalid)
		require.Nil(t, rows)
	}
	rows, err := s.List(ctx, "", "", 1000)
	require.NoError(t, err)
	require.Equal(t, []envelope.Row{a}, rows, "what was refused was written")
}

// argumentsStay lets a caller use its slices again.
func argumentsStay(t testing.TB, h Harness) {
	a := put(t, h.Store, "a", "one")
	value := append(make([]byte, 0, 100), "two"...)
	changes := []envelope.Change{
		{Row: envelope.Row{Key: "z", Value: value}},
		{Row: envelope.Row{Key: "a", Value: value[:2], Revision: a.Revision}},
		{Row: envelope.Row{Key: "m", Value: value[1:]}},
	}
	before := slices.Clone(changes)
	apply(t, h.Store, changes...)
	require.Equal(t, before, changes, "Apply changes its arguments")
	require.Equal(t, "two", string(value), "Apply changes a value")
	require.Equal(t, make([]byte, 97), value[3:cap(value)], "Apply writes behind a value")

	conflicts(t, h.Store, changes...)
	require.Equal(t, before, changes, "a failed Apply changes its arguments")

	copy(value[:cap(value)], strings.Repeat("x", 100))
	clear(changes)
	holds(t, h.Store, "z", "two")
	holds(t, h.Store, "a", "tw")
	r := holds(t, h.Store, "m", "wo")

	value = []byte("three")
	apply(t, h.Store, envelope.Change{Row: envelope.Row{Key: "m", Value: value, Revision: r.Revision}})
	r = holds(t, h.Store, "m", "three")
	apply(t, h.Store, changed(r, "four"))
	require.Equal(t, "three", string(value), "a later Apply changes a value of an earlier one")
}

func resultsAreCallers(t testing.TB, h Harness) {
	a, b := put(t, h.Store, "a", "one"), put(t, h.Store, "b", "two")
	listed := func() []envelope.Row {
		rows, err := h.Store.List(t.Context(), "", "", 10)
		require.NoError(t, err)
		require.Len(t, rows, 2)
		return rows
	}
	got, rows := get(t, h.Store, "a"), listed()
	apply(t, h.Store, changed(a, "new"), changed(b, "newer"))
	require.Equal(t, "one", string(got.Value), "a later Apply changes what Get returned")
	require.Equal(t, []envelope.Row{a, b}, rows, "a later Apply changes what List returned")

	for _, r := range append(listed(), get(t, h.Store, "a"), get(t, h.Store, "b")) {
		copy(r.Value, "xxxxxxxx")
		_ = append(r.Value, "behind the end"...)
	}
	clear(listed())
	holds(t, h.Store, "a", "new")
	holds(t, h.Store, "b", "newer")
}

const (
	canaryKey   = "canary-key-0123456789"
	canaryValue = "kanarie-value-9876543210"
)

// quiet requires that err shows nothing of the canaries.
func quiet(t testing.TB, err error) {
	t.Helper()
	require.Error(t, err)
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	for _, secret := range []string{canaryKey, canaryValue} {
		for _, form := range []string{
			secret[:8],
			hex.EncodeToString([]byte(secret[:8])),
			strings.ToUpper(hex.EncodeToString([]byte(secret[:8]))),
			base64.StdEncoding.EncodeToString([]byte(secret))[:10],
			strings.Trim(fmt.Sprint([]byte(secret[:8])), "[]"),
		} {
			require.False(t, strings.Contains(text, form), "an error shows a key or a value")
		}
	}
}

func quietErrors(t testing.TB, h Harness) {
	ctx, s := t.Context(), h.Store
	r := put(t, s, canaryKey, canaryValue)
	stale := changed(r, canaryValue)
	stale.Revision++
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	long := strings.Repeat(canaryKey, envelope.MaxRowKey)
	for _, err := range []error{
		s.Apply(ctx, created(canaryKey, canaryValue)),
		s.Apply(ctx, stale),
		s.Apply(ctx, created("another", canaryValue), checked(stale.Row)),
		s.Apply(ctx, created(long, canaryValue)),
		s.Apply(ctx, created(canaryKey, strings.Repeat(canaryValue, envelope.MaxRowValue))),
		s.Apply(ctx, created("\x00\xff"+canaryKey, canaryValue), created("\x00\xff"+canaryKey, canaryValue)),
		s.Apply(cancelled, changed(r, canaryValue)),
	} {
		quiet(t, err)
	}
	fails := func(_ any, err error) {
		t.Helper()
		quiet(t, err)
	}
	fails(s.Get(ctx, long))
	fails(s.Get(cancelled, canaryKey))
	fails(s.List(ctx, canaryKey, canaryKey, 0))
	fails(s.List(cancelled, canaryKey, canaryKey, 1))
	if h.Outage != nil {
		undo := sync.OnceFunc(h.Outage())
		defer undo()
		fails(s.Get(ctx, canaryKey))
		fails(s.List(ctx, canaryKey, canaryKey, 1))
		quiet(t, s.Apply(ctx, changed(r, canaryValue)))
		undo()
	}
	closes(t, h, s)
	quiet(t, s.Apply(ctx, changed(r, canaryValue)))
	fails(s.Get(ctx, canaryKey))
	fails(s.List(ctx, canaryKey, canaryKey, 1))
}
