package record

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
)

// panics returns what f panics with, as text, and "" when it does not.
func panics(f func()) (message string) {
	defer func() {
		if r := recover(); r != nil {
			message = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

// pattern returns n bytes that differ.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

// used returns a key that keeps subkeys for sealing and for opening.
func used(t *testing.T) Key {
	bytes := (*[KeySize]byte)(pattern(KeySize))
	k := New(bytes)
	for range 5 {
		_, err := k.Open(nil, New(bytes).Seal(nil, []byte("x"), nil), nil)
		require.NoError(t, err)
	}
	k.Seal(nil, nil, nil)
	return k
}

func TestDestroyClears(t *testing.T) {
	k := used(t)
	s := k.get()
	require.NotZero(t, s.bytes)
	require.NotZero(t, queued(k))
	k.Destroy()
	require.Zero(t, s.bytes)
	require.Nil(t, s.xaes.Load())
	require.Zero(t, queued(k))
	for i := range s.lanes {
		require.Nil(t, s.lanes[i].sealing.p.Load())
	}
}

func TestDestroyWaitsForUsesInFlight(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		k := New((*[KeySize]byte)(pattern(KeySize)))
		s := k.get()
		_, done := k.Use()
		var destroyed atomic.Int32
		for range 2 {
			go func() {
				k.Destroy()
				destroyed.Add(1)
			}()
		}
		time.Sleep(time.Second)
		require.Zero(t, destroyed.Load())
		require.Equal(t, pattern(KeySize), s.bytes[:])
		require.NotEmpty(t, panics(func() { k.Seal(nil, nil, nil) }), "new uses must be refused meanwhile")
		done()
		time.Sleep(time.Second)
		require.EqualValues(t, 2, destroyed.Load())
		require.Zero(t, s.bytes)
	})
}

// TestDestroyWaitsForSeal destroys while a big record is being sealed.
func TestDestroyWaitsForSeal(t *testing.T) {
	b, done := newKey().Use()
	defer done()
	k, same := New(b), New(b)
	plaintext := pattern(32 << 20)
	started, sealed := make(chan struct{}), make(chan []byte)
	go func() {
		close(started)
		var b []byte
		panics(func() { b = k.Seal(nil, plaintext, nil) })
		sealed <- b
	}()
	<-started
	for i := 0; i < 1000 && !busy(k); i++ {
		time.Sleep(100 * time.Microsecond)
	}
	k.Destroy()
	if b := <-sealed; b != nil {
		got, err := same.Open(nil, b, nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, got))
	}
}

func busy(k Key) bool {
	s := k.get()
	for i := range s.lanes {
		if s.lanes[i].busy() {
			return true
		}
	}
	return false
}

// TestBoundMeetsDestroy lets calls that do not panic meet a Destroy: the key is there for all of a call, or for none.
func TestBoundMeetsDestroy(t *testing.T) {
	header := []byte("header")
	for range 200 {
		b := (*[KeySize]byte)(pattern(KeySize))
		k, same := New(b), New(b)
		known, ok := same.SealBound(nil, header, []byte("known"), "binding")
		require.True(t, ok)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for {
					sealed, ok := k.SealBound(nil, header, []byte("x"), "binding")
					if !ok {
						return
					}
					got, err, _ := same.OpenBound(nil, header, sealed[len(header):], "binding")
					if err != nil || string(got) != "x" {
						t.Error(got, err)
						return
					}
				}
			})
			wg.Go(func() {
				for {
					got, err, ok := k.OpenBound(nil, header, known[len(header):], "binding")
					if !ok {
						return
					}
					if err != nil || string(got) != "known" {
						t.Error(got, err)
						return
					}
				}
			})
		}
		wg.Go(k.Destroy)
		wg.Wait()
		_, _, ok = k.TryUse()
		require.False(t, ok)
	}
}

// TestBound: additional data are header and binding, and the record follows the header, wherever dst lies.
func TestBound(t *testing.T) {
	k := newKey()
	header := []byte("seventeen bytes..")
	for _, n := range []int{0, 1, 16, 17, 18, 100, 1000} {
		for offset := range 30 {
			buf := make([]byte, 2000)
			plaintext := buf[100:][:n]
			copy(plaintext, pattern(n))
			sealed, ok := k.SealBound(buf[70+offset:70+offset], header, plaintext, "binding")
			require.True(t, ok)
			require.Equal(t, header, sealed[:len(header)])
			got, err := k.Open(nil, sealed[len(header):], append(bytes.Clone(header), "binding"...))
			require.NoError(t, err)
			require.True(t, bytes.Equal(pattern(n), got), "%d bytes at %d", n, offset)
			got, err, ok = k.OpenBound(nil, header, sealed[len(header):], "binding")
			require.NoError(t, err)
			require.True(t, ok)
			require.True(t, bytes.Equal(pattern(n), got))
			_, err, _ = k.OpenBound(nil, header, sealed[len(header):], "bindinG")
			require.ErrorIs(t, err, ErrOpen)
		}
	}
}
