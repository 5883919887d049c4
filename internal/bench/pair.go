package main

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	slice = 5 * time.Millisecond
	turns = 60
)

// pair runs subject and primitive in turn and returns the median of the ratios of their times.
func pair(name string, subject, primitive func()) result {
	n, m := calibrate(subject), calibrate(primitive)
	var ratios, a, b []float64
	for range turns {
		x := perCall(subject, n)
		y := perCall(primitive, m)
		ratios, a, b = append(ratios, x/y), append(a, x), append(b, y)
	}
	return result{
		name: name, value: median(ratios), unit: "x",
		detail: fmt.Sprintf("%s against %s, %s allocations", nanos(median(a)), nanos(median(b)), allocs(subject)),
	}
}

// calibrate returns how many calls fill a slice.
func calibrate(f func()) int {
	for n := 1; ; n *= 2 {
		start := time.Now()
		for range n {
			f()
		}
		if d := time.Since(start); d >= slice/2 {
			return max(1, int(float64(n)*float64(slice)/float64(d)))
		}
	}
}

func perCall(f func(), n int) float64 {
	start := time.Now()
	for range n {
		f()
	}
	return float64(time.Since(start)) / float64(n)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func nanos(ns float64) string {
	if ns < 10e3 {
		return fmt.Sprintf("%.0f ns", ns)
	}
	return fmt.Sprintf("%.0f µs", ns/1e3)
}

func allocs(f func()) string { return fmt.Sprintf("%.0f", testing.AllocsPerRun(3, f)) }

// onTwo returns the time of a call when two cores make n each, as a share of the time of a call when one does.
func onTwo(one, other func(), n int) float64 {
	alone := perCall(one, n)
	var wg sync.WaitGroup
	start := time.Now()
	for _, f := range []func(){one, other} {
		wg.Go(func() {
			for range n {
				f()
			}
		})
	}
	wg.Wait()
	return float64(time.Since(start)) / float64(2*n) / alone
}

// both tells how subject gains from a second core. Each function returns a call for one goroutine. Where the
// primitive, which shares nothing, gains less than twice, the machine lacks that much of a core, and the
// figure leaves it out: 0.5 is a full second core.
func both(name string, subject, primitive func() func()) result {
	a, b, x, y := subject(), subject(), primitive(), primitive()
	n, m := calibrate(a), calibrate(x)
	var shares, raw, corrected []float64
	for range turns {
		s, r := onTwo(a, b, n), onTwo(x, y, m)
		shares, raw, corrected = append(shares, s), append(raw, r), append(corrected, s/(2*r))
	}
	return result{
		name: name, value: median(corrected), unit: "x",
		detail: fmt.Sprintf("%.2f times the throughput of one core; the primitive %.2f", 1/median(shares), 1/median(raw)),
	}
}
