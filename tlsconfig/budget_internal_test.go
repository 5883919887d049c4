package tlsconfig

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/internal/bubble"
)

// TestRateProperty: in no stretch of time does a bucket give more than its burst and what its rate adds, and a bucket that was full long enough gives a burst.
func TestRateProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, burst := rapid.IntRange(1, maxRate).Draw(t, "per second"), rapid.IntRange(0, 50).Draw(t, "burst")
		r := perSecond(n, burst)
		now, full := time.Unix(1_800_000_000, 0), time.Time{}
		var taken []time.Time
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, int(3*r.every)).Draw(t, "pause")))
			wait := r.take(&full, now)
			if wait == 0 {
				taken = append(taken, now)
				continue
			}
			again, at := full, now.Add(wait)
			require.Positive(t, wait)
			require.Zero(t, r.take(&again, at), "there is one when it said")
			again = full
			require.NotZero(t, r.take(&again, at.Add(-1)), "and none before")
		}
		for i := range taken {
			for j := i; j < len(taken); j++ {
				most := float64(max(burst, 1)) + float64(taken[j].Sub(taken[i]))/float64(time.Second)*float64(n)
				require.LessOrEqual(t, float64(j-i+1), most+1e-6)
			}
		}
		now = now.Add(time.Hour)
		for range max(burst, 1) {
			require.Zero(t, r.take(&full, now))
		}
		require.NotZero(t, r.take(&full, now))
	})
	none := time.Time{}
	for range 10 {
		require.Zero(t, rate{}.take(&none, time.Unix(1, 0)), "no bound")
	}
}

// TestBudgetTurns: one source with much to ask for has its turn as often as one with little.
func TestBudgetTurns(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBudget(10) // one each 100 ms
		greedy, modest := &origin{}, &origin{}
		require.NoError(t, b.wait(t.Context(), greedy)) // what was there
		begun := time.Now()
		var mu sync.Mutex
		var order []string
		var work sync.WaitGroup
		ask := func(name string, s *origin) {
			work.Go(func() {
				if err := b.wait(t.Context(), s); err == nil {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, name)
				}
			})
			synctest.Wait()
		}
		for range 6 {
			ask("greedy", greedy)
		}
		for range 3 {
			ask("modest", modest)
		}
		work.Wait()
		require.Equal(t, []string{"greedy", "modest", "greedy", "modest", "greedy", "modest", "greedy", "greedy", "greedy"}, order)
		require.Equal(t, 900*time.Millisecond, time.Since(begun))
		requireNobodyWaits(t, b)
	})
}

// TestBudgetKnown: who has ended a handshake well goes before strangers, however many there are and since when.
func TestBudgetKnown(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBudget(10)
		known := &origin{}
		known.proven.Store(true)
		strangers := make([]origin, 500)
		require.NoError(t, b.wait(t.Context(), &strangers[0])) // what was there
		flood, end := context.WithCancel(t.Context())
		var work sync.WaitGroup
		for i := range strangers {
			work.Go(func() { _ = b.wait(flood, &strangers[i]) })
		}
		synctest.Wait()
		require.NoError(t, b.wait(t.Context(), known)) // its last turn is later than all theirs
		begun := time.Now()
		require.NoError(t, b.wait(t.Context(), known))
		require.LessOrEqual(t, time.Since(begun), 100*time.Millisecond) // of a clock that stands still otherwise
		end()
		work.Wait()
		requireNobodyWaits(t, b)
	})
}

// TestBudgetStrangers: known sources have three of four turns, strangers the fourth, in the order in which they came to wait.
func TestBudgetStrangers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBudget(1)
		known, old, fresh := &origin{}, &origin{served: time.Now().Add(-time.Hour)}, &origin{}
		known.proven.Store(true)
		require.NoError(t, b.wait(t.Context(), known))
		var mu sync.Mutex
		var order []string
		var work sync.WaitGroup
		ask := func(name string, s *origin) {
			work.Go(func() {
				if err := b.wait(t.Context(), s); err == nil {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, name)
				}
			})
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		for range 7 {
			ask("known", known)
		}
		ask("fresh", fresh)
		ask("old", old)
		ask("fresh", fresh)
		work.Wait()
		require.Equal(t, []string{"known", "known", "known", "fresh", "known", "known", "known", "old", "known", "fresh"}, order)
		requireNobodyWaits(t, b, known, old, fresh)
	})
}

// TestBudgetGone: a stranger who is gone when its turn comes gives it to the next stranger.
func TestBudgetGone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBudget(1)
		known, gone, stranger := &origin{}, make([]origin, 20), &origin{}
		known.proven.Store(true)
		require.NoError(t, b.wait(t.Context(), known))
		var work sync.WaitGroup
		ctx, end := context.WithCancel(t.Context())
		for range 20 {
			work.Go(func() { _ = b.wait(ctx, known) })
		}
		for i := range gone {
			work.Go(func() {
				if b.wait(ctx, &gone[i]) == nil {
					b.giveBack(&gone[i])
				}
			})
		}
		synctest.Wait()
		begun := time.Now()
		require.NoError(t, b.wait(t.Context(), stranger))
		require.LessOrEqual(t, time.Since(begun), 4*time.Second, "the fourth turn")
		end()
		work.Wait()
		requireNobodyWaits(t, b, known, stranger)
	})
}

// TestBudgetEnds: what ends while it waits costs nothing, and what is given back is there for the next.
func TestBudgetEnds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBudget(1)
		s := &origin{}
		require.NoError(t, b.wait(t.Context(), s))
		begun := time.Now()
		why := errors.New("it ends")
		for range 20 {
			ctx, end := context.WithCancelCause(t.Context())
			time.AfterFunc(10*time.Millisecond, func() { end(why) })
			require.ErrorIs(t, b.wait(ctx, s), why)
		}
		require.NoError(t, b.wait(t.Context(), s))
		require.Equal(t, time.Second, time.Since(begun))
		got := make(chan error, 1)
		go func() { got <- b.wait(t.Context(), s) }()
		synctest.Wait()
		b.giveBack(s)
		require.NoError(t, <-got)
		require.Equal(t, time.Second, time.Since(begun))
	})
}

// TestBudgetProperty: whoever waits and gives up, and whatever is given back, no more signatures are made than the rate allows, and nobody who waits is forgotten.
func TestBudgetProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		perSec := rapid.IntRange(1, 100).Draw(rt, "per second")
		type client struct {
			source       int
			pause, after time.Duration
			back         bool
		}
		clients := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) client {
			return client{
				rapid.IntRange(0, 3).Draw(t, "source"), time.Duration(rapid.IntRange(0, 50).Draw(t, "pause")) * time.Millisecond,
				time.Duration(rapid.IntRange(1, 500).Draw(t, "after")) * time.Millisecond, rapid.Bool().Draw(t, "back"),
			}
		}), 1, 60).Draw(rt, "clients")
		bubble.Test(t, func(t *testing.T) {
			b, begun, signed := newBudget(perSec), time.Now(), 0
			sources := make([]*origin, 4)
			for i := range sources {
				sources[i] = &origin{}
			}
			var mu sync.Mutex
			var wrong error
			var work sync.WaitGroup
			for _, c := range clients {
				time.Sleep(c.pause)
				work.Go(func() {
					ctx, end := context.WithTimeout(t.Context(), c.after)
					defer end()
					if b.wait(ctx, sources[c.source]) != nil {
						return
					}
					mu.Lock()
					defer mu.Unlock()
					if c.back {
						b.giveBack(sources[c.source])
						return
					}
					signed++
					if most := float64(max(perSec/10, 1)) + time.Since(begun).Seconds()*float64(perSec) + 1e-6; float64(signed) > most {
						wrong = fmt.Errorf("%d signatures after %v", signed, time.Since(begun))
					}
				})
			}
			work.Wait()
			require.NoError(t, wrong)
			requireNobodyWaits(t, b, sources...)
			require.NoError(t, b.wait(t.Context(), sources[0]), "it still gives turns")
		})
	})
}

func requireNobodyWaits(t *testing.T, b *budget, sources ...*origin) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(t, b.known)
	require.Empty(t, b.strangers)
	for _, s := range sources {
		require.Empty(t, s.waiting)
	}
}
