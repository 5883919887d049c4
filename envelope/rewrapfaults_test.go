package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

var errDisk = errors.New("disk full")

// TestRewrapFileDiskFails has each step fail, once and for good, before and halfway.
func TestRewrapFileDiskFails(t *testing.T) {
	for i, step := range steps {
		for _, part := range []float64{0, 0.5, 1} {
			if part > 0 && step != "write copy" && step != "write header" {
				continue
			}
			for _, times := range []int{1, 1000} {
				t.Run(fmt.Sprintf("%s/part=%v/times=%d", step, part, times), func(t *testing.T) {
					m := newMessageFile(t)
					left := times
					err := m.s.rewrapFile(t.Context(), disk{before: func(now string) error {
						if now != step || left == 0 {
							return nil
						}
						if left == times {
							m.tear(t, step, part)
						}
						left--
						return errDisk
					}}, m.path, m.ec)
					require.ErrorIs(t, err, errDisk)
					opens := m.opens(t)
					switch {
					case i < 6: // nothing but the copy was written
						require.True(t, opens)
						now, err := os.ReadFile(m.path)
						require.NoError(t, err)
						require.True(t, bytes.Equal(m.before, now))
					case times == 1 && i < 8: // put back
						require.True(t, opens)
						require.NoFileExists(t, copyPath(m.path))
					case !opens:
						require.FileExists(t, copyPath(m.path))
					}
					require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
					m.requireRewrapped(t)
				})
			}
		}
	}
}

// TestRewrapFileDiskFailsInRecovery has the steps fail while a copy is put back.
func TestRewrapFileDiskFailsInRecovery(t *testing.T) {
	for _, step := range []string{"write header", "sync header"} {
		for _, part := range []float64{0, 0.5, 1} {
			t.Run(fmt.Sprintf("%s/part=%v", step, part), func(t *testing.T) {
				m := newMessageFile(t)
				m.writeCopy(t, m.header())
				m.tear(t, "write header", 0.03)
				require.False(t, m.opens(t))
				err := m.s.rewrapFile(t.Context(), disk{before: func(now string) error {
					if now != step {
						return nil
					}
					m.tear(t, "write header", part)
					return errDisk
				}}, m.path, m.ec)
				require.ErrorIs(t, err, errDisk)
				saved, err := os.ReadFile(copyPath(m.path))
				require.NoError(t, err)
				require.True(t, bytes.Equal(m.header(), saved), "the only good header is gone")
				require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
				m.requireRewrapped(t)
			})
		}
	}
}

// tear writes a part of what the step would write, through a handle of its own.
func (m *messageFile) tear(t testing.TB, step string, part float64) {
	t.Helper()
	header := m.header()
	size := int(part * float64(len(header)))
	switch step {
	case "write copy":
		require.NoError(t, os.WriteFile(freshCopyPath(m.path), header[:size], 0o600))
	case "write header":
		fresh, err := m.s.RewrapHeader(t.Context(), header, m.ec)
		require.NoError(t, err)
		m.write(t, 0, fresh[:size])
	}
}

// TestRewrapFileReadBack has the header change between the write and its check.
func TestRewrapFileReadBack(t *testing.T) {
	m := newMessageFile(t)
	spoil := true
	err := m.s.rewrapFile(t.Context(), disk{before: func(step string) error {
		if step == "sync header" && spoil {
			spoil = false
			m.write(t, 3000, []byte{1})
		}
		return nil
	}}, m.path, m.ec)
	require.Error(t, err)
	require.True(t, m.opens(t))
	require.NoFileExists(t, copyPath(m.path))
	require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
	m.requireRewrapped(t)
}

// TestRewrapFileSyncsInOrder looks at the disk ahead of each step: the old header is never without a copy once
// the new one is being written, nor a copy that was there before.
func TestRewrapFileSyncsInOrder(t *testing.T) {
	m := newMessageFile(t)
	m.writeCopy(t, m.header())
	require.NoError(t, m.s.rewrapFile(t.Context(), disk{before: func(step string) error {
		saved, err := os.ReadFile(copyPath(m.path))
		switch step {
		case "sync directory again":
			require.ErrorIs(t, err, os.ErrNotExist)
		default:
			require.True(t, bytes.Equal(m.header(), saved), step)
		}
		return nil
	}}, m.path, m.ec))
	m.requireRewrapped(t)
}

// TestRewrapFileTwiceAtOnce starts a second RewrapFile while the first is at work.
func TestRewrapFileTwiceAtOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no lock here: keeping others away is the caller's to do")
	}
	m := newMessageFile(t)
	require.NoError(t, m.s.rewrapFile(t.Context(), disk{before: func(step string) error {
		require.Error(t, m.s.RewrapFile(t.Context(), m.path, m.ec), step)
		return nil
	}}, m.path, m.ec))
	m.requireRewrapped(t)
	require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
}
