package kms

import (
	"fmt"
	"slices"
	"time"
)

// Options are the settings of a [Key]. nil and the zero value are the defaults.
type Options struct {
	// Timeout bounds a call to the provider, its attempts and pauses and the wait for a place included, besides the
	// caller's own context. 0 means 10 seconds: longer than a KMS takes on a bad day, and shorter than what most
	// callers of a service wait. Negative is refused.
	Timeout time.Duration
	// Attempts is how often Wrap, Unwrap and Describe are tried, when the provider is throttling or unavailable. Pauses are random up to
	// 100 ms, doubled each time to at most 2 s ("full jitter"), and come on top of the pause that the provider asks for.
	// 0 means 3, or 1 for a provider whose SDK tries again by itself; at most 10.
	Attempts int
	// Concurrency is the number of calls in flight. 16 times as many wait for their turn, and further ones fail with
	// [ErrUnavailable]. 0 means 64: thousands of calls a second at a KMS's usual 10 ms. At most 4096.
	Concurrency int
	// BreakAfter is the number of calls of Wrap and Unwrap in a row that end with [ErrThrottled] or [ErrUnavailable], after which the circuit breaker
	// opens: they fail at once, with [ErrUnavailable]. What a driver may refuse without asking, such as a changed blob, does not count. 0 means 5; at most 1000.
	BreakAfter int
	// BreakFor is how long it stays open. Then one call is let through, and closes or opens it again.
	// 0 means 5 seconds; at most an hour.
	BreakFor time.Duration
	// Observer is told of every attempt. nil for none.
	Observer Observer
	// ObserveContext are the context keys that an Observer may see with their values: those that hold no personal data. None by default.
	ObserveContext []string
}

// waitingFactor times Concurrency calls may wait.
const waitingFactor = 16

// withDefaults returns a copy with the defaults filled in, or says what is out of bounds.
func (o *Options) withDefaults() (Options, error) {
	var own Options
	if o != nil {
		own = *o
	}
	own.ObserveContext = slices.Clone(own.ObserveContext)
	refuse := func(field, bounds string) (Options, error) {
		return own, fmt.Errorf("%w: Options.%s must be %s", ErrInvalid, field, bounds)
	}
	switch {
	case own.Timeout < 0:
		return refuse("Timeout", "positive, or 0 for 10 seconds")
	case own.Attempts < 0 || own.Attempts > 10:
		return refuse("Attempts", "1 to 10, or 0 for the default")
	case own.Concurrency < 0 || own.Concurrency > 4096:
		return refuse("Concurrency", "1 to 4096, or 0 for 64")
	case own.BreakAfter < 0 || own.BreakAfter > 1000:
		return refuse("BreakAfter", "1 to 1000, or 0 for 5")
	case own.BreakFor < 0 || own.BreakFor > time.Hour:
		return refuse("BreakFor", "up to an hour, or 0 for 5 seconds")
	}
	orDefault(&own.Timeout, 10*time.Second)
	orDefault(&own.Attempts, 3)
	orDefault(&own.Concurrency, 64)
	orDefault(&own.BreakAfter, 5)
	orDefault(&own.BreakFor, 5*time.Second)
	return own, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
