// Package memstore keeps the rows of a keyring in memory, for tests and for programs that need no key after their end.
package memstore

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

const maxLimit = 1000 // rows of one List

// Store is an [envelope.Store] in memory. It is safe for concurrent use. Its rows are gone when it is closed. Make one with [New].
type Store struct {
	mu   sync.RWMutex
	rows map[string]envelope.Row // nil once closed
	keys order
}

var _ envelope.Store = (*Store)(nil)

// New returns an empty Store.
func New() *Store { return &Store{rows: map[string]envelope.Row{}} }

// Get implements [envelope.Store].
func (s *Store) Get(ctx context.Context, key string) (envelope.Row, error) {
	if len(key) == 0 || len(key) > envelope.MaxRowKey {
		return envelope.Row{}, fmt.Errorf("memstore: %w: a row's key must be 1 to %d bytes, not %d", kms.ErrInvalid, envelope.MaxRowKey, len(key))
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return envelope.Row{}, err
	}
	return s.row(key), nil
}

// List implements [envelope.Store].
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
	if limit < 1 || limit > maxLimit {
		return nil, fmt.Errorf("memstore: %w: a limit must be 1 to %d rows, not %d", kms.ErrInvalid, maxLimit, limit)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	var rows []envelope.Row
	for key := range s.keys.from(max(prefix, after)) {
		if len(rows) == limit || !strings.HasPrefix(key, prefix) {
			break
		}
		if key != after {
			rows = append(rows, s.row(key))
		}
	}
	return rows, nil
}

// Apply implements [envelope.Store]. Values that are written over are cleared.
func (s *Store) Apply(ctx context.Context, changes ...envelope.Change) error {
	if err := envelope.Validate(changes); err != nil {
		return fmt.Errorf("memstore: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	for _, c := range changes {
		if s.rows[c.Key].Revision != c.Revision {
			return fmt.Errorf("memstore: %w", envelope.ErrConflict)
		}
	}
	for _, c := range changes {
		if !c.Check {
			s.write(c.Row)
		}
	}
	return nil
}

// Close clears all rows.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		clear(r.Value)
	}
	s.rows, s.keys = nil, order{}
	return nil
}

// usable returns why the Store can't do what is asked. Call it under mu, for which nobody waits long.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memstore: %w", err)
	}
	if s.rows == nil {
		return fmt.Errorf("memstore: %w", envelope.ErrClosed)
	}
	return nil
}

// row returns the caller's own copy of a row. Call it under mu.
func (s *Store) row(key string) envelope.Row {
	r := s.rows[key]
	r.Key, r.Value = key, bytes.Clone(r.Value)
	return r
}

// write keeps a copy of a row. Call it under mu.
func (s *Store) write(r envelope.Row) {
	if r.Revision == 0 {
		s.keys.insert(r.Key)
	}
	clear(s.rows[r.Key].Value)
	r.Value = bytes.Clone(r.Value)
	r.Revision++
	s.rows[r.Key] = r
}
