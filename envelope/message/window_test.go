package message_test

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

func windowOf(t testing.TB, senders, width int) *message.Window {
	t.Helper()
	w, err := message.NewWindow(&message.WindowOptions{Senders: senders, Width: width})
	require.NoError(t, err)
	return w
}

// windowMessage is one of sender number n.
func windowMessage(n int, sequence uint64, at time.Time) message.Message {
	s := message.Sender{Name: "device", Instance: [8]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 1}}
	return message.Message{Sender: s, Sequence: sequence, Time: at}
}

// windowTakes requires that Check and Accept judge a message alike: want nil stands for one that is new.
func windowTakes(t require.TestingT, w *message.Window, m message.Message, want error) {
	require.ErrorIs(t, w.Check(m), want)
	require.Equal(t, want == nil, w.Accept(m))
	if want == nil {
		require.ErrorIs(t, w.Check(m), message.ErrReplayed)
		require.False(t, w.Accept(m))
	}
}

func TestNewWindowBounds(t *testing.T) {
	for _, o := range []*message.WindowOptions{nil, {}, {Senders: 1, Width: 64}, {Senders: 1_000_000, Width: 1 << 20}} {
		w, err := message.NewWindow(o)
		require.NoError(t, err)
		windowTakes(t, w, windowMessage(1, 1, time.Now()), nil)
	}
	for _, o := range []message.WindowOptions{
		{Senders: -1}, {Senders: 1_000_001}, {Width: -64}, {Width: 63}, {Width: 32}, {Width: 100}, {Width: 1<<20 + 64},
	} {
		_, err := message.NewWindow(&o)
		require.ErrorIs(t, err, kms.ErrInvalid, "%+v", o)
		_, err = message.ParseWindow(nil, &o)
		require.ErrorIs(t, err, kms.ErrInvalid, "%+v", o)
	}
}

func TestWindowDefaults(t *testing.T) {
	w, err := message.NewWindow(nil)
	require.NoError(t, err)
	now := time.Now()
	windowTakes(t, w, windowMessage(0, 5000, now), nil)
	windowTakes(t, w, windowMessage(0, 5000-4095, now), nil)
	windowTakes(t, w, windowMessage(0, 5000-4096, now), message.ErrTooOld)
	for i := 1; i < 10_000; i++ {
		require.True(t, w.Accept(windowMessage(i, 1, now.Add(time.Second))))
	}
	windowTakes(t, w, windowMessage(10_000, 1, now), nil) // forgets sender 0
	windowTakes(t, w, windowMessage(0, 5001, now), message.ErrTooOld)
}

func TestWindowRefusesWithoutSender(t *testing.T) {
	w := windowOf(t, 2, 64)
	now := time.Now()
	for name, c := range map[string]struct {
		w   *message.Window
		m   message.Message
		err error
	}{
		"plain form":  {w, message.Message{Sequence: 1, Time: now}, message.ErrUnstamped},
		"nil Window":  {nil, windowMessage(1, 1, now), kms.ErrInvalid},
		"long name":   {w, message.Message{Sender: message.Sender{Name: string(make([]byte, 256))}, Sequence: 1, Time: now}, kms.ErrInvalid},
		"zero Window": {&message.Window{}, windowMessage(1, 1, now), kms.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, c.w.Check(c.m), c.err)
			require.False(t, c.w.Accept(c.m))
			state, err := c.w.AppendAccepted([]byte("before"), c.m)
			require.ErrorIs(t, err, c.err)
			require.Empty(t, state)
		})
	}
	_, err := (&message.Window{}).AppendBinary(nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	longest := message.Message{Sender: message.Sender{Name: string(make([]byte, 255))}, Time: now}
	windowTakes(t, w, longest, nil)
}

func TestWindowSequences(t *testing.T) {
	type step struct {
		sequence uint64
		want     error
	}
	replayed, old := message.ErrReplayed, message.ErrTooOld
	const top = math.MaxUint64
	for name, steps := range map[string][]step{
		"in order":          {{1, nil}, {2, nil}, {3, nil}, {1, replayed}, {2, replayed}},
		"from zero":         {{0, nil}, {1, nil}, {0, replayed}},
		"overtaken":         {{70, nil}, {7, nil}, {8, nil}, {7, replayed}, {6, old}},
		"before the first":  {{10, nil}, {3, nil}, {0, nil}, {3, replayed}},
		"by one over":       {{64, nil}, {1, nil}, {65, nil}, {1, old}, {2, nil}, {66, nil}, {2, old}},
		"far ahead":         {{1, nil}, {1000, nil}, {1, old}, {936, old}, {937, nil}, {999, nil}},
		"a width ahead":     {{5, nil}, {69, nil}, {5, old}, {6, nil}, {68, nil}},
		"less than a width": {{5, nil}, {68, nil}, {5, replayed}, {6, nil}, {67, nil}},
		"across an element": {{60, nil}, {63, nil}, {64, nil}, {66, nil}, {62, nil}, {65, nil}, {61, nil}},
		"up to the last":    {{top - 64, nil}, {top, nil}, {top - 64, old}, {top - 63, nil}, {top, replayed}, {0, old}, {1, old}},
	} {
		t.Run(name, func(t *testing.T) {
			w, now := windowOf(t, 1, 64), time.Now()
			for _, s := range steps {
				windowTakes(t, w, windowMessage(1, s.sequence, now), s.want)
			}
		})
	}
}

// TestWindowSenders: name and instance tell senders apart.
func TestWindowSenders(t *testing.T) {
	w, now := windowOf(t, 4, 64), time.Now()
	for _, s := range []message.Sender{{Name: "a"}, {Name: "b"}, {Name: "a", Instance: [8]byte{7: 1}}, {Instance: [8]byte{7: 1}}} {
		windowTakes(t, w, message.Message{Sender: s, Sequence: 9, Time: now}, nil)
	}
}

// TestWindowForgets: what was accepted from a forgotten sender is refused for good, also once the sender is known again.
func TestWindowForgets(t *testing.T) {
	w, now := windowOf(t, 2, 64), time.Now()
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	windowTakes(t, w, windowMessage(1, 9, at(-90)), nil)
	windowTakes(t, w, windowMessage(1, 10, at(-50)), nil)
	windowTakes(t, w, windowMessage(2, 10, at(-300)), nil)
	windowTakes(t, w, windowMessage(1, 11, at(-60)), nil)
	windowTakes(t, w, windowMessage(3, 1, at(-300)), nil) // forgets 2
	windowTakes(t, w, windowMessage(2, 10, at(-300)), message.ErrTooOld)
	windowTakes(t, w, windowMessage(2, 11, at(-300)), message.ErrTooOld)
	windowTakes(t, w, windowMessage(4, 1, at(-299)), nil) // forgets 1, whose latest was at -50
	windowTakes(t, w, windowMessage(1, 9, at(-90)), message.ErrTooOld)
	windowTakes(t, w, windowMessage(1, 12, at(-50)), message.ErrTooOld)
	windowTakes(t, w, windowMessage(1, 13, at(-49)), nil) // known again
	windowTakes(t, w, windowMessage(1, 10, at(-50)), message.ErrTooOld)
	windowTakes(t, w, windowMessage(1, 14, at(-51)), message.ErrTooOld)
	windowTakes(t, w, windowMessage(1, 12, at(-48)), nil)
	windowTakes(t, w, windowMessage(4, 2, at(-299)), nil) // was known throughout
	windowTakes(t, w, windowMessage(3, 2, at(-299)), message.ErrTooOld)
}

// TestWindowCheckIsNoUse: who is forgotten is decided by Accept alone.
func TestWindowCheckIsNoUse(t *testing.T) {
	w, now := windowOf(t, 2, 64), time.Now()
	require.True(t, w.Accept(windowMessage(1, 1, now)))
	require.True(t, w.Accept(windowMessage(2, 1, now)))
	require.NoError(t, w.Check(windowMessage(1, 2, now)))
	require.False(t, w.Accept(windowMessage(1, 1, now)))
	require.True(t, w.Accept(windowMessage(3, 1, now)))
	windowTakes(t, w, windowMessage(2, 2, now), nil)
	windowTakes(t, w, windowMessage(1, 2, now), message.ErrTooOld)
}

// TestWindowRounds: a message is no later than itself, whatever part of a millisecond its time has.
func TestWindowRounds(t *testing.T) {
	w, at := windowOf(t, 1, 64), time.Unix(1000, 999_999)
	windowTakes(t, w, windowMessage(1, 1, at), nil)
	windowTakes(t, w, windowMessage(2, 1, at.Add(time.Millisecond)), nil)
	windowTakes(t, w, windowMessage(1, 1, at), message.ErrTooOld)
	windowTakes(t, w, windowMessage(1, 1, at.Truncate(time.Millisecond)), message.ErrTooOld)
}

func TestWindowAhead(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := windowOf(t, 1, 64)
		for _, far := range []time.Duration{5*time.Minute + time.Millisecond, 24 * time.Hour, math.MaxInt64} {
			windowTakes(t, w, windowMessage(1, 1, time.Now().Add(far)), message.ErrTooOld)
		}
		ahead := windowMessage(1, 1, time.Now().Add(5*time.Minute))
		windowTakes(t, w, ahead, nil)
		windowTakes(t, w, windowMessage(2, 1, ahead.Time), nil) // nothing was forgotten until now
		windowTakes(t, w, windowMessage(3, 1, time.Now()), message.ErrTooOld)
		time.Sleep(5*time.Minute + time.Millisecond)
		windowTakes(t, w, windowMessage(3, 1, time.Now()), nil) // a clock that goes ahead holds up nobody for longer
		windowTakes(t, w, ahead, message.ErrTooOld)
		time.Sleep(24 * time.Hour)
		windowTakes(t, w, ahead, message.ErrTooOld)
	})
}

// TestWindowAheadForgotten: what is ahead of our clock when its sender is forgotten does not become new when its time has come.
func TestWindowAheadForgotten(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := windowOf(t, 1, 64)
		ahead := windowMessage(1, 1, time.Now().Add(time.Minute))
		windowTakes(t, w, ahead, nil)
		windowTakes(t, w, windowMessage(2, 1, time.Now()), nil) // forgets 1
		for range 3 {
			windowTakes(t, w, ahead, message.ErrTooOld)
			time.Sleep(time.Minute)
		}
	})
}

// TestWindowConcurrent: of many that accept the same messages one gets true for each.
func TestWindowConcurrent(t *testing.T) {
	const workers, messages = 8, 2000
	w, now := windowOf(t, 2, 4096), time.Now()
	var accepted [messages]atomic.Int32
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := range messages {
				n := (i*7 + worker*250) % messages
				m := windowMessage(n%2, uint64(n), now)
				_ = w.Check(m)
				if w.Accept(m) {
					accepted[n].Add(1)
				}
				if i%500 == 0 {
					_, _ = w.AppendBinary(nil)
				}
			}
		})
	}
	wg.Wait()
	for n := range accepted {
		require.EqualValues(t, 1, accepted[n].Load(), "message %d", n)
	}
}

// TestWindowMemory holds the default Window to what its documentation says, and to staying there.
func TestWindowMemory(t *testing.T) {
	const senders, perSender = 10_000, 4096/8 + 500
	accepts := 1_000_000
	if testing.Short() {
		accepts = 50_000
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	w, err := message.NewWindow(nil)
	require.NoError(t, err)
	now := time.Now()
	for i := range senders {
		require.True(t, w.Accept(windowMessage(i, 1, now)))
	}
	full := heap() - before
	t.Logf("%d bytes a sender", full/senders)
	require.Less(t, full, int64(senders*perSender))
	for i := range accepts { // half of them of senders that come and go
		m := windowMessage(i%(senders/2), uint64(i)+2, now)
		if i%2 == 1 {
			m = windowMessage(senders+i, 1, now.Add(time.Millisecond*time.Duration(i/10_000+1)))
		}
		if !w.Accept(m) {
			require.NoError(t, w.Check(m))
		}
	}
	grown := heap() - before - full
	t.Logf("%d bytes more after %d more messages", grown, accepts)
	require.Less(t, full+grown, int64(senders*perSender))
	runtime.KeepAlive(w)
}

func TestWindowDoesNotAllocate(t *testing.T) {
	w, now := windowOf(t, 1, 4096), time.Now()
	var sequence uint64
	require.Zero(t, testing.AllocsPerRun(100, func() {
		sequence++
		m := windowMessage(1, sequence, now)
		if w.Check(m) != nil || !w.Accept(m) {
			t.Fatal("refused")
		}
	}))
}

func BenchmarkWindow(b *testing.B) {
	for _, senders := range []int{1, 1000} {
		b.Run(fmt.Sprintf("op=check+accept/senders=%d", senders), func(b *testing.B) {
			w, now := windowOf(b, 10_000, 4096), time.Now()
			b.ReportAllocs()
			var sequence uint64
			for b.Loop() {
				sequence++
				m := windowMessage(int(sequence%uint64(senders)), sequence, now)
				if w.Check(m) != nil || !w.Accept(m) {
					b.Fatal("refused")
				}
			}
		})
	}
}
