package boltstore

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

func TestOpenMakesPrivateFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode there")
	}
	s := newStore(t)
	info, err := os.Stat(s.path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
}

func TestOpenRefusesOptions(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"negative": -1, "too long": time.Minute + 1} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			_, err := Open(path, &Options{Timeout: timeout})
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.NoFileExists(t, path)
		})
	}
	s, err := Open(newPath(t), &Options{Timeout: time.Minute})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestOpenRefusesPaths(t *testing.T) {
	_, err := Open("", nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = Open(filepath.Join(t.TempDir(), "missing", "keys.db"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	_, err = Open(t.TempDir(), nil)
	require.Error(t, err)
}

func TestOpenRefusesReadable(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode there")
	}
	path := newPath(t)
	require.NoError(t, reopen(t, path).Close())
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o700} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := Open(path, nil)
		require.ErrorIs(t, err, kms.ErrInvalid, "%v", mode)
	}
	require.NoError(t, os.Chmod(path, 0o600))
	reopen(t, path)
}

func TestOpenElsewhere(t *testing.T) {
	s := newStore(t)
	put(t, s, "a", "one")
	_, err := Open(s.path, &Options{Timeout: time.Millisecond})
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	require.NotErrorIs(t, err, kms.ErrInvalid)
	r, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "one", string(r.Value))
	require.NoError(t, s.Close())
	reopen(t, s.path)
}

func TestOpenKeepsOthersFiles(t *testing.T) {
	path := newPath(t)
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("of another program"))
		return err
	}))
	require.NoError(t, db.Close())
	_, err = Open(path, nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second}) // and it is not locked
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		require.Nil(t, tx.Bucket([]byte(bucket)))
		return nil
	}))
	require.NoError(t, db.Close())
}

// file returns the bytes of a good file with rows that take many pages.
func file(t testing.TB) []byte {
	t.Helper()
	s := newStore(t)
	for _, key := range []string{"a", "b", "c", "d"} {
		put(t, s, key, strings.Repeat(key, 3000))
	}
	require.NoError(t, s.Close())
	b, err := os.ReadFile(s.path)
	require.NoError(t, err)
	return b
}

func TestOpenRefusesGarbage(t *testing.T) {
	good, page := file(t), os.Getpagesize()
	spoiled := func(from, to int) []byte {
		b := append([]byte{}, good...)
		for i := from; i < to; i++ {
			b[i] ^= 0x5a
		}
		return b
	}
	for name, b := range map[string][]byte{
		"one byte":       {1},
		"text":           []byte(strings.Repeat("this is no database\n", 1000)),
		"zeros":          make([]byte, 100_000),
		"ones":           []byte(strings.Repeat("\xff", 100_000)),
		"half a page":    good[:page/2],
		"one page":       good[:page],
		"one and a half": good[:page*3/2],
		"no meta pages":  spoiled(0, 2*page),
		"no checksums":   spoiled(page-1, page+80),
	} {
		if name == "no checksums" { // of both meta pages
			for i := 16; i < 80; i++ {
				b[i] ^= 0x5a
			}
		}
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			require.NoError(t, os.WriteFile(path, b, 0o600))
			_, err := Open(path, nil)
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.NotErrorIs(t, err, envelope.ErrUnavailable)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, len(b), len(after), "it was written to")
			require.True(t, string(b) == string(after), "it was written to")

			require.NoError(t, os.WriteFile(path, good, 0o600))
			reopen(t, path) // and it is not locked
		})
	}
}

// TestOpenDamaged cuts a file and spoils pages of it, which bbolt does not look at before it needs them. It never crashes.
func TestOpenDamaged(t *testing.T) {
	good, page := file(t), os.Getpagesize()
	for n := 2; n < len(good)/page; n++ {
		wiped := append([]byte{}, good...)
		clear(wiped[n*page : (n+1)*page])
		for name, b := range map[string][]byte{"cut": good[:n*page], "wiped": wiped} {
			path := newPath(t)
			require.NoError(t, os.WriteFile(path, b, 0o600))
			s, err := Open(path, nil)
			if err != nil {
				require.ErrorIs(t, err, kms.ErrInvalid, "page %d is %s", n, name)
				continue
			}
			for _, key := range []string{"a", "b", "c", "d"} {
				r, err := s.Get(t.Context(), key)
				if err != nil {
					require.ErrorIs(t, err, kms.ErrInvalid, "page %d is %s", n, name)
				} else if r.Revision != 0 && name == "cut" {
					require.True(t, string(r.Value) == strings.Repeat(key, 3000))
				}
			}
			_, err = s.List(t.Context(), "", "", 10)
			if err != nil {
				require.ErrorIs(t, err, kms.ErrInvalid, "page %d is %s", n, name)
			}
			require.NoError(t, s.Close())
		}
	}
}

// TestOpenCommits has Open make durable whatever can be read, since the last process may not have come to it.
func TestOpenCommits(t *testing.T) {
	s := newStore(t)
	commits := func(s *Store) (n int) {
		require.NoError(t, s.db.View(func(tx *bbolt.Tx) error {
			n = tx.ID()
			return nil
		}))
		return n
	}
	before := commits(s)
	require.NoError(t, s.Close())
	require.Equal(t, before+1, commits(reopen(t, s.path)))
}
