package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

const (
	quiet  = time.Second            // shorter work shows nothing
	redraw = 200 * time.Millisecond // how often the line is drawn at most
)

// meter is a source that ends with its context and shows how far it was read.
type meter struct {
	src         io.Reader
	ended       func() error
	show        io.Writer // nil: nobody is looking
	done, total int64
	start, last time.Time
}

func newMeter(ctx context.Context, src io.Reader, total int64, show io.Writer) *meter {
	return &meter{src: src, ended: ctx.Err, show: show, total: total, start: time.Now()}
}

// terminal returns w if it is one, else nil.
func terminal(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// Read reads on, unless the context has ended.
func (m *meter) Read(p []byte) (int, error) {
	if err := m.ended(); err != nil {
		return 0, err
	}
	n, err := m.src.Read(p)
	m.done += int64(n)
	if now := time.Now(); m.show != nil && now.Sub(m.start) >= quiet && now.Sub(m.last) >= redraw {
		m.last = now
		rate := float64(m.done) / 1e6 / now.Sub(m.start).Seconds()
		fmt.Fprintf(m.show, "\r%s of %s MiB, %.0f MB/s  ", digits(m.done>>20), digits(m.total>>20), rate)
	}
	return n, err
}

// clear takes the line away.
func (m *meter) clear() {
	if !m.last.IsZero() {
		fmt.Fprintf(m.show, "\r%60s\r", "")
	}
}
