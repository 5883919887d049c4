package envelope

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// TestRewrapFileRefuses has errors before the first write: nothing is touched.
func TestRewrapFileRefuses(t *testing.T) {
	m := newMessageFile(t)
	torn := slices.Clone(m.before)
	copy(torn[50:], make([]byte, 100))
	wrong := kms.Context{"object": "another"}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name        string
		ctx         context.Context
		file, saved []byte
		ec          kms.Context
		want        error
	}{
		{"wrong context", t.Context(), m.before, nil, wrong, ErrOpen},
		{"wrong context with copy", t.Context(), m.before, m.header(), wrong, ErrOpen},
		{"torn", t.Context(), torn, nil, m.ec, ErrFormat},
		{"torn, wrong context", t.Context(), torn, m.header(), wrong, ErrOpen},
		{"torn, reserved context", t.Context(), torn, m.header(), kms.Context{"holdfast:x": ""}, kms.ErrInvalid},
		{"cancelled", cancelled, m.before, nil, m.ec, context.Canceled},
		{"torn, cancelled", cancelled, flip(m.before, 100*8), m.header(), m.ec, context.Canceled},
		{"text", t.Context(), []byte("just some text"), nil, m.ec, ErrFormat},
		{"empty", t.Context(), nil, nil, m.ec, ErrTruncated},
		{"cut header", t.Context(), m.before[:4000], nil, m.ec, ErrTruncated},
		{"no body", t.Context(), m.header(), nil, m.ec, ErrTruncated},
		{"body of another", t.Context(), flip(m.before, 4096*8+500), nil, m.ec, ErrOpen},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(m.path, tc.file, 0o600))
			require.NoError(t, os.RemoveAll(copyPath(m.path)))
			if tc.saved != nil {
				m.writeCopy(t, tc.saved)
			}
			err := m.s.RewrapFile(tc.ctx, m.path, tc.ec)
			require.ErrorIs(t, err, tc.want)
			m.requireUntouched(t, append([]byte{}, tc.file...), tc.saved)
		})
	}
}

// TestRewrapFileOutage has the KMS fail at each of its calls, with a good and with a torn header.
func TestRewrapFileOutage(t *testing.T) {
	for _, failure := range []error{kms.ErrUnavailable, kms.ErrDisabled, kms.ErrAccessDenied, kms.ErrThrottled} {
		for _, torn := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, torn=%v", failure, torn), func(t *testing.T) {
				f := newFake("k")
				m := &messageFile{path: filepath.Join(t.TempDir(), "message"), s: newSealer(t, f, nil)}
				m.before = sealStream(t, m.s, filePlaintext, nil, nil)
				file, saved := m.before, []byte(nil)
				if torn {
					file, saved = flip(m.before, 60*8), m.header()
				}
				for call := 0; ; call++ {
					require.Less(t, call, 10)
					require.NoError(t, os.WriteFile(m.path, file, 0o600))
					if torn {
						m.writeCopy(t, saved)
					}
					left := call
					f.before = func(context.Context, string) error {
						if left--; left < 0 {
							return failure
						}
						return nil
					}
					err := m.s.RewrapFile(t.Context(), m.path, nil)
					f.before = nil
					if err == nil {
						require.GreaterOrEqual(t, call, 3)
						require.True(t, m.opens(t))
						require.NoFileExists(t, copyPath(m.path))
						break
					}
					require.ErrorIs(t, err, failure)
					if !torn {
						m.requireUntouched(t, file, nil)
						continue
					}
					if call < 2 { // one for the damaged header and one for the copy
						m.requireUntouched(t, file, saved)
					} else {
						require.True(t, m.opens(t), "not put back")
					}
					require.NoError(t, m.s.RewrapFile(t.Context(), m.path, nil))
					require.True(t, m.opens(t))
				}
			})
		}
	}
}

// TestRewrapFileShortOutage has the KMS fail once, at a file that opens and has an old copy beside it.
func TestRewrapFileShortOutage(t *testing.T) {
	f := newFake("k")
	m := &messageFile{path: filepath.Join(t.TempDir(), "message"), s: newSealer(t, f, nil)}
	m.before = sealStream(t, m.s, filePlaintext, nil, nil)
	fresh, err := m.s.RewrapHeader(t.Context(), m.header(), nil)
	require.NoError(t, err)
	file := slices.Concat(fresh, m.before[4096:])
	require.NoError(t, os.WriteFile(m.path, file, 0o600))
	m.writeCopy(t, m.header())
	f.unwraps.Store(0)
	f.before = func(context.Context, string) error {
		if f.unwraps.Load() == 1 {
			return kms.ErrUnavailable
		}
		return nil
	}
	require.ErrorIs(t, m.s.RewrapFile(t.Context(), m.path, nil), kms.ErrUnavailable)
	m.requireUntouched(t, file, m.header())
}

// miswrapping is a KMS that answers a wrap with bytes that don't unwrap.
type miswrapping struct{ *fake }

func (f miswrapping) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	w, err := f.fake.Wrap(ctx, plaintext, ec)
	if err == nil {
		w.Blob[0] ^= 1
	}
	return w, err
}

// TestRewrapFileBadWrap would lose the data key if the new header was not opened before the old one is gone.
func TestRewrapFileBadWrap(t *testing.T) {
	f := newFake("k")
	m := &messageFile{path: filepath.Join(t.TempDir(), "message"), s: newSealer(t, f, nil)}
	m.before = sealStream(t, m.s, filePlaintext, nil, nil)
	require.NoError(t, os.WriteFile(m.path, m.before, 0o600))
	require.ErrorIs(t, newSealer(t, miswrapping{f}, nil).RewrapFile(t.Context(), m.path, nil), ErrOpen)
	m.requireUntouched(t, m.before, nil)
}

func TestRewrapFilePaths(t *testing.T) {
	m := newMessageFile(t)
	dir := t.TempDir()
	require.ErrorIs(t, m.s.RewrapFile(t.Context(), filepath.Join(dir, "missing"), m.ec), fs.ErrNotExist)
	require.NoFileExists(t, filepath.Join(dir, "missing"))
	require.NoFileExists(t, filepath.Join(dir, "missing.header"))
	require.Error(t, m.s.RewrapFile(t.Context(), dir, m.ec))
	require.NoFileExists(t, dir+".header")

	// Through a link the file is rewrapped, and the link stays one.
	link := filepath.Join(dir, "link")
	if err := os.Symlink(m.path, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	require.NoError(t, m.s.RewrapFile(t.Context(), link, m.ec))
	m.requireRewrapped(t)
	require.NoFileExists(t, link+".header")
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeSymlink)
}

// TestRewrapFileCopyInTheWay has something at the copy's name that can't be written.
func TestRewrapFileCopyInTheWay(t *testing.T) {
	m := newMessageFile(t)
	require.NoError(t, os.Mkdir(copyPath(m.path), 0o700))
	require.Error(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
	now, err := os.ReadFile(m.path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(m.before, now))
}

func TestRewrapFileReadOnly(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write every file: run the tests as another user")
	}
	m := newMessageFile(t)
	require.NoError(t, os.Chmod(m.path, 0o400))
	require.ErrorIs(t, m.s.RewrapFile(t.Context(), m.path, m.ec), fs.ErrPermission)
	m.requireUntouched(t, m.before, nil)
	require.NoError(t, os.Chmod(m.path, 0o600))
	dir := filepath.Dir(m.path)
	require.NoError(t, os.Chmod(dir, 0o500))
	defer func() { require.NoError(t, os.Chmod(dir, 0o700)) }()
	require.ErrorIs(t, m.s.RewrapFile(t.Context(), m.path, m.ec), fs.ErrPermission)
	m.requireUntouched(t, m.before, nil)
}

// TestRewrapFileCalls counts what a file costs at the KMS: one unwrap of the old header, one wrap, one unwrap of the new one.
func TestRewrapFileCalls(t *testing.T) {
	f := newFake("k")
	m := &messageFile{path: filepath.Join(t.TempDir(), "message"), s: newSealer(t, f, nil)}
	m.before = sealStream(t, m.s, filePlaintext, nil, nil)
	require.NoError(t, os.WriteFile(m.path, m.before, 0o600))
	f.wraps.Store(0)
	f.unwraps.Store(0)
	require.NoError(t, m.s.RewrapFile(t.Context(), m.path, nil))
	require.EqualValues(t, 1, f.wraps.Load())
	require.EqualValues(t, 2, f.unwraps.Load())
	require.True(t, m.opens(t))
}
