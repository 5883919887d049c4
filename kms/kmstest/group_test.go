package kmstest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// anyOf returns a group over drivers.
func anyOf(t *testing.T, drivers ...kms.Driver) *kms.Key {
	t.Helper()
	var members []*kms.Key
	for _, d := range drivers {
		k, err := kms.NewKey(d, &kms.Options{Attempts: 1})
		require.NoError(t, err)
		members = append(members, k)
	}
	group, err := kms.AnyOf(members, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, group.Close())
		for _, k := range members {
			require.NoError(t, k.Close())
		}
	})
	return group
}

// groupHarness returns a group of two Fakes, with every hook. breakIt may replace their drivers.
func groupHarness(t *testing.T, breakIt func(b [2]*broken)) Harness {
	b := [2]*broken{newBroken("key-1"), newBroken("key-2")}
	breakIt(b)
	one, two := fakeHarness(b[0].f), fakeHarness(b[1].f)
	both := func(f, g func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error { return errors.Join(f(ctx), g(ctx)) }
	}
	meet := func(f, g func() func()) func() func() {
		return func() func() {
			undo1, undo2 := f(), g()
			return func() { undo1(); undo2() }
		}
	}
	return Harness{
		Driver:        anyOf(t, b[0], b[1]),
		Other:         anyOf(t, NewFake("key-3").Driver(), NewFake("key-4").Driver()),
		Group:         true,
		Calls:         func() int { return one.Calls() + two.Calls() },
		Disable:       both(one.Disable, two.Disable),
		Enable:        both(one.Enable, two.Enable),
		Destroy:       both(one.Destroy, two.Destroy),
		CancelDestroy: both(one.CancelDestroy, two.CancelDestroy),
		MoveAlias:     one.MoveAlias,
		Reopen:        func() kms.Driver { return anyOf(t, b[0].f.Driver(), b[1].f.Driver()) },
		Deny:          meet(one.Deny, two.Deny),
		Throttle: func() (time.Duration, func()) {
			pause, undo1 := one.Throttle()
			_, undo2 := two.Throttle()
			return pause, func() { undo1(); undo2() }
		},
		Outage: meet(one.Outage, two.Outage),
		Hang: func(arrived func()) func() {
			undo1, undo2 := one.Hang(arrived), two.Hang(arrived)
			return func() { undo1(); undo2() }
		},
	}
}

func TestRunPassesGroup(t *testing.T) {
	Run(t, func(t *testing.T) Harness { return groupHarness(t, func([2]*broken) {}) })
}

func TestRunCatchesGroup(t *testing.T) {
	for _, tc := range []struct {
		name, caught string
		breakIt      func(b [2]*broken)
	}{
		{"one member ignores a bit", "flipped bits", func(b [2]*broken) { ignoreBit(b[1]) }},
		{"a member opens to other bytes", "flipped bits", func(b [2]*broken) {
			b[0].unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b[0].fakeDriver.Unwrap(ctx, w, ec)
				if err != nil {
					return secret(31), nil
				}
				return got, nil
			}
		}},
		{"a member opens nothing", "flipped bits", func(b [2]*broken) {
			b[1].unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return nil, kms.ErrCiphertext }
		}},
		{"a member opens another's blob", "replayed blob", func(b [2]*broken) {
			b[1].unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return secret(32), nil }
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := groupHarness(t, tc.breakIt)
			require.True(t, watch(t, tc.caught, h).failed.Load(), "%q did not notice", tc.caught)
		})
	}
}
