package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
)

// slow takes its time for each byte.
type slow struct{}

func (slow) Read(p []byte) (int, error) {
	time.Sleep(redraw / 4)
	return copy(p, "x"), nil
}

func TestMeter(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		m := newMeter(t.Context(), slow{}, 100, &screen)
		read(t, m, quiet-redraw)
		require.Empty(t, screen.String())
		read(t, m, 5*redraw)
		lines := strings.Count(screen.String(), "\r")
		require.GreaterOrEqual(t, lines, 4)
		require.LessOrEqual(t, lines, 5)
		m.clear()
		require.True(t, strings.HasSuffix(screen.String(), " \r"))
	})
}

func TestMeterNobodyLooks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := newMeter(t.Context(), slow{}, 100, terminal(&bytes.Buffer{}))
		read(t, m, 2*quiet)
		m.clear()
	})
}

func TestMeterEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := newMeter(ctx, strings.NewReader("text"), 4, nil)
	n, err := m.Read(make([]byte, 2))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	cancel()
	_, err = m.Read(make([]byte, 2))
	require.ErrorIs(t, err, context.Canceled)
}

func TestDigits(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1 000", 123456: "123 456", 67108864: "67 108 864"} {
		require.Equal(t, want, digits(n))
	}
}

func read(t *testing.T, r io.Reader, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		_, err := r.Read(make([]byte, 1))
		require.NoError(t, err)
	}
}
