package kms

import (
	"context"
	"fmt"
	"time"
)

// Describe asks the provider for the key's state. It fails with
// [ErrUnsupported] where the provider can't tell.
func (k *Key) Describe(ctx context.Context) (Info, error) {
	info, err := call(ctx, k, request[Info]{
		op:     "describe",
		repeat: true,
		prepare: func() func(context.Context) (Info, error) {
			return k.describer.Describe
		},
		check: func() error { return able(k.describer != nil) },
	})
	if err == nil {
		k.status.described(info.State)
	}
	return info, err
}

// Rotate makes a new version of the key, which Wrap uses from then on; what was
// wrapped before still unwraps. It fails with [ErrUnsupported] where the provider
// can't. It is tried once, and is not safe to repeat after an error: the version may be there.
func (k *Key) Rotate(ctx context.Context) error {
	_, err := call(ctx, k, request[struct{}]{
		op: "rotate",
		prepare: func() func(context.Context) (struct{}, error) {
			return func(ctx context.Context) (struct{}, error) { return struct{}{}, k.rotator.Rotate(ctx) }
		},
		check: func() error { return able(k.rotator != nil) },
	})
	return err
}

// Destroy has the key destroyed, for good, after the given time or the least that the
// provider allows, if that is longer, and returns when. All that was wrapped under any of its
// versions is lost then. It is tried once. It fails with [ErrUnsupported] where the provider
// can't, and with [ErrInvalid] when after is negative.
func (k *Key) Destroy(ctx context.Context, after time.Duration) (time.Time, error) {
	return call(ctx, k, request[time.Time]{
		op: "destroy",
		prepare: func() func(context.Context) (time.Time, error) {
			return func(ctx context.Context) (time.Time, error) { return k.destroyer.Destroy(ctx, after) }
		},
		check: func() error {
			if after < 0 {
				return fmt.Errorf("%w: negative delay: use 0 for the shortest that the provider allows", ErrInvalid)
			}
			return able(k.destroyer != nil)
		},
	})
}

func able(yes bool) error {
	if !yes {
		return ErrUnsupported
	}
	return nil
}
