package tlsconfig

import (
	"net"
	"sync"
	"time"
)

// tracked is a connection that may end some time after roots or identity change.
type tracked struct {
	net.Conn
	client     *Client
	generation *clientGeneration
	closed     func()
	once       sync.Once
}

// track has a connection be closed MaxAge after the generation that it was made under. closed is called once it is closed.
func (c *Client) track(raw net.Conn, g *clientGeneration, closed func()) net.Conn {
	t := &tracked{Conn: raw, client: c, generation: g, closed: closed}
	if c.drain.MaxAge == 0 {
		return t
	}
	c.mu.Lock()
	c.conns[t] = struct{}{}
	c.mu.Unlock()
	if c.now.Load() != g { // it has changed meanwhile
		time.AfterFunc(c.drain.MaxAge, func() { t.Close() })
	}
	return t
}

// Close closes the connection, which is tracked no more.
func (t *tracked) Close() error {
	t.once.Do(func() {
		t.client.mu.Lock()
		defer t.client.mu.Unlock()
		delete(t.client.conns, t)
		t.closed()
	})
	return t.Conn.Close()
}

// expire has the connections of earlier generations be closed after MaxAge.
func (c *Client) expire() {
	if c.drain.MaxAge == 0 {
		return
	}
	now := c.now.Load()
	var old []*tracked
	c.mu.Lock()
	for t := range c.conns {
		if t.generation != now {
			old = append(old, t)
		}
	}
	c.mu.Unlock()
	if len(old) == 0 {
		return
	}
	time.AfterFunc(c.drain.MaxAge, func() {
		for _, t := range old {
			t.Close()
		}
	})
}
