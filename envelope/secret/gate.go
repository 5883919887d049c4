package secret

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// gate bounds how much memory hashes take together, and how many there are at once. It is safe for concurrent use.
type gate struct {
	room        *semaphore.Weighted
	size, least int64 // KiB, in all and for each hash
}

func newGate(concurrent, memory int) *gate {
	size := int64(concurrent) * int64(memory)
	return &gate{room: semaphore.NewWeighted(size), size: size, least: int64(memory)}
}

// enter waits for the memory of a hash, in KiB, first come, first served. It fails with ctx's error. The caller calls leave when the hash is
// done. A small hash counts like one of now, so that there are no more at once; one that is larger than everything has it all to itself.
func (g *gate) enter(ctx context.Context, memory uint32) (leave func(), err error) {
	n := min(max(int64(memory), g.least), g.size)
	if err := g.room.Acquire(ctx, n); err != nil {
		return nil, err
	}
	return func() { g.room.Release(n) }, nil
}
