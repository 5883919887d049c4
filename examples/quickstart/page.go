package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// page sets the walk's text: numbered sections of aligned rows.
type page struct {
	out     io.Writer
	section int
}

func (p *page) title(format string, args ...any) {
	p.section++
	fmt.Fprintf(p.out, "\n%d. %s\n\n", p.section, fmt.Sprintf(format, args...))
}

func (p *page) row(label, format string, args ...any) {
	fmt.Fprintln(p.out, strings.TrimRight(fmt.Sprintf("   %-25s  %s", label, fmt.Sprintf(format, args...)), " "))
}

// digits sets n in groups of three.
func digits[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

// short says how long something took.
func short(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f ms", 1000*d.Seconds())
}

// head is the start of b in hex.
func head(b []byte, n int) string {
	if len(b) <= n {
		return fmt.Sprintf("% x", b)
	}
	return fmt.Sprintf("% x ..", b[:n])
}
