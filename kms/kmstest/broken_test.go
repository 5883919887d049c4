package kmstest

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/kms"
)

// broken is a driver of a Fake whose methods may be replaced.
type broken struct {
	*fakeDriver
	wrap     func(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error)
	unwrap   func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error)
	describe func(ctx context.Context) (kms.Info, error)
	rotate   func(ctx context.Context) error
	destroy  func(ctx context.Context, after time.Duration) (time.Time, error)
	close    func() error
	over     chan struct{} // closed when the test is
}

func newBroken(keyID string) *broken {
	return &broken{fakeDriver: NewFake(keyID).Driver().(*fakeDriver), over: make(chan struct{})}
}

func (b *broken) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	if b.wrap != nil {
		return b.wrap(ctx, plaintext, ec)
	}
	return b.fakeDriver.Wrap(ctx, plaintext, ec)
}

func (b *broken) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	if b.unwrap != nil {
		return b.unwrap(ctx, w, ec)
	}
	return b.fakeDriver.Unwrap(ctx, w, ec)
}

func (b *broken) Describe(ctx context.Context) (kms.Info, error) {
	if b.describe != nil {
		return b.describe(ctx)
	}
	return b.fakeDriver.Describe(ctx)
}

func (b *broken) Rotate(ctx context.Context) error {
	if b.rotate != nil {
		return b.rotate(ctx)
	}
	return b.fakeDriver.Rotate(ctx)
}

func (b *broken) Destroy(ctx context.Context, after time.Duration) (time.Time, error) {
	if b.destroy != nil {
		return b.destroy(ctx, after)
	}
	return b.fakeDriver.Destroy(ctx, after)
}

func (b *broken) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.fakeDriver.Close()
}

// errorsOf replaces the errors of Wrap and Unwrap.
func (b *broken) errorsOf(change func(error) error) {
	b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
		w, err := b.fakeDriver.Wrap(ctx, p, ec)
		if err != nil {
			err = change(err)
		}
		return w, err
	}
	b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
		got, err := b.fakeDriver.Unwrap(ctx, w, ec)
		if err != nil {
			err = change(err)
		}
		return got, err
	}
}

// newHarness returns a Fake with every hook, and its driver, to be broken.
func newHarness() (*broken, Harness) {
	b := newBroken("key-1")
	h := fakeHarness(b.f)
	h.Driver = b
	return b, h
}

// becomes is a hook that has the key in a state.
func becomes(f *Fake, s kms.State) func(context.Context) error {
	return func(context.Context) error {
		f.SetState(s)
		return nil
	}
}

// meets is a hook that has requests meet a fault.
func meets(f *Fake, fault Fault) func() func() {
	return func() func() {
		f.Always(fault)
		return func() { f.Always() }
	}
}

// pauses is a hook that has requests turned away for a time.
func pauses(f *Fake, err error) func() (time.Duration, func()) {
	return func() (time.Duration, func()) { return 3 * time.Second, meets(f, Fault{Err: err})() }
}

// fakeHarness has every hook. A Fake has no aliases, so none of its drivers follows one that moves.
func fakeHarness(f *Fake) Harness {
	return Harness{
		Driver:        f.Driver(),
		Other:         NewFake("key-2").Driver(),
		Calls:         func() int { return f.Count("") },
		Disable:       becomes(f, kms.Disabled),
		Enable:        becomes(f, kms.Enabled),
		Destroy:       becomes(f, kms.PendingDeletion),
		CancelDestroy: becomes(f, kms.Enabled),
		MoveAlias:     func(context.Context) error { return nil },
		Reopen:        f.Driver,
		Deny:          meets(f, Fault{Err: kms.ErrAccessDenied}),
		Throttle:      pauses(f, &kms.Error{Err: kms.ErrThrottled, Retryable: true, RetryAfter: 3 * time.Second}),
		Outage:        meets(f, Fault{Err: kms.ErrUnavailable}),
		Hang: func(arrived func()) func() {
			return meets(f, Fault{Hang: true, Arrived: arrived})()
		},
	}
}

// bare hides what a driver can do besides.
type bare struct{ kms.Driver }
