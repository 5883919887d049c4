package envelope

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

func TestNewSealerRefuses(t *testing.T) {
	k, err := kms.NewKey(newFake("k"), nil)
	require.NoError(t, err)
	good := Limits{Messages: 1, Bytes: 1, Age: time.Nanosecond}
	for _, tc := range []struct {
		name   string
		key    *kms.Key
		limits func(*Limits)
	}{
		{"no key", nil, func(*Limits) {}},
		{"no limit", k, func(l *Limits) { *l = Limits{} }},
		{"no messages", k, func(l *Limits) { l.Messages = 0 }},
		{"negative messages", k, func(l *Limits) { l.Messages = -1 }},
		{"2^31 messages", k, func(l *Limits) { l.Messages = math.MaxInt32; l.Messages++ }},
		{"no bytes", k, func(l *Limits) { l.Bytes = 0 }},
		{"negative bytes", k, func(l *Limits) { l.Bytes = -1 }},
		{"no age", k, func(l *Limits) { l.Age = 0 }},
		{"negative age", k, func(l *Limits) { l.Age = -1 }},
		{"over a day", k, func(l *Limits) { l.Age = 24*time.Hour + 1 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			limits := good
			tc.limits(&limits)
			s, err := NewSealer(tc.key, &SealerOptions{Reuse: &limits})
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Nil(t, s)
		})
	}
	for _, o := range []*SealerOptions{nil, {}, {Reuse: &good}, {Reuse: &Limits{1<<31 - 1, 1<<63 - 1, 24 * time.Hour}}} {
		_, err := NewSealer(k, o)
		require.NoError(t, err)
	}
}

// TestZeroSealer uses a Sealer that nobody made.
func TestZeroSealer(t *testing.T) {
	message := seal(t, newSealer(t, newFake("k"), nil), nil, nil)
	for _, w := range writers {
		_, err := w.seal(&Sealer{}, nil, nil)
		require.ErrorIs(t, err, kms.ErrInvalid, w.name)
	}
	for _, r := range readers {
		_, err := r.open(&Sealer{}, message, nil)
		require.ErrorIs(t, err, kms.ErrInvalid, r.name)
	}
}

// TestOptionsAreCopied changes what NewSealer was given.
func TestOptionsAreCopied(t *testing.T) {
	f := newFake("k")
	limits := Limits{Messages: 100, Bytes: 100, Age: time.Hour}
	s := newSealer(t, f, &SealerOptions{Reuse: &limits})
	limits = Limits{}
	seal(t, s, nil, nil)
	seal(t, s, nil, nil)
	require.EqualValues(t, 1, f.wraps.Load())
}

// writers make a message in each way.
var writers = []struct {
	name string
	seal func(s *Sealer, plaintext []byte, ec kms.Context) ([]byte, error)
}{
	{"Seal", func(s *Sealer, plaintext []byte, ec kms.Context) ([]byte, error) {
		return s.Seal(context.Background(), plaintext, ec)
	}},
	{"Write", func(s *Sealer, plaintext []byte, ec kms.Context) ([]byte, error) {
		var b bytes.Buffer
		w, err := s.NewWriter(context.Background(), &b, ec, nil)
		if err != nil {
			return nil, err
		}
		defer w.Abort()
		for part := range slices.Chunk(plaintext, 100_001) {
			if _, err := w.Write(part); err != nil {
				return nil, err
			}
		}
		err = w.Close()
		return b.Bytes(), err
	}},
	{"ReadFrom", func(s *Sealer, plaintext []byte, ec kms.Context) ([]byte, error) {
		var b bytes.Buffer
		w, err := s.NewWriter(context.Background(), &b, ec, nil)
		if err != nil {
			return nil, err
		}
		defer w.Abort()
		if _, err := w.ReadFrom(bytes.NewReader(plaintext)); err != nil {
			return nil, err
		}
		err = w.Close()
		return b.Bytes(), err
	}},
	{"SealReader", func(s *Sealer, plaintext []byte, ec kms.Context) ([]byte, error) {
		return readSealed(s, plaintext, ec, func(r *aead.SealReader) ([]byte, error) { return io.ReadAll(struct{ io.Reader }{r}) })
	}},
	{"SealReader.WriteTo", func(s *Sealer, plaintext []byte, ec kms.Context) ([]byte, error) {
		return readSealed(s, plaintext, ec, func(r *aead.SealReader) ([]byte, error) {
			var b bytes.Buffer
			_, err := r.WriteTo(&b)
			return b.Bytes(), err
		})
	}},
}

// readSealed holds a SealReader to the size that it tells.
func readSealed(s *Sealer, plaintext []byte, ec kms.Context, read func(*aead.SealReader) ([]byte, error)) ([]byte, error) {
	r, err := s.NewSealReader(context.Background(), bytes.NewReader(plaintext), ec, nil)
	if err != nil {
		return nil, err
	}
	size, err := r.Size(int64(len(plaintext)))
	if err != nil {
		return nil, err
	}
	b, err := read(r)
	if err == nil && int64(len(b)) != size {
		err = fmt.Errorf("Size says %d, read %d", size, len(b))
	}
	return b, err
}

// readers open a message in each way.
var readers = []struct {
	name string
	open func(s *Sealer, message []byte, ec kms.Context) ([]byte, error)
}{
	{"Open", func(s *Sealer, message []byte, ec kms.Context) ([]byte, error) {
		return s.Open(context.Background(), message, ec)
	}},
	{"Reader", func(s *Sealer, message []byte, ec kms.Context) ([]byte, error) {
		r, err := s.NewReader(context.Background(), bytes.NewReader(message), ec, nil)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(struct{ io.Reader }{r})
	}},
	{"Reader.WriteTo", func(s *Sealer, message []byte, ec kms.Context) ([]byte, error) {
		r, err := s.NewReader(context.Background(), bytes.NewReader(message), ec, nil)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		_, err = r.WriteTo(&b)
		return b.Bytes(), err
	}},
	{"ReaderAt", openAt},
}

func TestRoundTrip(t *testing.T) {
	f, err := local.Create(filepath.Join(t.TempDir(), "key"), nil)
	require.NoError(t, err)
	defer f.Close()
	s, err := NewSealer(f.Key(), nil)
	require.NoError(t, err)
	ec := kms.Context{"tenant": "acme", "object": "invoices/7.pdf"}
	for _, size := range []int{0, 1, 1000, 64<<10 - 1, 64 << 10, 64<<10 + 1, 5 << 20} {
		plaintext := pattern(size)
		for _, w := range writers {
			message, err := w.seal(s, plaintext, ec)
			require.NoError(t, err, "%s of %d", w.name, size)
			headerSize, err := HeaderSize(message)
			require.NoError(t, err)
			body, err := aead.SealedSize(int64(size), 0)
			require.NoError(t, err)
			require.EqualValues(t, len(message), int64(headerSize)+body)
			if w.name != "Seal" {
				require.Equal(t, 4096, headerSize)
			}
			for _, r := range readers {
				t.Run(fmt.Sprintf("size=%d/%s/%s", size, w.name, r.name), func(t *testing.T) {
					got, err := r.open(s, message, ec)
					require.NoError(t, err)
					require.True(t, bytes.Equal(plaintext, got))
				})
			}
		}
	}
}

// TestReaderAtPlaces reads at random places of a message whose segments are small.
func TestReaderAtPlaces(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, nil)
	plaintext := pattern(10_000)
	message := sealStream(t, s, plaintext, nil, &aead.StreamOptions{SegmentSize: 100})
	r, err := s.NewReaderAt(t.Context(), bytes.NewReader(message), int64(len(message)), nil, nil)
	require.NoError(t, err)
	require.EqualValues(t, len(plaintext), r.Size())
	require.EqualValues(t, 2, f.calls())
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		from := random.IntN(len(plaintext) + 10)
		p := make([]byte, random.IntN(400))
		n, err := r.ReadAt(p, int64(from))
		want := plaintext[min(from, len(plaintext)):]
		require.True(t, bytes.Equal(want[:min(len(want), len(p))], p[:n]))
		if len(want) < len(p) {
			require.ErrorIs(t, err, io.EOF)
		} else {
			require.NoError(t, err)
		}
	}
	require.EqualValues(t, 2, f.calls(), "a call for a read")
}

func TestStreamOptions(t *testing.T) {
	s := newSealer(t, newFake("k"), nil)
	message := sealStream(t, s, pattern(3000), nil, &aead.StreamOptions{SegmentSize: 2000})
	_, err := s.NewReader(t.Context(), bytes.NewReader(message), nil, &aead.StreamOptions{MaxSegmentSize: 1999})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = s.NewReaderAt(t.Context(), bytes.NewReader(message), int64(len(message)), nil, &aead.StreamOptions{MaxSegmentSize: 1999})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = s.NewReader(t.Context(), bytes.NewReader(message), nil, &aead.StreamOptions{MaxSegmentSize: 2000})
	require.NoError(t, err)
	requireOpens(t, s, message, pattern(3000), nil)
	bad := &aead.StreamOptions{SegmentSize: 39}
	_, err = s.NewWriter(t.Context(), io.Discard, nil, bad)
	require.Error(t, err)
	_, err = s.NewSealReader(t.Context(), bytes.NewReader(nil), nil, bad)
	require.Error(t, err)
}

// TestUnfinished writes messages that nobody closes: they don't open.
func TestUnfinished(t *testing.T) {
	s := newSealer(t, newFake("k"), nil)
	var b bytes.Buffer
	w, err := s.NewWriter(t.Context(), &b, nil, &aead.StreamOptions{SegmentSize: 64})
	require.NoError(t, err)
	_, err = w.Write(pattern(500))
	require.NoError(t, err)
	w.Abort()
	require.ErrorIs(t, w.Close(), aead.ErrClosed)
	got, err := s.Open(t.Context(), b.Bytes(), nil)
	require.ErrorIs(t, err, ErrTruncated)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Nil(t, got)
}

// TestConcurrent has 32 goroutines on one Sealer, with reuse and without.
func TestConcurrent(t *testing.T) {
	for _, o := range []*SealerOptions{nil, {Reuse: &Limits{Messages: 5, Bytes: 1000, Age: time.Minute}}} {
		s := newSealer(t, newFake("k"), o)
		var group sync.WaitGroup
		for i := range 32 {
			group.Go(func() {
				ec, plaintext := kms.Context{"n": fmt.Sprint(i % 4)}, pattern(10*i)
				for range 10 {
					message, err := s.Seal(t.Context(), plaintext, ec)
					if err != nil {
						t.Error(err)
						return
					}
					got, err := s.Open(t.Context(), message, ec)
					if err != nil || !bytes.Equal(plaintext, got) {
						t.Errorf("opened to %d bytes: %v", len(got), err)
					}
					fresh, err := s.RewrapHeader(t.Context(), message[:len(message)-106-len(plaintext)], ec)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := s.Open(t.Context(), append(fresh, message[len(fresh):]...), ec); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	}
}
