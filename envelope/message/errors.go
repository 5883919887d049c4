package message

import (
	"fmt"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// The errors of this package, beside those of package envelope. [envelope.ActionFor] and [envelope.Class] know them.
var (
	// ErrNotSealed says that a payload was never sealed: plaintext, or nothing at all. Action: Reject.
	ErrNotSealed error = &failure{text: "the payload is not sealed", class: "not_sealed", action: envelope.Reject}
	// ErrUnstamped says that there is a Window, and the message has no stamp by which it could be told from its doubles. Action: Reject.
	ErrUnstamped error = &failure{text: "the message has no stamp, which its Window needs: set Sender where it is sealed", class: "unstamped", action: envelope.Reject}
	// ErrReplayed says that the message was accepted before. Action: Skip.
	ErrReplayed error = &failure{text: "accepted before", class: "replayed", action: envelope.Skip}
	// ErrTooOld says that the window can't tell whether the message was accepted before. Action: Hold.
	ErrTooOld error = &failure{text: "the window can't tell whether it was accepted before", class: "too_old", action: envelope.Hold}
	// ErrKeyMessage says that the payload was a key message, and was taken in. Action: Skip.
	ErrKeyMessage error = &failure{text: "it was a key message", class: "key_message", action: envelope.Skip}
)

// failure is an error that says what to do after it.
type failure struct {
	text, class string
	action      envelope.Action
	cause       error
}

// Error returns what happened.
func (f *failure) Error() string { return f.text }

// Action returns what to do.
func (f *failure) Action() envelope.Action { return f.action }

// Class returns the error in one word.
func (f *failure) Class() string { return f.class }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// edge puts the package's name before an error.
func edge[T any](v T, err error) (T, error) {
	if err != nil {
		err = fmt.Errorf("message: %w", err)
	}
	return v, err
}

// invalid is a mistake of the program's.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", kms.ErrInvalid, fmt.Sprintf(format, args...))
}
