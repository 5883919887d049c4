package aead

import (
	"fmt"
	"runtime"

	"github.com/holdfast-go/holdfast/internal/floe"
)

const (
	// DefaultSegmentSize is the encrypted segment size of writers, in bytes. BENCHMARKS.md has the
	// table it was chosen from.
	DefaultSegmentSize = 64 << 10

	defaultMaxSegmentSize = 16 << 20
	largestSegmentSize    = 1 << 30 // that a reader may be told to accept: lengths fit an int everywhere
	maxWorkers            = 64
)

// StreamOptions are the options of every stream constructor. The zero value and nil are
// the safe defaults.
type StreamOptions struct {
	// SegmentSize is the size of an encrypted segment that writers make, in bytes: 40 to
	// 16 MiB; 0 means [DefaultSegmentSize]. Each segment costs 32 bytes, and reading at
	// random costs opening one. Readers take it from the stream.
	SegmentSize int
	// MaxSegmentSize is the largest segment that readers accept, in bytes: at most 1 GiB; 0 means 16 MiB.
	MaxSegmentSize int
	// Workers is how many cores may work on one stream, in io.Copy (ReadFrom, WriteTo) and in a Write of
	// 4 MiB or more: at most 64; 0 means GOMAXPROCS. The first 4 MiB of a copy are one core's in
	// any case. The bytes are the same for any value.
	Workers int
}

// Validate tells what is out of bounds, as every constructor does.
func (o *StreamOptions) Validate() error {
	_, err := o.resolve()
	return err
}

// resolve returns o with its defaults filled in.
func (o *StreamOptions) resolve() (StreamOptions, error) {
	var r StreamOptions
	if o != nil {
		r = *o
	}
	if r.SegmentSize == 0 {
		r.SegmentSize = DefaultSegmentSize
	}
	if r.MaxSegmentSize == 0 {
		r.MaxSegmentSize = defaultMaxSegmentSize
	}
	if r.Workers == 0 {
		r.Workers = min(runtime.GOMAXPROCS(0), maxWorkers)
	}
	switch {
	case r.SegmentSize < floe.MinSegmentSize || r.SegmentSize > defaultMaxSegmentSize:
		return r, fmt.Errorf("aead: SegmentSize is %d: choose %d to %d bytes", r.SegmentSize, floe.MinSegmentSize, defaultMaxSegmentSize)
	case r.MaxSegmentSize < floe.MinSegmentSize || r.MaxSegmentSize > largestSegmentSize:
		return r, fmt.Errorf("aead: MaxSegmentSize is %d: choose %d to %d bytes", r.MaxSegmentSize, floe.MinSegmentSize, largestSegmentSize)
	case r.Workers < 0 || r.Workers > maxWorkers:
		return r, fmt.Errorf("aead: Workers is %d: choose 1 to %d", r.Workers, maxWorkers)
	}
	return r, nil
}

// SealedSize returns the size in bytes of the stream that a writer makes of so many
// bytes of plaintext, with encrypted segments of segment bytes; 0 means [DefaultSegmentSize]. It fails with [ErrTooLarge]
// beyond 2^40 segments and refuses negative sizes.
func SealedSize(plaintext int64, segment int) (int64, error) {
	o, err := (&StreamOptions{SegmentSize: segment}).resolve()
	if err != nil {
		return 0, err
	}
	if plaintext < 0 {
		return 0, fmt.Errorf("aead: plaintext size is negative: %d", plaintext)
	}
	each := int64(o.SegmentSize - floe.Overhead)
	segments := max(1, plaintext/each+min(1, plaintext%each))
	sealed := floe.HeaderSize + plaintext + floe.Overhead*segments
	if segments > floe.MaxSegments || sealed < 0 {
		return 0, ErrTooLarge
	}
	return sealed, nil
}

// PlaintextSize returns how many bytes of plaintext a stream of sealed bytes holds, the inverse of [SealedSize].
// It fails with [ErrTruncated] where no stream has that size. Take it for true only when a
// [ReaderAt] says the same.
func PlaintextSize(sealed int64, segment int) (int64, error) {
	o, err := (&StreamOptions{SegmentSize: segment}).resolve()
	if err != nil {
		return 0, err
	}
	segments, err := countSegments(sealed, o.SegmentSize)
	if err != nil {
		return 0, err
	}
	return sealed - floe.HeaderSize - floe.Overhead*segments, nil
}

// countSegments returns the number of segments in a stream of that many bytes.
func countSegments(sealed int64, segment int) (int64, error) {
	if sealed < floe.HeaderSize+floe.Overhead {
		return 0, ErrTruncated
	}
	body, size := sealed-floe.HeaderSize, int64(segment)
	full, rest := body/size, body%size
	switch {
	case full > floe.MaxSegments || full == floe.MaxSegments && rest > 0:
		return 0, ErrTooLarge
	case rest == 0:
		return full, nil
	case rest < floe.Overhead:
		return 0, ErrTruncated
	}
	return full + 1, nil
}
