package hpke

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/holdfast-go/holdfast/internal/durable"
	"github.com/holdfast-go/holdfast/internal/keyfile"
	"github.com/holdfast-go/holdfast/kms"
)

const fileMode = 0o600

// WriteFile writes text, which is what PEM or Seal of a key returned, to a new file at path, in a
// directory that exists: of mode 0600, or 0644 for a public key. It returns when that is durable. It never replaces a file: it fails with an error that
// matches fs.ErrExist when there is anything at path. Text that no key comes out of is [kms.ErrInvalid], as far as that
// shows without the key that a sealed one is under. A crash meanwhile may leave a part of the file, which does not open.
func WriteFile(path string, text []byte) error {
	if err := writeFile(path, text); err != nil {
		return fmt.Errorf("kms/hpke: write %q: %w", path, err)
	}
	return nil
}

func writeFile(path string, text []byte) (err error) {
	kind, err := check(text)
	if err != nil {
		return err
	}
	mode := fs.FileMode(fileMode)
	if kind == publicType {
		mode = 0o644 // for services of other users
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return keyfile.Error(err)
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return keyfile.Error(err)
}

// readFile reads the file at path. It opens no pipe, which would wait for a writer.
func readFile(path string) (text []byte, mode fs.FileMode, err error) {
	was, err := os.Stat(path)
	if err != nil {
		return nil, 0, keyfile.Error(err)
	}
	if !was.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%w: not a regular file", kms.ErrInvalid)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, keyfile.Error(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, keyfile.Error(err)
	case info.Size() > maxFile:
		return nil, 0, fmt.Errorf("%w: over %d bytes, which no key file is", kms.ErrInvalid, maxFile)
	}
	text = make([]byte, info.Size())
	if _, err := io.ReadFull(f, text); err != nil {
		clear(text)
		return nil, 0, keyfile.Error(err)
	}
	return text, info.Mode().Perm(), nil
}

// checkMode refuses a private key that others may read, and a public one that others may replace.
func checkMode(path string, mode fs.FileMode, kind string) error {
	switch {
	case runtime.GOOS == "windows":
	case kind != publicType && mode&^fileMode != 0:
		return fmt.Errorf("%w: the private key's mode is %04o: run chmod 600 %q", kms.ErrInvalid, mode, path)
	case kind == publicType && mode&0o022 != 0:
		return fmt.Errorf("%w: the public key's mode is %04o, so others may replace it: run chmod go-w %q", kms.ErrInvalid, mode, path)
	}
	return nil
}
