package envelope

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// TestSourceFails has a source that fails within the header: its error stays visible.
func TestSourceFails(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, nil)
	message := seal(t, s, []byte("plaintext"), nil)
	size, err := HeaderSize(message)
	require.NoError(t, err)
	f.wraps.Store(0)
	errSource := errors.New("source failed")
	for n := range size {
		_, err := s.NewReader(t.Context(), io.MultiReader(bytes.NewReader(message[:n]), iotest.ErrReader(errSource)), nil, nil)
		require.ErrorIs(t, err, errSource, n)
		require.NotErrorIs(t, err, ErrTruncated, n)
	}
	require.Zero(t, f.calls())
	_, err = s.NewReader(t.Context(), io.MultiReader(bytes.NewReader(message[:size+10]), iotest.ErrReader(errSource)), nil, nil)
	require.ErrorIs(t, err, errSource)
	r, err := s.NewReader(t.Context(), iotest.OneByteReader(bytes.NewReader(message)), nil, nil)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "plaintext", string(got))
}

// TestSinkFails has the place where a message goes fail within the header, or take less than it is given.
func TestSinkFails(t *testing.T) {
	s := newSealer(t, newFake("k"), nil)
	errSink := errors.New("sink failed")
	_, err := s.NewWriter(t.Context(), writerFunc(func([]byte) (int, error) { return 0, errSink }), nil, nil)
	require.ErrorIs(t, err, errSink)
	short := 1 // the first write only
	_, err = s.NewWriter(t.Context(), writerFunc(func(p []byte) (int, error) {
		defer func() { short = 0 }()
		return len(p) - short, nil
	}), nil, nil)
	require.ErrorIs(t, err, io.ErrShortWrite)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestReaderAtSourceFails does the same for NewReaderAt.
func TestReaderAtSourceFails(t *testing.T) {
	s := newSealer(t, newFake("k"), nil)
	message := seal(t, s, []byte("plaintext"), nil)
	errSource := errors.New("source failed")
	for n := range len(message) {
		_, err := s.NewReaderAt(t.Context(), failingAt{bytes.NewReader(message), int64(n), errSource}, int64(len(message)), nil, nil)
		require.ErrorIs(t, err, errSource, n)
	}
}

// failingAt fails from a place on.
type failingAt struct {
	r   io.ReaderAt
	end int64
	err error
}

func (f failingAt) ReadAt(p []byte, offset int64) (int, error) {
	room := min(max(f.end-offset, 0), int64(len(p)))
	n, err := f.r.ReadAt(p[:room], offset)
	if err == nil && n < len(p) {
		err = f.err
	}
	return n, err
}
