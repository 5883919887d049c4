package bubble_test

import (
	"crypto/rand"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/bubble"
)

// TestRandom: goroutines of a bubble may draw random bytes at a time.
func TestRandom(t *testing.T) {
	bubble.Test(t, func(*testing.T) {
		for range 100 {
			var drawers sync.WaitGroup
			for range 8 {
				drawers.Go(func() {
					b := make([]byte, 10_000)
					rand.Read(b)
					time.Sleep(time.Millisecond)
					rand.Read(b)
				})
			}
			drawers.Wait()
			runtime.GC() // empties the pool of generators
		}
	})
}
