package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// counts is the Observer of server and client, and stands for your metrics. It counts what the server meets.
type counts struct {
	mu   sync.Mutex
	of   map[string]int
	news chan tlsconfig.Event // of certificates and roots
}

// Observe implements tlsconfig.Observer.
func (c *counts) Observe(e tlsconfig.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case e.Kind == tlsconfig.KindCertificate || e.Kind == tlsconfig.KindTrust:
		select {
		case c.news <- e:
		default: // an Observer holds up nobody
		}
	case e.Server && e.Kind == tlsconfig.KindHandshake:
		c.of[tls.VersionName(e.Version)]++
		c.of["group "+e.Group.String()]++
		c.of[fmt.Sprintf("resumed: %v", e.Resumed)]++
	case e.Server:
		c.of[fmt.Sprintf("%s for %s", e.Kind, e.Reason)]++
	}
}

func (c *counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.of)) {
		fmt.Fprintf(&b, "%6d %s\n", c.of[what], what)
	}
	return b.String()
}

// forget begins anew.
func (c *counts) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.of)
}

// taken waits until the server and the client have both taken in a change.
func (c *counts) taken(ctx context.Context) error {
	for range 2 {
		select {
		case e := <-c.news:
			if e.Err != nil {
				return e.Err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
