package tlsconfig

import (
	"crypto/tls"
	"sync"
)

// watch notes which config counts in each handshake of a server: its own, or what its GetConfigForClient returns.
type watch struct {
	edit func(*tls.Config) // of the config that counts; nil for none

	mu      sync.Mutex
	counted *tls.Config // in the last handshake, before the edit
}

// wrap returns a copy of a config that is watched. It has ticket keys of its own, unless the config has set some.
func (w *watch) wrap(config *tls.Config) *tls.Config {
	outer := config.Clone()
	if w.edit != nil {
		w.edit(outer)
	}
	choose := outer.GetConfigForClient
	outer.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		var inner *tls.Config
		if choose != nil {
			chosen, err := choose(h)
			if err != nil {
				return nil, err
			}
			inner = chosen.Clone() // it may be in use
		}
		if inner == nil {
			w.note(config)
			return nil, nil
		}
		w.note(inner.Clone())
		if w.edit != nil {
			w.edit(inner)
		}
		return inner, nil
	}
	return outer
}

func (w *watch) note(config *tls.Config) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counted = config
}

// last returns what counted in the last handshake that came so far, and forgets it. It is nil if there was none.
func (w *watch) last() *tls.Config {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.counted
	w.counted = nil
	return last
}
