package envelope

import "github.com/holdfast-go/holdfast/aead"

// The errors that callers can tell apart with errors.Is. Those of the KMS pass through: kms.ErrUnavailable,
// kms.ErrAccessDenied and so on say why a key could not be used.
var (
	// ErrOpen says that a message does not open: another key, another
	// context or altered bytes.
	ErrOpen = aead.ErrOpen
	// ErrFormat says that bytes are no message of ours, or that some follow its end.
	ErrFormat = aead.ErrFormat
	// ErrTruncated says that a message ends early. It also matches io.ErrUnexpectedEOF.
	ErrTruncated = aead.ErrTruncated
	// ErrTooLarge says that something does not fit, and its text what would.
	ErrTooLarge = aead.ErrTooLarge
)
