package kms

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What went wrong, for errors.Is. Every error of a [Key] matches one of these,
// or context.Canceled, or context.DeadlineExceeded.
var (
	// ErrNotFound says that no such key or key version is configured here, or
	// that the provider has none.
	ErrNotFound = errors.New("key not found")
	// ErrDisabled says that the key is switched off and may be enabled again.
	ErrDisabled = errors.New("key is disabled")
	// ErrPendingDeletion says that the key waits for its destruction, which its owner may still cancel.
	ErrPendingDeletion = errors.New("key is pending deletion")
	// ErrDestroyed says that the key is gone for good.
	ErrDestroyed = errors.New("key is destroyed")
	// ErrAccessDenied says that the provider refused the caller's credentials or passphrase.
	ErrAccessDenied = errors.New("access denied")
	// ErrThrottled says that the provider asks for fewer calls.
	ErrThrottled = errors.New("throttled by the provider")
	// ErrUnavailable says that the provider could not be reached, failed, or
	// gave no answer in time: an outage, not a refusal.
	ErrUnavailable = errors.New("provider unavailable")
	// ErrCiphertext says that the wrapped bytes are corrupt or that the context
	// is another one: providers can't tell these apart.
	ErrCiphertext = errors.New("wrapped bytes are corrupt or the context differs")
	// ErrInvalid says that an argument, an option, a file or a driver's answer breaks a rule.
	ErrInvalid = errors.New("invalid")
	// ErrUnsupported says that this provider can't do it.
	ErrUnsupported = errors.New("not supported by this provider")
	// ErrClosed says that the Key was closed before the call.
	ErrClosed = errors.New("key is closed")
)

// Error is what the functions and methods of this package return. It never
// holds key bytes or context values.
type Error struct {
	Op         string        // what was tried: "wrap", "unwrap", "describe", ...
	Ref        Ref           // the key; zero where there is none yet
	RequestID  string        // the provider's, "" where it gave none
	Retryable  bool          // the same call may work later
	RetryAfter time.Duration // the pause that the provider asked for; 0 for none
	Err        error         // the cause; wraps one of the sentinels above
}

// Error returns operation, key and cause.
func (e *Error) Error() string {
	s := "kms"
	if e.Op != "" {
		s += ": " + e.Op
	}
	if e.Ref != (Ref{}) {
		s += " " + e.Ref.String()
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.RequestID != "" {
		s += fmt.Sprintf(" (request %.100q)", e.RequestID)
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// failure turns what a driver said into what a caller gets. caller is the
// caller's context, call the same under the Key's timeout.
func failure(caller, call context.Context, op string, ref Ref, err error) *Error {
	e := Error{Err: err}
	var said *Error
	switch {
	case !errors.As(err, &said):
	case said == nil:
		e.Err = nil // a nil *Error in an error
	default:
		e = *said
		if err != error(said) {
			e.Err = err // keep what was said around it
		}
	}
	if e.Op == "" {
		e.Op = op
	}
	if e.Ref == (Ref{}) {
		e.Ref = ref
	}
	switch {
	case refusal(e.Err):
		e.Err, e.Retryable, e.RetryAfter = single(e.Err), false, 0
		return &e
	case errors.Is(caller.Err(), context.Canceled):
		// The caller went away. That is no outage, so the driver's class is dropped.
		e.Err, e.Retryable = fmt.Errorf("%w (the driver said: %v)", context.Canceled, e.Err), false
		return &e
	case call.Err() != nil && !errors.Is(e.Err, context.DeadlineExceeded):
		e.Err = fmt.Errorf("%w: %w: %w", ErrUnavailable, context.DeadlineExceeded, outage(e.Err))
	case !errors.Is(e.Err, ErrUnavailable) && !errors.Is(e.Err, ErrThrottled):
		e.Err = fmt.Errorf("%w: %w", ErrUnavailable, outage(e.Err))
	}
	e.Err = single(e.Err)
	if said == nil {
		e.Retryable = true
	}
	return &e
}

// single is err, or its text where err matches more than its class: another sentinel, context.Canceled though no caller
// cancelled, or context.DeadlineExceeded though it is a refusal.
func single(err error) error {
	var class error
	for _, c := range classes {
		switch {
		case !errors.Is(err, c.err):
		case class == nil:
			class = c.err
		default:
			return fmt.Errorf("%w: %s", class, err)
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && refusal(class) {
		return fmt.Errorf("%w: %s", class, err)
	}
	return err
}

// The classes that [Class] returns besides those of the sentinels: short texts for metrics and logs.
const (
	ClassOK       = "ok"       // nil
	ClassCanceled = "canceled" // the caller cancelled, or its time was over before the call: no outage and no refusal
	ClassOther    = "other"    // not an error of this package
)

// classes are the sentinels with their names, what is an outage last.
var classes = [...]struct {
	err  error
	name string
}{
	{ErrNotFound, "not_found"},
	{ErrDisabled, "disabled"},
	{ErrPendingDeletion, "pending_deletion"},
	{ErrDestroyed, "destroyed"},
	{ErrAccessDenied, "access_denied"},
	{ErrCiphertext, "ciphertext"},
	{ErrInvalid, "invalid"},
	{ErrUnsupported, "unsupported"},
	{ErrClosed, "closed"},
	{ErrThrottled, "throttled"},
	{ErrUnavailable, "unavailable"},
}

// Class returns what err is in one word, for metrics and logs: "ok", "canceled", "other", or a sentinel's, such as "access_denied".
// Use errors.Is to decide what to do.
func Class(err error) string {
	if err == nil {
		return ClassOK
	}
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ClassCanceled
	}
	return ClassOther
}

// refusal tells whether err is an answer about the key or the call, and no outage.
func refusal(err error) bool {
	for _, c := range classes {
		if errors.Is(err, c.err) {
			return c.err != ErrThrottled && c.err != ErrUnavailable
		}
	}
	return false
}

// outage is the cause of an outage. It does not match context.Canceled: that is for what the caller cancelled, and
// not for what the driver did by itself.
func outage(err error) error {
	switch {
	case err == nil:
		return errors.New("the driver gave no cause")
	case errors.Is(err, context.Canceled), errors.Is(err, ErrThrottled):
		return errors.New(err.Error())
	}
	return err
}
