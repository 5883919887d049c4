package tlsconfig

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
)

// What differs has different digests, also where all bytes in a row are the same.
func TestPollDigest(t *testing.T) {
	digests := map[[32]byte]string{}
	for name, digest := range map[string][32]byte{
		"ab and c":       digestContents([][]byte{[]byte("ab"), []byte("c")}, nil),
		"a and bc":       digestContents([][]byte{[]byte("a"), []byte("bc")}, nil),
		"abc":            digestContents([][]byte{[]byte("abc")}, nil),
		"abc as error":   digestContents(nil, errors.New("abc")),
		"abcd as error":  digestContents(nil, errors.New("abcd")),
		"empty":          digestContents([][]byte{nil}, nil),
		"empty, twice":   digestContents([][]byte{nil, nil}, nil),
		"empty as error": digestContents(nil, errors.New("")),
	} {
		require.Empty(t, digests[digest], name)
		digests[digest] = name
	}
}

func TestPollEvery(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{
		90 * 24 * time.Hour:        30 * time.Second,
		300000 * time.Second:       30 * time.Second,
		100000 * time.Second:       10 * time.Second,
		5000 * time.Second:         500 * time.Millisecond,
		time.Hour:                  500 * time.Millisecond,
		0:                          500 * time.Millisecond,
		-365 * 24 * time.Hour:      500 * time.Millisecond,
		100 * 365 * 24 * time.Hour: 30 * time.Second,
	} {
		require.Equal(t, want, pollEvery(left), left)
	}
	for range 1000 {
		require.InDelta(t, 28500*time.Millisecond, jitter(30*time.Second), float64(1500*time.Millisecond))
		require.Equal(t, pollMin, jitter(pollMin))
		require.Equal(t, pollMin, jitter(-time.Hour))
	}
}

// Two hold it, and it looks as often as for one; with none it does not look.
func TestPollerHolders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	bubble.Test(t, func(t *testing.T) {
		p := newPoller([]string{path})
		var looks atomic.Int32
		every := func() time.Duration {
			looks.Add(1)
			return pollMin
		}
		var ends [2]func()
		for i := range ends {
			ctx, cancel := context.WithCancel(t.Context())
			ends[i] = cancel
			p.hold(ctx, every)
		}
		count := func() int32 {
			before := looks.Load()
			time.Sleep(10 * pollMin)
			synctest.Wait()
			return looks.Load() - before
		}
		time.Sleep(pollMin / 2)
		require.Equal(t, int32(10), count())
		ends[0]()
		require.Equal(t, int32(10), count())
		ends[1]()
		synctest.Wait()
		require.Zero(t, count())
	})
}
