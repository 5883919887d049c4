package kmstest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// owner is a driver that is a kms.Owner, too.
type owner struct {
	*broken
	owns func(kms.Ref) bool
}

func (o owner) Owns(ref kms.Ref) bool { return o.owns(ref) }

func TestRunPassesOwner(t *testing.T) {
	b, h := newHarness()
	h.Driver = owner{b, func(ref kms.Ref) bool { return ref == b.Ref() }}
	require.False(t, watch(t, "foreign ref", h).failed.Load())
}

// abilityMutants break what a driver can do besides, and harnesses that can't tell.
func abilityMutants() (all []mutant) {
	add := func(name, caught string, breakIt func(*broken, *Harness)) {
		all = append(all, mutant{name, caught, breakIt})
	}
	add("owns every key", "foreign ref", func(b *broken, h *Harness) {
		h.Driver = owner{b, func(kms.Ref) bool { return true }}
	})
	add("owns no key", "foreign ref", func(b *broken, h *Harness) {
		h.Driver = owner{b, func(kms.Ref) bool { return false }}
	})
	add("owns by the provider", "foreign ref", func(b *broken, h *Harness) {
		h.Driver = owner{b, func(ref kms.Ref) bool { return ref.Provider == b.Ref().Provider }}
	})
	add("asks the service who owns", "foreign ref", func(b *broken, h *Harness) {
		h.Driver = owner{b, func(ref kms.Ref) bool {
			_, err := b.Describe(context.Background())
			return err == nil && ref == b.Ref()
		}}
	})

	for _, c := range []string{"foreign ref", "cancelled call"} {
		add("is not counted: "+c, c, func(_ *broken, h *Harness) { h.Calls = func() int { return 0 } })
		add("is counted when it wraps: "+c, c, func(b *broken, h *Harness) { h.Calls = func() int { return b.f.Count("wrap") } })
		add("is counted when it unwraps: "+c, c, func(b *broken, h *Harness) { h.Calls = func() int { return b.f.Count("unwrap") } })
	}

	for _, ability := range []struct {
		name    string
		breakIt func(b *broken, change func(context.Context) (context.Context, *fakeDriver))
	}{
		{"describes", func(b *broken, change func(context.Context) (context.Context, *fakeDriver)) {
			b.describe = func(ctx context.Context) (kms.Info, error) {
				ctx, d := change(ctx)
				return d.Describe(ctx)
			}
		}},
		{"rotates", func(b *broken, change func(context.Context) (context.Context, *fakeDriver)) {
			b.rotate = func(ctx context.Context) error {
				ctx, d := change(ctx)
				return d.Rotate(ctx)
			}
		}},
		{"destroys", func(b *broken, change func(context.Context) (context.Context, *fakeDriver)) {
			b.destroy = func(ctx context.Context, after time.Duration) (time.Time, error) {
				ctx, d := change(ctx)
				return d.Destroy(ctx, after)
			}
		}},
	} {
		add(ability.name+" after cancel", "cancelled call", func(b *broken, _ *Harness) {
			ability.breakIt(b, func(ctx context.Context) (context.Context, *fakeDriver) {
				return context.WithoutCancel(ctx), b.fakeDriver
			})
		})
		add(ability.name+" after Close", "closed driver", func(b *broken, _ *Harness) {
			open := b.f.Driver().(*fakeDriver)
			ability.breakIt(b, func(ctx context.Context) (context.Context, *fakeDriver) { return ctx, open })
		})
	}

	add("destroys nothing", "destroyed by the driver", func(b *broken, _ *Harness) {
		b.destroy = func(_ context.Context, after time.Duration) (time.Time, error) { return time.Now().Add(after), nil }
	})
	add("disables for a destruction", "destroyed by the driver", func(b *broken, _ *Harness) {
		b.destroy = func(_ context.Context, after time.Duration) (time.Time, error) {
			b.f.SetState(kms.Disabled)
			return time.Now().Add(after), nil
		}
	})
	add("does not say when it destroys", "destroyed by the driver", func(b *broken, _ *Harness) {
		b.destroy = func(ctx context.Context, after time.Duration) (time.Time, error) {
			_, err := b.fakeDriver.Destroy(ctx, after)
			return time.Time{}, err
		}
	})
	add("names two times of destruction", "destroyed by the driver", func(b *broken, _ *Harness) {
		b.destroy = func(ctx context.Context, after time.Duration) (time.Time, error) {
			at, err := b.fakeDriver.Destroy(ctx, after)
			return at.Add(time.Hour), err
		}
	})
	add("describes a destroyed key as enabled", "destroyed by the driver", func(b *broken, _ *Harness) {
		b.describe = func(context.Context) (kms.Info, error) { return kms.Info{State: kms.Enabled}, nil }
	})
	return all
}

// doubleMutants say of what they rightly refuse that it is something else besides.
func doubleMutants() (all []mutant) {
	for _, c := range []string{
		"wrong context", "replayed blob", "foreign ref", "wrong version", "cut or extended blob", "flipped bits", "plaintext size",
		"invalid context", "cancelled call", "closed driver",
	} {
		all = append(all, mutant{"says two things: " + c, c, func(b *broken, _ *Harness) {
			b.errorsOf(func(err error) error { return fmt.Errorf("%w: %w", err, kms.ErrDestroyed) })
		}})
	}
	return append(all, mutant{"says two things of which each is allowed", "wrong context", func(b *broken, _ *Harness) {
		b.errorsOf(func(err error) error { return errors.Join(err, kms.ErrAccessDenied) })
	}})
}
