package kms_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// weather is how a provider is. It answers what it must at once, but for fair.
type weather int

const (
	fair     weather = iota // answers after its latency
	failing                 // says that it is unavailable
	throttle                // and asks for a pause of a second
	hanging                 // until the context is done
	deaf                    // hangs until the weather changes, and then answers
	slow                    // answers after two seconds
	refusing
	flapping  // fails one tenth of a second, and works the next
	lastWords // hangs, and says that it is throttling when the context is done
	weathers
)

// climate is what a provider does in its time.
type climate struct {
	latency, slot time.Duration
	slots         []weather // the last one stays
	start         time.Time
	mu            sync.Mutex
	began         []time.Duration // when calls came to the driver, since start
}

func (c *climate) now() (weather, int) {
	i := min(int(time.Since(c.start)/c.slot), len(c.slots)-1)
	return c.slots[i], i
}

func (c *climate) act(ctx context.Context, _ int) error {
	c.mu.Lock()
	c.began = append(c.began, time.Since(c.start))
	c.mu.Unlock()
	wait := func(d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w, slot := c.now()
	switch w {
	case failing:
		return kms.ErrUnavailable
	case throttle:
		return throttled(time.Second)
	case hanging:
		return wait(time.Hour)
	case deaf:
		time.Sleep(time.Until(c.start.Add(time.Duration(slot+1) * c.slot)))
		return nil
	case slow:
		return wait(2 * time.Second)
	case refusing:
		return kms.ErrAccessDenied
	case flapping:
		if time.Since(c.start)/(100*time.Millisecond)%2 == 0 {
			return kms.ErrUnavailable
		}
	case lastWords:
		<-ctx.Done()
		return kms.ErrThrottled
	}
	return wait(c.latency)
}

// tally is what became of many calls.
type tally struct {
	mu    sync.Mutex
	wrong map[string]int // what must not be, and how often
	seen  map[string]int // by class
	last  time.Duration  // when the last call began that failed of a patient caller
}

// count takes in a call; patient tells whether its caller sets it no limit.
func (y *tally) count(began time.Duration, patient bool, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.seen[kms.Class(err)]++
	if err == nil {
		return
	}
	if patient {
		y.last = max(y.last, began)
	}
	n := 0
	for _, c := range classes {
		if errors.Is(err, c) {
			n++
		}
	}
	gone := errors.Is(err, context.Canceled) || n == 0 && errors.Is(err, context.DeadlineExceeded)
	if n > 1 || gone != (n == 0) {
		y.wrong[fmt.Sprintf("not of one class: %v", err)]++
	}
}

func (y *tally) refute(format string, args ...any) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.wrong[fmt.Sprintf(format, args...)]++
}

// TestTenMinutesOfOutage: many callers, some of whom leave early, while the provider does all that providers do.
func TestTenMinutesOfOutage(t *testing.T) {
	const (
		callers, concurrency, slot = 60, 2, 5 * time.Second
		timeout, breakFor          = 3 * time.Second, 2 * time.Second
		end                        = 10 * time.Minute
		runtimes                   = 10 // goroutines of the runtime, which come and go. The bubble waits for all others to end
	)
	bubble.Test(t, func(t *testing.T) {
		dice := rand.New(rand.NewPCG(1, 2))
		c := &climate{latency: 2 * time.Millisecond, slot: slot, start: time.Now()}
		for len(c.slots) < int(end/slot)-4 {
			c.slots = append(c.slots, weather(dice.IntN(int(weathers))))
		}
		c.slots = append(c.slots, failing, fair)
		recovered := time.Duration(len(c.slots)-1) * slot
		a := newActor(c.act)
		k := keyWith(t, a, &kms.Options{Timeout: timeout, Concurrency: concurrency, BreakAfter: 5, BreakFor: breakFor})
		before := runtime.NumGoroutine()
		y := &tally{wrong: map[string]int{}, seen: map[string]int{}}
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				v := visitor{k: k, y: y, c: c, dice: rand.New(rand.NewPCG(uint64(i), 3)), bound: timeout + grace}
				v.ec = kms.Context{"caller": fmt.Sprint(i)}
				for n := 0; time.Since(c.start) < end; n++ {
					time.Sleep(time.Duration(200+v.dice.IntN(1000)) * time.Millisecond)
					v.visit(t.Context(), fmt.Sprintf("secret %d of %d", n, i))
				}
			})
		}
		for time.Since(c.start) < end {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			require.LessOrEqual(t, runtime.NumGoroutine(), before+callers+concurrency+runtimes, "after %v", time.Since(c.start))
		}
		all.Wait()
		require.Empty(t, y.wrong)
		require.LessOrEqual(t, a.most.Load(), int64(concurrency))
		require.Less(t, y.last, recovered+breakFor+time.Second, "a second for the probe to come and go")
		require.Equal(t, kms.HealthUsable, k.Status().Health)
		require.NoError(t, k.Close())
		require.Len(t, y.seen, 5, "%v", y.seen)
		for _, class := range []string{"ok", "canceled", "unavailable", "throttled", "access_denied"} {
			require.Greater(t, y.seen[class], 100, class)
		}
	})
}

// visitor is a caller who wraps and unwraps.
type visitor struct {
	k     *kms.Key
	y     *tally
	c     *climate
	dice  *rand.Rand
	ec    kms.Context
	bound time.Duration // of a call
	kept  kms.Wrapped
	plain string
}

// visit wraps a new secret, or unwraps the last one.
func (v *visitor) visit(ctx context.Context, secret string) {
	leave, start := time.Duration(v.dice.IntN(2000))*time.Millisecond, time.Now()
	limit := v.dice.IntN(6)
	switch limit {
	case 0:
		cancelled, cancel := context.WithCancel(ctx)
		defer time.AfterFunc(leave, cancel).Stop()
		defer cancel()
		ctx = cancelled
	case 1:
		timed, cancel := context.WithTimeout(ctx, leave)
		defer cancel()
		ctx = timed
	}
	var err error
	if v.plain == "" || v.dice.IntN(3) == 0 {
		b := []byte(secret)
		var w kms.Wrapped
		w, err = v.k.Wrap(ctx, b, v.ec)
		clear(b)
		if err == nil {
			v.kept, v.plain = w, secret
		}
	} else {
		var got []byte
		got, err = v.k.Unwrap(ctx, v.kept, v.ec)
		if err == nil && string(got) != v.plain {
			v.y.refute("a wrong plaintext of %d bytes", len(got))
		}
		if err != nil && got != nil {
			v.y.refute("bytes with an error")
		}
		clear(got)
	}
	if s := v.k.Status(); (s.Health > kms.HealthUsable) != (s.Err != nil) {
		v.y.refute("status %v with the error %v", s.Health, s.Err)
	}
	if took := time.Since(start); took > v.bound {
		v.y.refute("a call took %v", took)
	}
	v.y.count(start.Sub(v.c.start), limit > 1, err)
}
