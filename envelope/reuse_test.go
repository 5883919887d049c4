package envelope

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
	"github.com/holdfast-go/holdfast/kms"
)

// keyOf tells the data keys of messages apart, by the blob in the header.
func keyOf(t testing.TB, message []byte) string {
	t.Helper()
	info, err := Inspect(message)
	require.NoError(t, err)
	return string(info.Wrapped[0].Blob)
}

// keysOf seals messages of these sizes and numbers their data keys in order of appearance.
func keysOf(t testing.TB, s *Sealer, sizes ...int) (numbers []int) {
	t.Helper()
	seen := map[string]int{}
	for _, size := range sizes {
		message := seal(t, s, pattern(size), nil)
		requireOpens(t, s, message, pattern(size), nil)
		key := keyOf(t, message)
		if _, ok := seen[key]; !ok {
			seen[key] = len(seen)
		}
		numbers = append(numbers, seen[key])
	}
	return numbers
}

func TestReuseLimits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limits Limits
		sizes  []int
		keys   []int
	}{
		{"messages", Limits{3, 1000, time.Hour}, []int{1, 1, 1, 1, 1, 1, 1}, []int{0, 0, 0, 1, 1, 1, 2}},
		{"one message", Limits{1, 1000, time.Hour}, []int{1, 1, 1}, []int{0, 1, 2}},
		{"bytes", Limits{100, 100, time.Hour}, []int{60, 40, 1, 99, 0, 1}, []int{0, 0, 1, 1, 1, 2}},
		{"bytes left over", Limits{100, 100, time.Hour}, []int{60, 41, 59, 1}, []int{0, 1, 1, 2}},
		{"empty messages", Limits{2, 1, time.Hour}, []int{0, 0, 0}, []int{0, 0, 1}},
		{"larger than all", Limits{100, 100, time.Hour}, []int{10, 101, 10, 5000, 80}, []int{0, 1, 0, 2, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake("k")
			require.Equal(t, tc.keys, keysOf(t, newSealer(t, f, &SealerOptions{Reuse: &tc.limits}), tc.sizes...))
			calls := map[int]bool{}
			for _, key := range tc.keys {
				calls[key] = true
			}
			require.EqualValues(t, len(calls), f.wraps.Load())
		})
	}
}

func TestReuseOff(t *testing.T) {
	f := newFake("k")
	require.Equal(t, []int{0, 1, 2}, keysOf(t, newSealer(t, f, nil), 1, 1, 1))
	require.Equal(t, []int{0, 1, 2}, keysOf(t, newSealer(t, f, &SealerOptions{}), 1, 1, 1))
}

func TestReuseAge(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		f := newFake("k")
		s := newSealer(t, f, &SealerOptions{Reuse: &Limits{1000, 1000, time.Minute}})
		first := keyOf(t, seal(t, s, nil, nil))
		time.Sleep(time.Minute - 1)
		require.Equal(t, first, keyOf(t, seal(t, s, nil, nil)))
		time.Sleep(time.Nanosecond)
		second := keyOf(t, seal(t, s, nil, nil))
		require.NotEqual(t, first, second)
		time.Sleep(time.Minute - 1)
		require.Equal(t, second, keyOf(t, seal(t, s, nil, nil)), "age counts from the new key")
		require.EqualValues(t, 2, f.wraps.Load())
	})
}

func TestReuseByContext(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, &SealerOptions{Reuse: &Limits{1000, 1000, time.Hour}})
	contexts := []kms.Context{nil, {"a": "b"}, {"a": "c"}, {"ab": ""}, {"a": "b", "c": ""}}
	seen := map[string]int{}
	for range 3 {
		for i, ec := range contexts {
			key := keyOf(t, seal(t, s, []byte("x"), ec))
			n, ok := seen[key]
			require.True(t, !ok || n == i, "two contexts share a key")
			seen[key] = i
		}
	}
	require.Len(t, seen, len(contexts))
	require.Equal(t, keyOf(t, seal(t, s, nil, nil)), keyOf(t, seal(t, s, nil, kms.Context{})), "nil is empty")
	require.EqualValues(t, len(contexts), f.wraps.Load())
}

// TestReuseNotByStreams makes streams of a Sealer with reuse: each has its own key, and none of Seal's.
func TestReuseNotByStreams(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, &SealerOptions{Reuse: &Limits{1000, 1000, time.Hour}})
	seen := map[string]bool{}
	for _, w := range writers {
		for range 2 {
			message, err := w.seal(s, []byte("x"), nil)
			require.NoError(t, err)
			seen[keyOf(t, message)] = true
		}
	}
	require.Len(t, seen, 1+2*(len(writers)-1))
}

// TestReuseStreamIV holds messages of one data key to streams of their own.
func TestReuseStreamIV(t *testing.T) {
	s := newSealer(t, newFake("k"), &SealerOptions{Reuse: &Limits{1000, 1000, time.Hour}})
	ivs := map[string]bool{}
	for range 100 {
		message := seal(t, s, nil, nil)
		size, err := HeaderSize(message)
		require.NoError(t, err)
		ivs[string(message[size+10:size+42])] = true
	}
	require.Len(t, ivs, 100)
}

func TestReuseStart(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		f := newFake("k")
		f.before = func(context.Context, string) error { time.Sleep(time.Second); return nil }
		s := newSealer(t, f, &SealerOptions{Reuse: &Limits{1000, 1000, time.Hour}})
		start := time.Now()
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if _, err := s.Seal(t.Context(), []byte("x"), nil); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 1, f.wraps.Load())
		require.Equal(t, time.Second, time.Since(start))
	})
}

// TestReuseOneContextWaits has a KMS that is silent for one context: another context does not wait for it.
func TestReuseOneContextWaits(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		f := newFake("k")
		slow := true
		f.before = func(context.Context, string) error {
			if slow {
				slow = false
				time.Sleep(5 * time.Second)
			}
			return nil
		}
		s := newSealer(t, f, &SealerOptions{Reuse: &Limits{1000, 1000, time.Hour}})
		done := make(chan error)
		go func() {
			_, err := s.Seal(t.Context(), nil, kms.Context{"n": "slow"})
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		seal(t, s, nil, kms.Context{"n": "fast"})
		require.Zero(t, time.Since(start))
		require.NoError(t, <-done)
	})
}

func TestReuseWaiterGivesUp(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		f := newFake("k")
		f.before = func(context.Context, string) error { time.Sleep(5 * time.Second); return nil }
		s := newSealer(t, f, &SealerOptions{Reuse: &Limits{1000, 1000, time.Hour}})
		done := make(chan error)
		go func() {
			_, err := s.Seal(t.Context(), nil, nil)
			done <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		message, err := s.Seal(ctx, nil, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Nil(t, message)
		require.Equal(t, time.Second, time.Since(start))
		require.NoError(t, <-done)
		require.EqualValues(t, 1, f.wraps.Load())
		seal(t, s, nil, nil)
		require.EqualValues(t, 1, f.wraps.Load(), "the key of the one that waited is kept")
	})
}

// TestReuseFailure has a wrap fail: the next message asks again, and a key that was there is not used past its limits.
func TestReuseFailure(t *testing.T) {
	f := newFake("k")
	down := errors.New("down")
	var failure error = down
	f.before = func(context.Context, string) error { return failure }
	s := newSealer(t, f, &SealerOptions{Reuse: &Limits{2, 1000, time.Hour}})
	for range 2 {
		_, err := s.Seal(t.Context(), nil, nil)
		require.ErrorIs(t, err, kms.ErrUnavailable)
	}
	require.EqualValues(t, 2, f.wraps.Load())
	failure = nil
	seal(t, s, nil, nil)
	failure = down
	seal(t, s, nil, nil)
	_, err := s.Seal(t.Context(), nil, nil)
	require.ErrorIs(t, err, kms.ErrUnavailable, "a third message under a key for two")
	_, err = s.Seal(t.Context(), nil, nil)
	require.ErrorIs(t, err, kms.ErrUnavailable)
}

func TestReuseBounded(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, nil)
	r, err := newReuse(Limits{1000, 1000, time.Hour})
	require.NoError(t, err)
	s.reuse = r.take
	held := map[*reused]bool{}
	for i := range maxReused + 100 {
		seal(t, s, nil, kms.Context{"n": fmt.Sprint(i)})
		require.LessOrEqual(t, len(r.keys), maxReused)
		for _, e := range r.keys {
			held[e] = true
		}
	}
	require.Len(t, r.keys, maxReused)
	left := 0
	for e := range held {
		if e.key.key != [32]byte{} {
			left++
		}
	}
	require.Equal(t, maxReused, left, "a key that was put out is not cleared")
	last := kms.Context{"n": fmt.Sprint(maxReused + 99)}
	f.wraps.Store(0)
	seal(t, s, nil, last)
	require.Zero(t, f.wraps.Load(), "the newest context was put out")
}

// TestReuseModel compares the calls to the KMS with what the limits say.
func TestReuseModel(t *testing.T) {
	type state struct {
		messages int
		bytes    int64
		born     time.Time
	}
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		rapid.Check(struct{ testing.TB }{t}, func(t *rapid.T) { // without Deadline, which a bubble does not have
			limits := Limits{
				Messages: rapid.IntRange(1, 5).Draw(t, "messages"),
				Bytes:    rapid.Int64Range(1, 200).Draw(t, "bytes"),
				Age:      time.Duration(rapid.IntRange(1, 10).Draw(t, "age")),
			}
			f := newFake("k")
			k, err := kms.NewKey(f, nil)
			require.NoError(t, err)
			s, err := NewSealer(k, &SealerOptions{Reuse: &limits})
			require.NoError(t, err)
			model := map[string]state{}
			var calls int64
			t.Repeat(map[string]func(*rapid.T){
				"seal": func(t *rapid.T) {
					name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "context")
					size := int64(rapid.IntRange(0, 250).Draw(t, "size"))
					m, ok := model[name]
					switch {
					case size > limits.Bytes:
						calls++
					case !ok || m.messages == limits.Messages || m.bytes+size > limits.Bytes || !time.Now().Before(m.born.Add(limits.Age)):
						calls++
						model[name] = state{1, size, time.Now()}
					default:
						model[name] = state{m.messages + 1, m.bytes + size, m.born}
					}
					_, err := s.Seal(context.Background(), pattern(int(size)), kms.Context{"n": name})
					require.NoError(t, err)
				},
				"sleep": func(t *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(0, 4).Draw(t, "ns"))) },
				"":      func(t *rapid.T) { require.Equal(t, calls, f.wraps.Load()) },
			})
		})
	})
}
