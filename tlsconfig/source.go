package tlsconfig

import (
	"context"
	"sync"
)

// source is what the library's own identities, roots and revocation lists are besides: they look at their files while somebody holds them.
type source interface {
	// hold has them look until ctx ends. It may be called again and by several.
	hold(ctx context.Context)
}

// change is a channel that is closed on a change and then replaced. Its zero value is ready.
type change struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns the channel that the next announce closes.
func (c *change) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch == nil {
		c.ch = make(chan struct{})
	}
	return c.ch
}

// announce wakes all who wait.
func (c *change) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch != nil {
		close(c.ch)
	}
	c.ch = nil
}
