package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
)

// server has rows for any number of clients.
type server struct {
	rows *memstore.Store
	turn chan struct{} // holds one while an Apply is made
	down atomic.Bool
}

func newServer() *server { return &server{rows: memstore.New(), turn: make(chan struct{}, 1)} }

// client is a good store.
type client struct {
	*server
	mu     sync.RWMutex
	closed bool
}

// use returns what ends the use, or why there can be none.
func (c *client) use(ctx context.Context) (func(), error) {
	c.mu.RLock()
	err := ctx.Err()
	switch {
	case err != nil:
	case c.closed:
		err = envelope.ErrClosed
	case c.down.Load():
		err = envelope.ErrUnavailable
	default:
		return c.mu.RUnlock, nil
	}
	c.mu.RUnlock()
	return nil, err
}

func (c *client) Get(ctx context.Context, key string) (envelope.Row, error) {
	done, err := c.use(ctx)
	if err != nil {
		return envelope.Row{}, err
	}
	defer done()
	return c.rows.Get(ctx, key)
}

func (c *client) List(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
	done, err := c.use(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return c.rows.List(ctx, prefix, after, limit)
}

func (c *client) Apply(ctx context.Context, changes ...envelope.Change) error {
	done, err := c.use(ctx)
	if err != nil {
		return err
	}
	defer done()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
		return c.rows.Apply(ctx, changes...)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

// broken is a client whose methods may be replaced.
type broken struct {
	*client
	get   func(ctx context.Context, key string) (envelope.Row, error)
	list  func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error)
	apply func(ctx context.Context, changes []envelope.Change) error
	close func() error
}

func (b *broken) Get(ctx context.Context, key string) (envelope.Row, error) {
	if b.get != nil {
		return b.get(ctx, key)
	}
	return b.client.Get(ctx, key)
}

func (b *broken) List(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
	if b.list != nil {
		return b.list(ctx, prefix, after, limit)
	}
	return b.client.List(ctx, prefix, after, limit)
}

func (b *broken) Apply(ctx context.Context, changes ...envelope.Change) error {
	if b.apply != nil {
		return b.apply(ctx, changes)
	}
	return b.client.Apply(ctx, changes...)
}

func (b *broken) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.client.Close()
}

// newHarness returns a client with every hook, to be broken.
func newHarness() (*broken, Harness) {
	s := newServer()
	b := &broken{client: &client{server: s}}
	return b, Harness{
		Store:  b,
		Reopen: func() envelope.Store { return &client{server: s} },
		Hold: func() (release func()) {
			s.turn <- struct{}{}
			return func() { <-s.turn }
		},
		Outage: func() (undo func()) {
			s.down.Store(true)
			return func() { s.down.Store(false) }
		},
		Crash: crashesAfter(newServer(), func(*client, []envelope.Change) error { return errKilled }),
	}
}

var errKilled = errors.New("killed")

// crashesAfter is a Crash hook. The last Apply, which is not acknowledged, is made by apply.
func crashesAfter(s *server, apply func(c *client, changes []envelope.Change) error) func() (int, envelope.Store) {
	n := 0
	return func() (int, envelope.Store) {
		n++
		c := &client{server: s}
		b := &broken{client: c}
		acknowledged := 0
		b.apply = func(ctx context.Context, changes []envelope.Change) error {
			if acknowledged == n%3 { // also before the first
				return apply(c, changes)
			}
			acknowledged++
			return c.Apply(ctx, changes...)
		}
		var w lastLine
		if err := Scribble(context.Background(), b, &w); !errors.Is(err, errKilled) {
			panic("Scribble ends with another error than the store's")
		}
		return w.last(), &client{server: s}
	}
}
