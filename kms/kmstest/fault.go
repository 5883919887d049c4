package kmstest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/kms"
)

// Fault is what happens to a call at a [Fake]. Its fields combine, in their order. The zero Fault is none.
//
//	kmstest.Fault{Latency: time.Second}                          // slow
//	kmstest.Fault{Hang: true}                                    // no answer
//	kmstest.Fault{Err: kms.ErrUnavailable}                       // out of reach
//	kmstest.Fault{Err: kms.ErrAccessDenied, Op: "unwrap"}        // may wrap only
//	kmstest.Fault{Err: &kms.Error{Err: kms.ErrThrottled, Retryable: true, RetryAfter: time.Second}}
//	kmstest.Fault{Wrap: func(w kms.Wrapped) kms.Wrapped { w.KeyID = "another"; return w }}
//	kmstest.Fault{Unwrap: func(p []byte) []byte { p[0] ^= 1; return p }}
//	kmstest.Fault{Driver: west, Hang: true}                      // a partition: one process, of several, has no answers
type Fault struct {
	// Driver is the only driver whose calls it happens to: one that [Fake.Driver] returned, of the same Fake. Script and Always
	// panic on another, to which it would never happen. nil is every one.
	Driver kms.Driver
	// Op is the only operation that it happens to. "" is every one. See [Call] for their names; Script and Always panic on another.
	Op string
	// Arrived, if not nil, is called when a call has reached the KMS, from the call's goroutine.
	Arrived func()
	// Latency is how long the answer takes.
	Latency time.Duration
	// Hang leaves the call without an answer until its context ends, its driver is closed, or Always is called.
	Hang bool
	// Err is the answer: a sentinel of package kms or an *kms.Error that carries more. The KMS then does nothing. nil
	// has it answer in earnest.
	Err error
	// Wrap and Unwrap change what these operations answer when they succeed.
	Wrap   func(kms.Wrapped) kms.Wrapped
	Unwrap func(plaintext []byte) []byte
}

// Call is a request that reached a [Fake]. What a driver refuses by itself, such as an invalid
// argument, reaches none.
type Call struct {
	Op      string        // "wrap", "unwrap", "describe", "rotate" or "destroy"
	Context kms.Context   // as it was given, with the values; nil for the operations without one
	At      time.Time     // when it arrived
	Ended   bool          // false while it waits for its answer
	Took    time.Duration // until it ended
	Err     error         // what it ended with
}

// Script has faults happen to the next calls, in turn: to each call the first that remains
// and is for its driver and operation. It adds to what remains of an earlier Script. Calls beyond it meet what Always says.
func (f *Fake) Script(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.script = append(f.script, f.checked(faults)...)
}

// Always has faults happen to every call that Script says nothing of: to each the first that is for its driver and operation. They take the
// place of those given before, and calls that hang are answered. Without faults all is well again.
func (f *Fake) Always(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always = f.checked(faults)
	close(f.replaced)
	f.replaced = make(chan struct{})
}

// checked returns a copy of faults.
func (f *Fake) checked(faults []Fault) []Fault {
	for _, fault := range faults {
		if fault.Driver != nil {
			f.mustOwn(fault.Driver)
		}
		switch fault.Op {
		case "", "wrap", "unwrap", "describe", "rotate", "destroy":
		default:
			panic(fmt.Sprintf("kmstest: there is no operation %q, so the fault would never happen", fault.Op))
		}
	}
	return slices.Clone(faults)
}

// Calls returns every call so far, by arrival.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := slices.Clone(f.calls)
	for i := range calls {
		calls[i].Context = maps.Clone(calls[i].Context)
	}
	return calls
}

// Count returns how many calls there were of an operation, or of all for "".
func (f *Fake) Count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if op == "" || c.Op == op {
			n++
		}
	}
	return n
}

// call takes a request of d, lets its fault happen to it, and has answer answer it, under mu. It returns the fault.
func (f *Fake) call(ctx context.Context, d *fakeDriver, op string, ec kms.Context, answer func() error) (fault Fault, err error) {
	f.mu.Lock()
	fault, replaced := f.next(d, op), f.replaced
	n, at := len(f.calls), time.Now()
	f.calls = append(f.calls, Call{Op: op, Context: maps.Clone(ec), At: at})
	f.mu.Unlock()
	if fault.Arrived != nil {
		fault.Arrived()
	}
	err = fault.wait(ctx, d.closed, replaced)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		err = fault.Err
	}
	if err == nil {
		err = answer()
	}
	c := &f.calls[n]
	c.Ended, c.Took, c.Err = true, time.Since(at), err
	return fault, err
}

// next returns the fault of the next call. Call it under mu.
func (f *Fake) next(d kms.Driver, op string) Fault {
	happens := func(fault Fault) bool {
		return (fault.Driver == nil || fault.Driver == d) && (fault.Op == "" || fault.Op == op)
	}
	if i := slices.IndexFunc(f.script, happens); i >= 0 {
		fault := f.script[i]
		f.script = slices.Delete(f.script, i, i+1)
		return fault
	}
	if i := slices.IndexFunc(f.always, happens); i >= 0 {
		return f.always[i]
	}
	return Fault{}
}

// wait waits as long as the call has to. What ends the wait early is its error.
func (fault Fault) wait(ctx context.Context, closed, replaced <-chan struct{}) error {
	if fault.Latency > 0 {
		timer := time.NewTimer(fault.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return kms.ErrClosed
		}
	}
	if fault.Hang {
		select {
		case <-replaced:
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return kms.ErrClosed
		}
	}
	return nil
}
