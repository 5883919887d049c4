package kms

import (
	"context"
	"fmt"
	"time"
)

// Describe asks the provider for the key's state. It fails with
// [ErrUnsupported] where the provider can't tell.
func (k *Key) Describe(ctx context.Context) (info Info, err error) {
	err = k.call(ctx, "describe", func(call context.Context) error {
		if k.describer == nil {
			return ErrUnsupported
		}
		got, err := k.describer.Describe(call)
		if err != nil {
			return err
		}
		info = got
		return nil
	})
	return info, err
}

// Rotate makes a new version of the key, which Wrap uses from then on; what was
// wrapped before still unwraps. It fails with [ErrUnsupported] where the provider
// can't. It is not safe to repeat after an error: the version may be there.
func (k *Key) Rotate(ctx context.Context) error {
	return k.call(ctx, "rotate", func(call context.Context) error {
		if k.rotator == nil {
			return ErrUnsupported
		}
		return k.rotator.Rotate(call)
	})
}

// Destroy has the key destroyed, for good, after the given time or the least that the
// provider allows, if that is longer, and returns when. All that was wrapped under any of its
// versions is lost then. It fails with [ErrUnsupported] where the provider
// can't, and with [ErrInvalid] when after is negative.
func (k *Key) Destroy(ctx context.Context, after time.Duration) (at time.Time, err error) {
	err = k.call(ctx, "destroy", func(call context.Context) error {
		if after < 0 {
			return fmt.Errorf("%w: negative delay: use 0 for the shortest that the provider allows", ErrInvalid)
		}
		if k.destroyer == nil {
			return ErrUnsupported
		}
		got, err := k.destroyer.Destroy(call, after)
		if err != nil {
			return err
		}
		at = got
		return nil
	})
	return at, err
}
