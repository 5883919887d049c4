package main

import (
	"fmt"
	"runtime"
	"slices"
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

// both runs f on two cores at once and returns the time of a call seen from outside,
// with its ratio to the same on one.
func both(name string, f func() func()) result {
	one := f()
	n := calibrate(one)
	workers := []func(){f(), f()}
	var ratios []float64
	for range turns {
		alone := perCall(one, n)
		done := make(chan struct{})
		start := time.Now()
		for _, w := range workers {
			go func() {
				for range n {
					w()
				}
				done <- struct{}{}
			}()
		}
		<-done
		<-done
		ratios = append(ratios, float64(time.Since(start))/float64(2*n)/alone)
	}
	m := median(ratios)
	return result{name: name, value: m, unit: "x", detail: fmt.Sprintf("%.2f times the throughput of one core, GOMAXPROCS %d", 1/m, runtime.GOMAXPROCS(0))}
}
