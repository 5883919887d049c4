package envelope

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// The errors that callers can tell apart with errors.Is. Those of the KMS pass through: kms.ErrUnavailable,
// kms.ErrAccessDenied and so on say why a key could not be used. [ActionFor] says what to do.
var (
	// ErrOpen says that a message, record, stream or stored key does not open: another key, another
	// context or binding, or altered bytes.
	ErrOpen = aead.ErrOpen
	// ErrFormat says that bytes are nothing of ours, or that some follow their end.
	ErrFormat = aead.ErrFormat
	// ErrTruncated says that a message ends early. It also matches io.ErrUnexpectedEOF.
	ErrTruncated = aead.ErrTruncated
	// ErrTooLarge says that something does not fit, and its text what would.
	ErrTooLarge = aead.ErrTooLarge
	// ErrWrongScope says that a record belongs to another tenant or subject than the one that was asked to open it.
	ErrWrongScope = errors.New("record of another tenant or subject")
	// ErrUnknownKey says that the store has no key of this name.
	ErrUnknownKey = errors.New("unknown key")
	// ErrErased says that the keys were destroyed on purpose. Nothing brings the data back.
	ErrErased = errors.New("erased")
	// ErrDisabled says that the tenant or subject was disabled, and may be enabled again.
	ErrDisabled = errors.New("disabled")
	// ErrHeld says that a hold forbids the erasure.
	ErrHeld = errors.New("held")
	// ErrUnbound says that the Binding is the zero one.
	ErrUnbound = errors.New("no binding: say with Bind what the record belongs to")
	// ErrConflict says that somebody else changed the same row at the same time, again and again.
	ErrConflict = errors.New("changed by another at the same time")
	// ErrUnavailable says that the store or the KMS could not be reached or gave no answer: an outage. Of the KMS it is
	// where kms.ErrUnavailable or kms.ErrThrottled match too, of the store otherwise.
	ErrUnavailable = errors.New("store or KMS unavailable")
	// ErrClosed says that the Keyring or Store was closed before the call.
	ErrClosed = errors.New("closed")
)

// Error is what stands between a caller and the keys of a tenant or subject. It never holds the identifier of a subject.
type Error struct {
	Tenant string
	KeyID  aead.KeyID // of the record; zero where there is none
	Since  time.Time  // when the scope was disabled or erased; zero for other errors
	Ref    string     // the reference of the erasure or hold, the reason of the disabling
	Err    error      // wraps one of the sentinels
}

// Error returns tenant, key and cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("tenant %.64q", e.Tenant)
	if e.KeyID != (aead.KeyID{}) {
		s += ", key " + e.KeyID.String()
	}
	s += ": " + e.Err.Error()
	if !e.Since.IsZero() {
		s += " since " + e.Since.UTC().Format(time.RFC3339)
	}
	if e.Ref != "" {
		s += fmt.Sprintf(" (%.64q)", e.Ref)
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func errConflict(what string) error { return fmt.Errorf("%s: %w", what, ErrConflict) }

// invalid is a mistake of the program's.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", kms.ErrInvalid, fmt.Sprintf(format, args...))
}
