package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	f := newTestFile(t)
	for mode := range fs.FileMode(0o1000) {
		if mode&0o400 == 0 {
			continue // can't be read at all
		}
		require.NoError(t, os.Chmod(f.d.path, mode))
		again, err := Open(f.d.path, nil)
		if mode&^0o600 == 0 {
			require.NoError(t, err, "%04o", mode)
			require.NoError(t, again.Close())
			continue
		}
		require.ErrorIs(t, err, kms.ErrInvalid, "%04o", mode)
		require.ErrorContains(t, err, "chmod 600 "+strconv.Quote(f.d.path)) // the fix is in the text
	}
	require.ErrorIs(t, f.Rotate(t.Context()), kms.ErrInvalid, "the mode counts at every reading")
}

// TestBadPaths has paths that no wait mends, so none of them is an outage.
func TestBadPaths(t *testing.T) {
	f := newTestFile(t)
	dir := filepath.Dir(f.d.path)
	for _, c := range []struct {
		name, path string
		unix       bool // Windows says something else
		want       error
	}{
		{"below a file", filepath.Join(f.d.path, "key.json"), false, kms.ErrNotFound},
		{"NUL", filepath.Join(dir, "a\x00b"), false, kms.ErrInvalid},
		{"name too long", filepath.Join(dir, strings.Repeat("x", 5000)), true, kms.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.unix && runtime.GOOS == "windows" {
				t.Skip("this is of Unix")
			}
			_, err := Open(c.path, nil)
			require.ErrorIs(t, err, c.want)
			require.NotErrorIs(t, err, kms.ErrUnavailable)
			_, err = Create(c.path, nil)
			require.ErrorIs(t, err, c.want)
			require.NotErrorIs(t, err, kms.ErrUnavailable)
		})
	}
	if runtime.GOOS != "windows" {
		loop := filepath.Join(dir, "loop") // in place of the directory, after it was resolved
		require.NoError(t, os.Symlink(loop, loop))
		_, err := readFile(filepath.Join(loop, "key.json"))
		require.ErrorIs(t, err, kms.ErrInvalid)
		require.NotErrorIs(t, err, kms.ErrUnavailable)
	}
}

func TestWriteFails(t *testing.T) {
	f := newTestFile(t)
	w := wrap(t, f, "secret")
	dir, name := filepath.Split(f.d.path)
	// A directory in the new file's place stands for a disk that refuses.
	require.NoError(t, os.Mkdir(filepath.Join(dir, "."+name+".holdfast-new"), 0o700))
	require.Error(t, f.Rotate(t.Context()))
	require.Error(t, f.Destroy(t.Context()))
	require.Equal(t, "1", f.d.CurrentVersion())
	w.opens(t, f)
	w.opens(t, reopen(t, f))
	require.NoError(t, os.Remove(filepath.Join(dir, "."+name+".holdfast-new")))
	require.NoError(t, f.Rotate(t.Context()))
}

func TestFileVanishes(t *testing.T) {
	f := newTestFile(t)
	w := wrap(t, f, "secret")
	require.NoError(t, os.Remove(f.d.path))
	require.ErrorIs(t, f.Rotate(t.Context()), kms.ErrNotFound)
	_, err := f.Key().Describe(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = os.Stat(f.d.path)
	require.ErrorIs(t, err, fs.ErrNotExist, "nothing made a new one")
	w.opens(t, f)
}

func TestLockIsTaken(t *testing.T) {
	f := newTestFile(t)
	unlock, err := lockFile(t.Context(), f.d.path)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = f.Rotate(ctx)
	require.ErrorIs(t, err, kms.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	wrap(t, f, "secret").opens(t, reopen(t, f)) // readers don't wait

	// A call of this File that waits behind another one gives up with its context too.
	waits := make(chan error, 1)
	long, stop := context.WithCancel(t.Context())
	go func() { waits <- f.Rotate(long) }()
	for len(f.d.file) == 0 {
		time.Sleep(time.Millisecond)
	}
	brief, cancel2 := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel2()
	require.ErrorIs(t, f.Disable(brief), context.DeadlineExceeded)
	stop()
	require.ErrorIs(t, <-waits, context.Canceled)
	unlock()
	require.NoError(t, f.Rotate(t.Context()))
}

func TestConcurrentUse(t *testing.T) {
	f := newTestFile(t)
	var callers sync.WaitGroup
	errs := make(chan error, 100)
	for i := range 8 {
		callers.Go(func() {
			for j := range 10 {
				w, err := f.d.Wrap(t.Context(), fmt.Append(nil, i), nil)
				if err == nil {
					_, err = f.d.Unwrap(t.Context(), w, nil)
				}
				if err == nil && i == 0 {
					err = f.Rotate(t.Context())
				}
				if err == nil && i == 1 {
					_, err = f.d.Describe(t.Context())
				}
				if err != nil && !(errors.Is(err, kms.ErrClosed) && j > 0) {
					errs <- err
				}
			}
		})
	}
	callers.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	for _, end := range []func() error{func() error { return f.Destroy(t.Context()) }, f.Close} {
		for range 4 { // calls in flight while the keys go
			callers.Go(func() {
				for range 50 {
					if w, err := f.d.Wrap(t.Context(), []byte("x"), nil); err == nil {
						f.d.Unwrap(t.Context(), w, nil)
					}
				}
			})
		}
		require.NoError(t, end())
		callers.Wait()
	}
}
