package aead

import (
	"errors"

	"github.com/holdfast-go/holdfast/internal/floe"
)

// The errors that callers can tell apart with errors.Is.
var (
	// ErrOpen says that a record or stream does not open: wrong key, wrong
	// additional data or altered bytes, which can't be told apart.
	ErrOpen = floe.ErrOpen
	// ErrTruncated says that a stream ends before its final segment. It also
	// matches io.ErrUnexpectedEOF.
	ErrTruncated = floe.ErrTruncated
	// ErrFormat says that bytes are no stream of ours, or that some follow its end.
	ErrFormat = floe.ErrFormat
	// ErrKeySize says that a key is not KeySize bytes long.
	ErrKeySize = errors.New("aead: key must be 32 bytes")
	// ErrTooLarge says that a size is over a limit: the reader's MaxSegmentSize,
	// or 2^40 segments.
	ErrTooLarge = floe.ErrTooLarge
	// ErrClosed says that a Writer was closed or aborted before the call.
	ErrClosed = errors.New("aead: already closed")
)
