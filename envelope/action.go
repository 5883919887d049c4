package envelope

import (
	"context"
	"errors"
	"io"

	"github.com/holdfast-go/holdfast/kms"
)

// Action is what to do with a record, message or job after an error.
type Action int

// The actions.
const (
	None   Action = iota // there was no error
	Retry                // later: an outage, a conflict, or the caller's own time was over
	Skip                 // for good: the data was erased
	Hold                 // keep it and wait for a person: a key was disabled or revoked, or the error is none of ours
	Reject               // it is corrupt, or not what it was taken for
	Fix                  // the program or its configuration is wrong
)

// String returns the action in one lower-case word.
func (a Action) String() string {
	names := [...]string{"none", "retry", "skip", "hold", "reject", "fix"}
	if a < 0 || int(a) >= len(names) {
		return "unknown"
	}
	return names[a]
}

// kinds are the errors with their actions and names, the first that matches counts.
var kinds = [...]struct {
	err    error
	action Action
	name   string
}{
	{ErrErased, Skip, "erased"},
	{ErrWrongScope, Reject, "wrong_scope"},
	{ErrUnknownKey, Reject, "unknown_key"},
	{ErrHeld, Hold, "held"},
	{ErrDisabled, Hold, "disabled"},
	{ErrUnbound, Fix, "unbound"},
	{ErrTooLarge, Fix, "too_large"},
	{kms.ErrThrottled, Retry, "throttled"},
	{kms.ErrUnavailable, Retry, "kms_unavailable"},
	{ErrUnavailable, Retry, "store_unavailable"},
	{ErrConflict, Retry, "conflict"},
	{kms.ErrDisabled, Hold, "kms_disabled"},
	{kms.ErrPendingDeletion, Hold, "kms_pending_deletion"},
	{kms.ErrDestroyed, Hold, "kms_destroyed"},
	{kms.ErrAccessDenied, Hold, "kms_access_denied"},
	{kms.ErrNotFound, Hold, "kms_not_found"},
	{ErrOpen, Reject, "open"},
	{ErrTruncated, Reject, "truncated"},
	{ErrFormat, Reject, "format"},
	{kms.ErrCiphertext, Reject, "open"},
	{ErrClosed, Fix, "closed"},
	{kms.ErrClosed, Fix, "closed"},
	{kms.ErrInvalid, Fix, "invalid"},
	{kms.ErrUnsupported, Fix, "unsupported"},
	{context.Canceled, Retry, "canceled"},
	{context.DeadlineExceeded, Retry, "canceled"},
	{io.ErrUnexpectedEOF, Reject, "truncated"},
}

// judged is an error that says itself what to do after it, and what it is called: of the packages above this one, such as message.
type judged interface {
	error
	Action() Action
	Class() string
}

// ActionFor returns what a consumer does after err: the switch that every one writes.
func ActionFor(err error) Action {
	if err == nil {
		return None
	}
	if own := judged(nil); errors.As(err, &own) {
		return own.Action()
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.action
		}
	}
	return Hold
}

// Class returns what err is in one word, for metrics, logs and events: "ok", "other", or the name of what it wraps, such as "wrong_scope" or
// "kms_unavailable". Use errors.Is or ActionFor to decide what to do.
func Class(err error) string {
	if err == nil {
		return Done
	}
	if own := judged(nil); errors.As(err, &own) {
		return own.Class()
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.name
		}
	}
	return "other"
}
