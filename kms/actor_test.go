package kms_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// actor is a driver for many callers at once, with every optional ability. It counts its calls, and does in the
// clear what its act lets it.
type actor struct {
	ref           kms.Ref
	act           atomic.Pointer[act]
	calls, closed atomic.Int64
	inside, most  atomic.Int64 // calls in flight, and the most there were
}

// act tells what becomes of a call: nil lets it through. n counts from 1.
type act func(ctx context.Context, n int) error

// newActor returns an actor that does it, or lets all through if that is nil.
func newActor(does act) *actor {
	a := &actor{ref: newScript().ref}
	a.say(nil)
	if does != nil {
		a.play(does)
	}
	return a
}

// play has later calls do it.
func (a *actor) play(does act) { a.act.Store(&does) }

// say has later calls end with err at once.
func (a *actor) say(err error) { a.play(func(context.Context, int) error { return err }) }

func (a *actor) do(ctx context.Context) error {
	n, now := int(a.calls.Add(1)), a.inside.Add(1)
	defer a.inside.Add(-1)
	for most := a.most.Load(); now > most && !a.most.CompareAndSwap(most, now); most = a.most.Load() {
	}
	return (*a.act.Load())(ctx, n)
}

func (a *actor) Ref() kms.Ref { return a.ref }

func (a *actor) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	if err := a.do(ctx); err != nil {
		return kms.Wrapped{}, err
	}
	return (&script{ref: a.ref}).Wrap(ctx, plaintext, ec)
}

func (a *actor) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	if err := a.do(ctx); err != nil {
		return nil, err
	}
	return (&script{ref: a.ref}).Unwrap(ctx, w, ec)
}

func (a *actor) Describe(ctx context.Context) (kms.Info, error) {
	return kms.Info{State: kms.Enabled}, a.do(ctx)
}
func (a *actor) Rotate(ctx context.Context) error { return a.do(ctx) }
func (a *actor) Destroy(ctx context.Context, _ time.Duration) (time.Time, error) {
	return time.Time{}, a.do(ctx)
}

func (a *actor) Close() error {
	a.closed.Add(1)
	return nil
}

// keyWith returns a Key over d. Make it inside the bubble, which it is closed in.
func keyWith(t *testing.T, d kms.Driver, o *kms.Options) *kms.Key {
	t.Helper()
	k, err := kms.NewKey(d, o)
	require.NoError(t, err)
	t.Cleanup(func() { k.Close() })
	return k
}

// operations are the calls of a Key, by name.
var operations = map[string]func(ctx context.Context, k *kms.Key) error{
	"wrap": func(ctx context.Context, k *kms.Key) error {
		_, err := k.Wrap(ctx, []byte("secret"), nil)
		return err
	},
	"unwrap": func(ctx context.Context, k *kms.Key) error {
		_, err := k.Unwrap(ctx, kms.Wrapped{Ref: k.Ref(), Blob: []byte("\x00\x00secret")}, nil)
		return err
	},
	"describe": func(ctx context.Context, k *kms.Key) error {
		_, err := k.Describe(ctx)
		return err
	},
	"rotate": func(ctx context.Context, k *kms.Key) error { return k.Rotate(ctx) },
	"destroy": func(ctx context.Context, k *kms.Key) error {
		_, err := k.Destroy(ctx, 0)
		return err
	},
}

// uncounted is a script whose calls may overlap.
type uncounted struct{ *script }

func (u uncounted) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	return u.wrap(ctx, plaintext, ec)
}

func (u uncounted) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	return u.unwrap(ctx, w, ec)
}
