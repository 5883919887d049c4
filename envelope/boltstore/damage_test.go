package boltstore

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// change writes over a row.
func change(t testing.TB, s *Store, key, value string) error {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	require.NoError(t, err)
	r.Value = []byte(value)
	return s.Apply(t.Context(), envelope.Change{Row: r})
}

// fails requires that all methods fail with err.
func fails(t testing.TB, s *Store, err error) {
	t.Helper()
	_, got := s.Get(t.Context(), "a")
	require.ErrorIs(t, got, err)
	_, got = s.List(t.Context(), "", "", 10)
	require.ErrorIs(t, got, err)
	require.ErrorIs(t, s.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: "new"}}), err)
}

func TestDamagedValue(t *testing.T) {
	s := newStore(t)
	put(t, s, "good", "one")
	require.NoError(t, s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucket)).Put([]byte("bad"), []byte("short"))
	}))
	_, err := s.Get(t.Context(), "bad")
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = s.List(t.Context(), "", "", 10)
	require.ErrorIs(t, err, kms.ErrInvalid)
	for _, revision := range []uint64{0, 1} {
		bad := envelope.Change{Row: envelope.Row{Key: "bad", Revision: revision}}
		require.ErrorIs(t, s.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: "new"}}, bad), kms.ErrInvalid)
	}
	require.NoError(t, change(t, s, "good", "two"), "the other rows can be used")
	r, err := s.Get(t.Context(), "new")
	require.NoError(t, err)
	require.Zero(t, r.Revision)
}

func TestDamagedKey(t *testing.T) {
	s := newStore(t)
	require.NoError(t, s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucket)).Put([]byte(strings.Repeat("k", envelope.MaxRowKey+1)), encode(envelope.Row{}))
	}))
	_, err := s.List(t.Context(), "", "", 10)
	require.ErrorIs(t, err, kms.ErrInvalid)
}

func TestNoBucket(t *testing.T) {
	s := newStore(t)
	require.NoError(t, s.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(bucket)) }))
	fails(t, s, kms.ErrInvalid)
}

// TestDamagedInUse damages the file under an open Store. It fails from then on, lets go of the lock, and neither crashes nor hangs.
func TestDamagedInUse(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string, size int64){
		"cut": func(t *testing.T, path string, _ int64) { // which makes reads fault
			require.NoError(t, os.Truncate(path, 0))
		},
		"wiped": func(t *testing.T, path string, size int64) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			require.NoError(t, err)
			defer f.Close()
			page := int64(os.Getpagesize())
			_, err = f.WriteAt(make([]byte, size-2*page), 2*page)
			require.NoError(t, err)
		},
	} {
		for use, f := range map[string]func(ctx context.Context, s *Store) error{
			"read": func(ctx context.Context, s *Store) error {
				_, err := s.Get(ctx, "a")
				return err
			},
			"list": func(ctx context.Context, s *Store) error {
				_, err := s.List(ctx, "", "", 10)
				return err
			},
			"write": func(ctx context.Context, s *Store) error {
				return s.Apply(ctx, envelope.Change{Row: envelope.Row{Key: "new"}})
			},
		} {
			t.Run(name+" and "+use, func(t *testing.T) {
				s := newStore(t)
				for _, key := range []string{"a", "b", "c"} {
					put(t, s, key, strings.Repeat(key, 5000))
				}
				info, err := os.Stat(s.path)
				require.NoError(t, err)
				damage(t, s.path, info.Size())
				require.ErrorIs(t, f(t.Context(), s), kms.ErrInvalid)
				fails(t, s, kms.ErrInvalid)

				require.NoError(t, os.Remove(s.path))
				fails(t, s, kms.ErrInvalid)
				other := reopen(t, s.path) // a new file: restored, say
				put(t, other, "a", "one")
				fails(t, s, kms.ErrInvalid)
				require.NoError(t, s.Close())
				fails(t, s, envelope.ErrClosed)
			})
		}
	}
}

func TestDamagedLetsGo(t *testing.T) {
	s := newStore(t)
	require.NoError(t, s.guard(func() error { return nil }))
	require.ErrorIs(t, s.guard(func() error { panic("of bbolt's") }), kms.ErrInvalid)
	fails(t, s, kms.ErrInvalid)
	reopen(t, s.path)
}

// TestWriteFails has the disk fail while a write is made: the store opens its file anew, and says that the changes may have been made.
func TestWriteFails(t *testing.T) {
	s := newStore(t)
	put(t, s, "a", "one")
	for range 3 {
		require.NoError(t, s.file.Close())
		require.ErrorIs(t, change(t, s, "a", "two"), envelope.ErrUnavailable)
		r, err := s.Get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, "one", string(r.Value))
	}
	require.NoError(t, change(t, s, "a", "two"))

	require.NoError(t, s.file.Close())
	require.ErrorIs(t, change(t, s, "a", "three"), envelope.ErrUnavailable)
	other := reopen(t, s.path) // somebody else was faster
	fails(t, s, envelope.ErrUnavailable)
	require.NoError(t, change(t, other, "a", "four"))
	require.NoError(t, other.Close())
	r, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "four", string(r.Value))

	require.NoError(t, s.file.Close())
	require.ErrorIs(t, change(t, s, "a", "five"), envelope.ErrUnavailable)
	require.NoError(t, s.Close())
	fails(t, s, envelope.ErrClosed)
}

// TestReadsWait has no call read what is not on the disk yet.
func TestReadsWait(t *testing.T) {
	s := newStore(t)
	put(t, s, "a", "one")
	s.turn <- struct{}{} // as an Apply does until its changes are on the disk
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.Get(ctx, "a")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = s.List(ctx, "", "", 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	<-s.turn
	_, err = s.Get(t.Context(), "a")
	require.NoError(t, err)
}

// TestSyncs has every Apply reach the disk before it returns.
func TestSyncs(t *testing.T) {
	s := newStore(t)
	require.False(t, s.db.NoSync)
	require.False(t, s.db.NoGrowSync)
	require.False(t, s.db.NoFreelistSync)
}
