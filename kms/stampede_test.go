package kms_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestNoStampede: a thousand callers, who ask again twice a second, meet a provider that goes down for 10 seconds.
// The load on it stays within what the Options say:
//   - always, at most Concurrency calls are in flight, so at most Concurrency / latency come in a second;
//   - once the breaker is open and the calls that began before are over, one call in BreakFor, which is at most Attempts attempts;
//   - and when it works again, a caller fails no longer than BreakFor, and the end of a probe that may hang.
func TestNoStampede(t *testing.T) {
	const (
		callers, latency    = 1000, 100 * time.Millisecond
		down, again         = 10 * time.Second, 500 * time.Millisecond
		attempts, perSecond = 3, int(64 * time.Second / latency)
		timeout, breakFor   = 2 * time.Second, time.Second
		end                 = 2*down + 6*time.Second
	)
	for name, w := range map[string]weather{"failing": failing, "throttling": throttle, "hanging": hanging} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				c := &climate{latency: latency, slot: down, slots: []weather{fair, w, fair}, start: time.Now()}
				a := newActor(c.act)
				k := keyWith(t, a, &kms.Options{Timeout: timeout, Attempts: attempts, Concurrency: 64, BreakFor: breakFor})
				var all sync.WaitGroup
				var mu sync.Mutex
				var lastFailed time.Duration // when the last call began that failed
				for i := range callers {
					all.Go(func() {
						time.Sleep(again * time.Duration(i) / callers)
						for time.Since(c.start) < end {
							began := time.Since(c.start)
							err := operations["unwrap"](t.Context(), k)
							mu.Lock()
							if err != nil {
								lastFailed = max(lastFailed, began)
							}
							mu.Unlock()
							time.Sleep(again)
						}
					})
				}
				all.Wait()
				require.LessOrEqual(t, a.most.Load(), int64(64))
				for at := time.Duration(0); at < end; at += 100 * time.Millisecond {
					n := c.between(at, at+time.Second)
					if w := c.slots[at/down]; w == fair && c.slots[min((at+time.Second)/down, 2)] == fair {
						require.LessOrEqual(t, n, perSecond+64, "calls in the second from %v", at)
					}
				}
				first := down + 2*timeout // a call that began just before the breaker opened, and is over
				for at := first; at+breakFor <= 2*down; at += 100 * time.Millisecond {
					require.LessOrEqual(t, c.between(at, at+breakFor), attempts, "calls in the %v from %v", breakFor, at)
				}
				require.Positive(t, c.between(first, 2*down), "it is probed")
				bound := 2*down + breakFor + again + latency
				if w == hanging {
					bound += timeout
				}
				require.Greater(t, lastFailed, down)
				require.LessOrEqual(t, lastFailed, bound)
			})
		})
	}
}

// between returns how many calls came to the driver from one time to another.
func (c *climate) between(from, to time.Duration) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.began {
		if from <= at && at < to {
			n++
		}
	}
	return n
}
