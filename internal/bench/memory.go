package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/holdfast-go/holdfast/aead"
)

// memory are the figures in MiB.
func memory() []func() result {
	return []func() result{
		func() result {
			return result{name: "memory, sealing 1 GiB", value: sealPeak(), unit: "MiB", detail: "largest heap growth seen, default options"}
		},
		func() result {
			return result{name: "memory, opening 1 GiB", value: openPeak(), unit: "MiB", detail: "largest heap growth seen, default options"}
		},
		func() result {
			return result{name: "memory, 10 000 keys", value: manyKeys(), unit: "MiB", detail: "each sealed and opened one record"}
		},
	}
}

// gauge is a writer that samples the heap.
type gauge struct {
	w           io.Writer
	base, worst uint64
	writes      int
}

func newGauge(w io.Writer) *gauge { return &gauge{w: w, base: heap()} }

func (g *gauge) Write(p []byte) (int, error) {
	if g.writes++; g.writes%1024 == 0 {
		g.worst = max(g.worst, heap())
	}
	return g.w.Write(p)
}

func (g *gauge) mib() float64 { return float64(int64(g.worst-g.base)) / (1 << 20) }

// heap returns the bytes in use after a collection, the second of which frees what pools held.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func sealPeak() float64 {
	g := newGauge(io.Discard)
	w, err := aead.NewWriter(g, aead.NewKey(), nil, nil)
	must(err)
	_, err = w.ReadFrom(io.LimitReader(zeros{}, fileSize))
	must(err)
	must(w.Close())
	return g.mib()
}

func openPeak() float64 {
	key := aead.NewKey()
	sealed, err := aead.NewSealReader(io.LimitReader(zeros{}, fileSize), key, nil, nil)
	must(err)
	g := newGauge(io.Discard)
	r, err := aead.NewReader(sealed, key, nil, nil)
	must(err)
	_, err = r.WriteTo(g)
	must(err)
	return g.mib()
}

func manyKeys() float64 {
	const count = 10_000
	base := heap()
	keys := make([]*aead.Key, count)
	for i := range keys {
		keys[i] = aead.NewKey()
		open(keys[i], nil, keys[i].Seal(nil, []byte("x"), nil), nil)
	}
	grown := heap() - base
	runtime.KeepAlive(keys)
	return float64(grown) / (1 << 20)
}

// printSegments prints, for each candidate, throughput on one core and on all, and the cost of a random
// read of 4 KiB.
func printSegments() {
	fmt.Printf("| segment | overhead | seal, one core | open, one core | seal, %[1]d cores | open, %[1]d cores | ReadAt 4 KiB |\n|--:|--:|--:|--:|--:|--:|--:|\n", runtime.GOMAXPROCS(0))
	all := runtime.GOMAXPROCS(0)
	for _, segment := range []int{16 << 10, 64 << 10, 128 << 10, 256 << 10, 1 << 20} {
		s := newStreamBench(segment)
		speed := func(f func()) string {
			times := make([]float64, turns/2)
			for i := range times {
				times[i] = perCall(f, 1)
			}
			return fmt.Sprintf("%.0f MB/s", streamSize/median(times)*1e3)
		}
		fmt.Printf("| %d KiB | %.3f %% | %s | %s | %s | %s | %s |\n", segment>>10, 100*float64(framing)/float64(segment),
			speed(s.seal(1)), speed(s.open(1)), speed(s.seal(all)), speed(s.open(all)), randomReads(segment).detail)
	}
}
