package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/bubble"
)

// TestStreamOptionsFirst: options out of bounds are found before the KMS is called and anything is read or written.
func TestStreamOptionsFirst(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, nil)
	bad := &aead.StreamOptions{SegmentSize: 1}
	touched := iotest.ErrReader(errors.New("touched"))
	var sink bytes.Buffer
	_, err := s.NewWriter(t.Context(), &sink, nil, bad)
	require.ErrorContains(t, err, "SegmentSize")
	_, err = s.NewSealReader(t.Context(), touched, nil, bad)
	require.ErrorContains(t, err, "SegmentSize")
	_, err = s.NewReader(t.Context(), touched, nil, bad)
	require.ErrorContains(t, err, "SegmentSize")
	_, err = s.NewReaderAt(t.Context(), bytes.NewReader(nil), 0, nil, bad)
	require.ErrorContains(t, err, "SegmentSize")
	require.Zero(t, sink.Len())
	require.Zero(t, f.calls())
}

// TestHeaderSourceFails: a source's own io.ErrUnexpectedEOF is a failure of the source, and one that reads nothing does not hang.
func TestHeaderSourceFails(t *testing.T) {
	s := newSealer(t, newFake("k"), nil)
	message := seal(t, s, nil, nil)
	_, err := s.NewReader(t.Context(), io.MultiReader(bytes.NewReader(message[:50]), iotest.ErrReader(io.ErrUnexpectedEOF)), nil, nil)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NotErrorIs(t, err, ErrTruncated)
	_, err = s.NewReader(t.Context(), idle{}, nil, nil)
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// idle reads nothing, for ever.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// TestReuseForgets: a key that nobody comes for again is cleared when its age is over.
func TestReuseForgets(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		r, err := newReuse(Limits{10, 1000, time.Minute})
		require.NoError(t, err)
		s := newSealer(t, newFake("k"), nil)
		s.reuse = r.take
		seal(t, s, nil, nil)
		e := r.entry(string([]byte{0, 0}))
		kept := func() (key [32]byte) {
			e.turn <- struct{}{}
			defer func() { <-e.turn }()
			return e.key.key
		}
		require.NotZero(t, kept())
		time.Sleep(59 * time.Second)
		require.NotZero(t, kept())
		time.Sleep(time.Second)
		synctest.Wait()
		require.Zero(t, kept())
		r.mu.Lock()
		defer r.mu.Unlock()
		require.Empty(t, r.keys)
	})
}

// TestReuseStopsItsTimers: a key that was replaced leaves no timer, which would hold it for the rest of its age.
func TestReuseStopsItsTimers(t *testing.T) {
	r, err := newReuse(Limits{1, 1000, time.Hour})
	require.NoError(t, err)
	s := newSealer(t, newFake("k"), nil)
	s.reuse = r.take
	seal(t, s, nil, nil)
	e := r.entry(string([]byte{0, 0}))
	first := e.expiry
	seal(t, s, nil, nil)
	require.NotSame(t, first, e.expiry)
	require.False(t, first.Stop(), "the timer of the first key still runs")
	require.True(t, e.expiry.Stop())
}

// TestSealerPrints: nothing that a Sealer holds shows, also not in what a failing assertion dumps.
func TestSealerPrints(t *testing.T) {
	r, err := newReuse(Limits{10, 1000, time.Minute})
	require.NoError(t, err)
	s := newSealer(t, newFake("k"), nil)
	s.reuse = r.take
	seal(t, s, nil, nil)
	var key [32]byte
	for _, e := range r.keys {
		key = e.key.key
	}
	require.NotZero(t, key)
	recorder := &failures{}
	assert.Equal(recorder, s, newSealer(t, newFake("l"), nil))
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %x", s, s, s, s, s), recorder.String()} {
		require.NotEmpty(t, text)
		require.NotContains(t, text, fmt.Sprintf("%x", key[:8]))
		require.NotContains(t, text, fmt.Sprintf("%d, %d, %d", key[0], key[1], key[2]))
		require.NotContains(t, text, fmt.Sprintf("%02x %02x %02x %02x", key[0], key[1], key[2], key[3]))
		require.NotContains(t, text, fmt.Sprintf("%d %d %d", key[0], key[1], key[2]))
	}
	require.Contains(t, fmt.Sprint(s), "fake:k")
}

// failures keeps what an assertion prints.
type failures struct{ bytes.Buffer }

func (f *failures) Errorf(format string, args ...any) { fmt.Fprintf(f, format, args...) }
