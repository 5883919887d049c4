package envelope

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

// steps are those of RewrapFile, in order.
var steps = []string{
	"sync file", "create copy", "write copy", "sync copy", "rename copy", "sync directory",
	"write header", "sync header", "remove copy", "sync directory again",
}

// messageFile is a message in a file, whose key was rotated since.
type messageFile struct {
	path    string
	keyPath string
	key     *local.File
	s       *Sealer
	ec      kms.Context
	before  []byte
}

var filePlaintext = pattern(1000)

func newMessageFile(t testing.TB) *messageFile {
	t.Helper()
	m := &messageFile{path: filepath.Join(t.TempDir(), "message"), ec: kms.Context{"object": "backup"}}
	m.keyPath, m.key, m.s = newFile(t)
	m.before = sealStream(t, m.s, filePlaintext, m.ec, &aead.StreamOptions{SegmentSize: 64})
	require.NoError(t, os.WriteFile(m.path, m.before, 0o600))
	require.NoError(t, m.key.Rotate(t.Context()))
	return m
}

// header is the one that the file had at first.
func (m *messageFile) header() []byte { return m.before[:4096:4096] }

func (m *messageFile) write(t testing.TB, offset int, b []byte) {
	t.Helper()
	f, err := os.OpenFile(m.path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(b, int64(offset))
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func (m *messageFile) writeCopy(t testing.TB, b []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(copyPath(m.path), b, 0o600))
}

// opens tells whether the file opens; its body must be what it was in any case.
func (m *messageFile) opens(t testing.TB) bool {
	t.Helper()
	now, err := os.ReadFile(m.path)
	require.NoError(t, err)
	require.Equal(t, len(m.before), len(now))
	require.True(t, bytes.Equal(m.before[4096:], now[4096:]), "the body was changed")
	got, err := m.s.Open(context.Background(), now, m.ec)
	if err == nil {
		require.True(t, bytes.Equal(filePlaintext, got))
	}
	return err == nil
}

// requireRewrapped holds the file to the end of a RewrapFile that succeeded.
func (m *messageFile) requireRewrapped(t testing.TB) {
	t.Helper()
	require.True(t, m.opens(t))
	now, err := os.ReadFile(m.path)
	require.NoError(t, err)
	require.False(t, stale(t, m.key.Key(), now))
	require.NoFileExists(t, copyPath(m.path))
	entries, err := os.ReadDir(filepath.Dir(m.path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "a file was left behind")
}

// requireUntouched holds the file, and the copy where there is one, to their bytes.
func (m *messageFile) requireUntouched(t testing.TB, file, saved []byte) {
	t.Helper()
	now, err := os.ReadFile(m.path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(file, now), "the file was changed")
	if saved == nil {
		require.NoFileExists(t, copyPath(m.path))
		return
	}
	now, err = os.ReadFile(copyPath(m.path))
	require.NoError(t, err)
	require.True(t, bytes.Equal(saved, now), "the copy was changed")
}

func TestRewrapFile(t *testing.T) {
	m := newMessageFile(t)
	info, err := os.Stat(m.path)
	require.NoError(t, err)
	var done []string
	require.NoError(t, m.s.rewrapFile(t.Context(), disk{before: func(step string) error {
		done = append(done, step)
		return nil
	}}, m.path, m.ec))
	require.Equal(t, steps, done)
	m.requireRewrapped(t)
	require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
	m.requireRewrapped(t)
	now, err := os.Stat(m.path)
	require.NoError(t, err)
	require.True(t, os.SameFile(info, now), "another file is at the path")
	require.Equal(t, info.Mode(), now.Mode())
}

// TestRewrapFileOfBytes rewraps what Seal made, whose header has little room.
func TestRewrapFileOfBytes(t *testing.T) {
	_, key, s := newFile(t)
	path := filepath.Join(t.TempDir(), "message")
	require.NoError(t, os.WriteFile(path, seal(t, s, filePlaintext, nil), 0o600))
	require.NoError(t, key.Rotate(t.Context()))
	require.NoError(t, s.RewrapFile(t.Context(), path, nil))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.False(t, stale(t, key.Key(), b))
	requireOpens(t, s, b, filePlaintext, nil)
}

// TestRewrapFileDoesNotFit leaves a file alone whose header is too small.
func TestRewrapFileDoesNotFit(t *testing.T) {
	small, large := newFake("k"), newFake("l")
	large.pad = 200
	m := &messageFile{path: filepath.Join(t.TempDir(), "message")}
	m.before = seal(t, newSealer(t, small, nil), filePlaintext, nil)
	require.NoError(t, os.WriteFile(m.path, m.before, 0o600))
	require.ErrorIs(t, moving(t, large, small).RewrapFile(t.Context(), m.path, nil), ErrTooLarge)
	m.requireUntouched(t, m.before, nil)
}

// TestRewrapFileAfterHalf finds headers that were written in part, with a copy beside.
func TestRewrapFileAfterHalf(t *testing.T) {
	for _, from := range []int{0, 1, 2, 6, 20, 100, 512, 4064, 4095} {
		for _, to := range []int{1, 3, 30, 100, 150, 512, 4064, 4096} {
			if from >= to {
				continue
			}
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
				m := newMessageFile(t)
				fresh, err := m.s.RewrapHeader(t.Context(), m.header(), m.ec)
				require.NoError(t, err)
				m.writeCopy(t, m.header())
				m.write(t, from, fresh[from:to])
				require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
				m.requireRewrapped(t)
				m.write(t, from, make([]byte, to-from)) // a block that was never written
				m.writeCopy(t, m.header())
				require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
				m.requireRewrapped(t)
			})
			if testing.Short() {
				break
			}
		}
	}
}

// TestRewrapFileRecovers finds a header that is damaged in one field, with its copy beside.
func TestRewrapFileRecovers(t *testing.T) {
	for field, bit := range map[string]int{
		"first byte": 0, "version": 1 * 8, "H": 2 * 8, "H beyond the file": 2*8 + 6, "c": 5 * 8, "context": 20 * 8, "provider": 26 * 8,
		"key id": 40 * 8, "key version": 65 * 8, "blob": 100 * 8, "padding": 1000 * 8, "MAC": 4095 * 8,
	} {
		t.Run(field, func(t *testing.T) {
			m := newMessageFile(t)
			m.writeCopy(t, m.header())
			m.write(t, 0, flip(m.header(), bit))
			require.False(t, m.opens(t))
			require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
			m.requireRewrapped(t)
		})
	}
}

// TestRewrapFileStaleCopy has the old header in a copy beside a file that opens, which is not set back.
func TestRewrapFileStaleCopy(t *testing.T) {
	m := newMessageFile(t)
	for range 2 {
		m.writeCopy(t, m.header())
		require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
		m.requireRewrapped(t)
	}
}

// TestRewrapFileInTheWay has something else at the copy's name, which is refused and stays.
func TestRewrapFileInTheWay(t *testing.T) {
	m := newMessageFile(t)
	for name, saved := range map[string][]byte{
		"half a header":  m.header()[:2048],
		"empty":          {},
		"longer":         append(m.header(), m.header()...),
		"something else": []byte("somebody's notes"),
	} {
		t.Run(name, func(t *testing.T) {
			m.writeCopy(t, saved)
			require.Error(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
			m.requireUntouched(t, m.before, saved)
		})
	}
	t.Run("symbolic link", func(t *testing.T) {
		target := filepath.Join(t.TempDir(), "target")
		require.NoError(t, os.WriteFile(target, m.header(), 0o600))
		require.NoError(t, os.Remove(copyPath(m.path)))
		require.NoError(t, os.Symlink(target, copyPath(m.path)))
		require.Error(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
		m.requireUntouched(t, m.before, m.header())
	})
}

// TestRewrapFileThroughLink recovers by the file's own path what a run through a link left behind.
func TestRewrapFileThroughLink(t *testing.T) {
	m := newMessageFile(t)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(m.path, link))
	m.writeCopy(t, m.header())
	m.write(t, 100, []byte("torn"))
	require.NoError(t, m.s.RewrapFile(t.Context(), link, m.ec))
	m.requireRewrapped(t)
}

// TestRewrapFileKeepsWholeHeader has a copy beside a header that is whole, but under a key that this Sealer does not
// have: a move to the other key that somebody else has finished is not undone.
func TestRewrapFileKeepsWholeHeader(t *testing.T) {
	was, is := newFake("old"), newFake("new")
	path := filepath.Join(t.TempDir(), "message")
	old := newSealer(t, was, nil)
	before := sealStream(t, old, filePlaintext, nil, nil)
	require.NoError(t, os.WriteFile(path, before, 0o600))
	require.NoError(t, moving(t, is, was).RewrapFile(t.Context(), path, nil))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(copyPath(path), before[:4096], 0o600))
	require.ErrorIs(t, old.RewrapFile(t.Context(), path, nil), kms.ErrNotFound)
	m := &messageFile{path: path, before: before}
	m.requireUntouched(t, after, before[:4096])
}

// TestRewrapFileTornUnderAnyClass restores a torn header also where the provider has its own idea of what is wrong with it.
func TestRewrapFileTornUnderAnyClass(t *testing.T) {
	for _, class := range []error{kms.ErrCiphertext, kms.ErrInvalid, kms.ErrAccessDenied, kms.ErrNotFound, kms.ErrUnavailable} {
		t.Run(class.Error(), func(t *testing.T) {
			f := newFake("k")
			f.refuse = class
			m := &messageFile{path: filepath.Join(t.TempDir(), "message"), s: newSealer(t, f, nil)}
			m.before = sealStream(t, m.s, filePlaintext, nil, nil)
			require.NoError(t, os.WriteFile(m.path, m.before, 0o600))
			m.writeCopy(t, m.header())
			m.write(t, 40, []byte("torn")) // in the blob
			_, err := m.s.NewReaderAt(t.Context(), mustOpen(t, m.path), int64(len(m.before)), nil, nil)
			require.ErrorIs(t, err, class)
			require.NoError(t, m.s.RewrapFile(t.Context(), m.path, nil))
			require.True(t, m.opens(t))
			require.NoFileExists(t, copyPath(m.path))
		})
	}
}

func mustOpen(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// TestRewrapFileForeignCopy has a damaged header and a copy that is not its own: both stay as they are.
func TestRewrapFileForeignCopy(t *testing.T) {
	m := newMessageFile(t)
	other := sealStream(t, m.s, filePlaintext, m.ec, &aead.StreamOptions{SegmentSize: 64})
	otherContext := sealStream(t, m.s, filePlaintext, nil, nil)
	for damage, at := range map[string]int{"first byte": 0, "wrapped key": 60, "padding": 2000, "MAC": 4090} {
		for name, saved := range map[string][]byte{
			"same context":  other[:4096],
			"whole message": other,
			"other context": otherContext[:4096],
			"half":          m.header()[:2048],
			"empty":         {},
			"text":          []byte("text"),
		} {
			t.Run(damage+"/"+name, func(t *testing.T) {
				damaged := flip(m.before, at*8)
				require.NoError(t, os.WriteFile(m.path, damaged, 0o600))
				m.writeCopy(t, saved)
				require.Error(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
				m.requireUntouched(t, damaged, saved)
			})
		}
	}
}
