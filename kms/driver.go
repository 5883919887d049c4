package kms

import (
	"context"
	"time"
)

// MaxPlaintext is the most that a Driver wraps, in bytes: wrap keys, not data.
const MaxPlaintext = 64

// Driver is what a provider implements. Users call it through a [Key], which
// adds the checks and timeouts that all providers share; package kmstest says
// in tests what this page says in words.
//
// Errors wrap one of this package's sentinels, or are an *[Error] that carries
// more; a Key takes anything else for [ErrUnavailable]. They never hold the
// plaintext. A driver neither keeps nor changes its arguments, and what it
// returns is the caller's. Under a context that is done Wrap and Unwrap fail with its error and send nothing. All methods are safe for
// concurrent use; Close may come while a call hangs that its caller has given up.
type Driver interface {
	// Ref returns the key's canonical name, always the same.
	Ref() Ref
	// Wrap encrypts 1 to MaxPlaintext bytes, bound to every pair of ec, and
	// reports Ref. Other lengths are ErrInvalid. ec may hold keys that start with
	// "holdfast:", like any other.
	Wrap(ctx context.Context, plaintext []byte, ec Context) (Wrapped, error)
	// Unwrap opens only under the keys that the driver was constructed with:
	// w.Ref and w.Version select among them by exact match, and no match is ErrNotFound; of Ref before any I/O. It fails with ErrCiphertext on a changed blob, and with that or,
	// where the provider's policy decides by context, ErrAccessDenied on any ec but the one that was wrapped with.
	Unwrap(ctx context.Context, w Wrapped, ec Context) ([]byte, error)
	// Close releases what the driver holds and clears its keys. Later calls
	// are ErrClosed; Close again does nothing.
	Close() error
}

// Describer is a Driver that can tell its key's state. See [Key.Describe].
type Describer interface {
	Describe(ctx context.Context) (Info, error)
}

// Rotator is a Driver that can make a new version of its key. See [Key.Rotate].
type Rotator interface {
	Rotate(ctx context.Context) error
}

// Destroyer is a Driver that can destroy its key. See [Key.Destroy].
type Destroyer interface {
	Destroy(ctx context.Context, after time.Duration) (time.Time, error)
}

// Versioner is a Driver whose wrapped keys carry the version they were wrapped
// under. See [Key.Stale].
type Versioner interface {
	// CurrentVersion returns the version that Wrap uses, as last known: it makes no I/O. "" means not known.
	CurrentVersion() string
}

// Owner is a Driver that opens what was wrapped under other names of its key too, such as a replica's in another
// region. Ref stays the name that Wrap reports.
type Owner interface {
	// Owns tells, without I/O and for any text, whether ref names this key.
	Owns(ref Ref) bool
}

// WrapOnly is a Driver that may have no way to unwrap, such as one that holds a public key alone. An AnyOf key does not ask it to.
type WrapOnly interface {
	WrapOnly() bool
}

// Info is what a provider knows of a key. Fields it does not know are zero.
type Info struct {
	State          State
	Version        string        // the version that Wrap uses
	Region         string        // where the key is
	Rotated        time.Time     // when that version was made
	RotationPeriod time.Duration // of the provider's automatic rotation; 0 for none
	DestroyAt      time.Time     // when the key was or will be destroyed
}

// State is what can be done with a key.
type State int

// The states of a key.
const (
	Unknown         State = iota // the provider does not say
	Enabled                      // wraps and unwraps
	Disabled                     // does neither until it is enabled again
	PendingDeletion              // does neither; its owner may still cancel the destruction
	Destroyed                    // does neither, for good
)

// String returns the state in lower-case words.
func (s State) String() string {
	switch s {
	case Enabled:
		return "enabled"
	case Disabled:
		return "disabled"
	case PendingDeletion:
		return "pending deletion"
	case Destroyed:
		return "destroyed"
	}
	return "unknown"
}
