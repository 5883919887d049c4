package kmstest

import (
	"context"
	"fmt"
	"sync"

	"github.com/holdfast-go/holdfast/kms"
)

// remembering has drivers keep what they open, together, under what key makes of the question. They ask check before they look there.
func remembering(key func(w kms.Wrapped, canonical []byte) string, check func(context.Context, *broken) error, drivers ...*broken) {
	var cache sync.Map
	for _, b := range drivers {
		b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
			canonical, err := ec.Canonical()
			if err != nil {
				return nil, err
			}
			if err := check(ctx, b); err != nil {
				return nil, err
			}
			if got, ok := cache.Load(key(w, canonical)); ok {
				return []byte(got.(string)), nil
			}
			got, err := b.fakeDriver.Unwrap(ctx, w, ec)
			if err == nil {
				cache.Store(key(w, canonical), string(got))
			}
			return got, err
		}
	}
}

// cacheMutants answer from what they opened before.
func cacheMutants() (all []mutant) {
	careful := func(ctx context.Context, b *broken) error {
		if b.isClosed() {
			return kms.ErrClosed
		}
		return ctx.Err()
	}
	careless := func(context.Context, *broken) error { return nil }
	by := func(name string, key func(kms.Wrapped, []byte) string, check func(context.Context, *broken) error, cases ...string) {
		for _, c := range cases {
			all = append(all, mutant{"remembers by " + name + ": " + c, c, func(b *broken, _ *Harness) { remembering(key, check, b) }})
		}
	}
	whole := func(w kms.Wrapped, canonical []byte) string {
		return fmt.Sprintf("%q %q %q %q", w.Ref, w.Version, w.Blob, canonical)
	}
	blobAndContext := func(w kms.Wrapped, canonical []byte) string { return fmt.Sprintf("%q %q", w.Blob, canonical) }
	blob := func(w kms.Wrapped, _ []byte) string { return fmt.Sprintf("%q %q %q", w.Ref, w.Version, w.Blob) }
	end := func(w kms.Wrapped, canonical []byte) string {
		return fmt.Sprintf("%q %q %q", w.Ref, w.Blob[max(len(w.Blob), 16)-16:], canonical)
	}
	by("everything", whole, careful,
		"disabled key", "enabled again", "destroyed key", "destroyed by the driver", "destruction cancelled",
		"access denied", "throttled", "outage", "cancelled in flight", "deadline in flight")
	by("everything and no end", whole, careless, "closed driver", "cancelled call", "closed in flight")
	by("blob and context", blobAndContext, careful, "foreign ref", "wrong version", "rotation")
	by("blob", blob, careful, "wrong context")
	by("the blob's end", end, careful, "cut or extended blob", "flipped bits")
	for _, c := range []string{"wrong key", "replayed blob"} {
		all = append(all, mutant{"remembers for all keys: " + c, c, func(b *broken, h *Harness) {
			other := newBroken("key-2")
			h.Other = other
			remembering(blobAndContext, careful, b, other)
		}})
	}
	return all
}
