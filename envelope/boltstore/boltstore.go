// Package boltstore keeps the rows of a keyring in one file on this host, which one process at a time has open. Its database is go.etcd.io/bbolt. Every
// Apply is on the disk when it returns, and a process that is killed leaves all of it or nothing.
//
// # What stays in the file
//
// Values that are written over stay in free pages of the file until other rows happen to need these, and in every copy and
// backup of it. bbolt has no secure deletion, and on flash memory and copying file systems overwriting would not reach them. They are wrapped keys: an old one opens
// only with the key that wrapped it. So after an erasure run Keyring.Compact, which gives the living keys another wrap key and
// destroys the old one. To be rid of the old pages as well, close the store, copy the file with the command "bbolt compact", and
// replace it by the copy. The file never shrinks by itself.
//
// # Backups
//
// Copy the file while no process has it open, or a snapshot of its file system: a copy of a file in use may be damaged. A file that is damaged is refused, as far as bbolt notices. It
// trusts the links between its pages, so one that somebody tampered with can also crash the process: keep it as safe as the service itself.
package boltstore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

const (
	maxLimit       = 1000 // rows of one List
	defaultTimeout = time.Second
	maxTimeout     = time.Minute
)

// Options are the settings of [Open]. nil and the zero value are the defaults.
type Options struct {
	// Timeout is how long Open waits for another process to close the file. 0 means 1 s; at most 1 minute.
	Timeout time.Duration
}

// Store is an [envelope.Store] in a file. It is safe for concurrent use; calls take turns. Make one with [Open].
type Store struct {
	path    string
	turn    chan struct{} // holds one while a call has what follows
	db      *bbolt.DB     // nil once closed, damaged, or when a write failed
	file    *os.File      // of db
	closed  bool
	damaged bool
}

var _ envelope.Store = (*Store)(nil)

// Open opens the file at path, or makes a new one of mode 0600 in a directory that exists. It fails with [envelope.ErrUnavailable] when another process, or
// another Store of this one, has it open, and when the disk fails; and with [kms.ErrInvalid] when the file can be read by others, is damaged, or is
// no such file. What the operating system says stays visible, such as fs.ErrNotExist for a missing directory.
func Open(path string, o *Options) (*Store, error) {
	s, err := open(path, o)
	if err != nil {
		return nil, fmt.Errorf("boltstore: open %q: %w", path, err)
	}
	return s, nil
}

func open(path string, o *Options) (*Store, error) {
	timeout := defaultTimeout
	if o != nil && o.Timeout != 0 {
		timeout = o.Timeout
	}
	switch {
	case path == "":
		return nil, fmt.Errorf("%w: give the path of a file", kms.ErrInvalid)
	case timeout < 0 || timeout > maxTimeout:
		return nil, fmt.Errorf("%w: Options.Timeout must be 0 to %v, not %v", kms.ErrInvalid, maxTimeout, timeout)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, turn: make(chan struct{}, 1)}
	if err := s.open(timeout); err != nil {
		return nil, err
	}
	return s, nil
}

// Get implements [envelope.Store].
func (s *Store) Get(ctx context.Context, key string) (row envelope.Row, err error) {
	if len(key) == 0 || len(key) > envelope.MaxRowKey {
		return envelope.Row{}, fmt.Errorf("boltstore: %w: a row's key must be 1 to %d bytes, not %d", kms.ErrInvalid, envelope.MaxRowKey, len(key))
	}
	err = s.do(ctx, (*bbolt.DB).View, func(b *bbolt.Bucket) (err error) {
		row, err = find(b, key)
		return err
	})
	if err != nil {
		return envelope.Row{}, fmt.Errorf("boltstore: get: %w", err)
	}
	return row, nil
}

// List implements [envelope.Store].
func (s *Store) List(ctx context.Context, prefix, after string, limit int) (rows []envelope.Row, err error) {
	if limit < 1 || limit > maxLimit {
		return nil, fmt.Errorf("boltstore: %w: a limit must be 1 to %d rows, not %d", kms.ErrInvalid, maxLimit, limit)
	}
	err = s.do(ctx, (*bbolt.DB).View, func(b *bbolt.Bucket) error {
		c := b.Cursor()
		for k, v := c.Seek([]byte(max(prefix, after))); k != nil && len(rows) < limit; k, v = c.Next() {
			key := string(k)
			if !strings.HasPrefix(key, prefix) {
				break
			}
			if key == after {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			row, err := decode(key, v)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("boltstore: list: %w", err)
	}
	return rows, nil
}

// Apply implements [envelope.Store]. ctx ends the wait for other calls, and not the writing. After an error that matches [envelope.ErrUnavailable] the changes may
// have been made.
func (s *Store) Apply(ctx context.Context, changes ...envelope.Change) error {
	if err := envelope.Validate(changes); err != nil {
		return fmt.Errorf("boltstore: apply: %w", err)
	}
	err := s.do(ctx, (*bbolt.DB).Update, func(b *bbolt.Bucket) error {
		for _, c := range changes {
			row, err := find(b, c.Key)
			if err != nil {
				return err
			}
			if row.Revision != c.Revision {
				return envelope.ErrConflict
			}
			if c.Check {
				continue
			}
			if err := b.Put([]byte(c.Key), encode(c.Row)); err != nil {
				return fmt.Errorf("%w: %w", envelope.ErrUnavailable, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("boltstore: apply: %w", err)
	}
	return nil
}

// Close waits for calls in flight and closes the file, which another process can then open.
func (s *Store) Close() error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.closed = true
	if s.db == nil {
		return nil
	}
	err := s.db.Close()
	s.abandon()
	if err != nil {
		return fmt.Errorf("boltstore: close: %w", err)
	}
	return nil
}
