package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/internal/durable"
)

// disk does the writing of RewrapFile. before, which tests set, is called ahead of each step and may fail it.
type disk struct{ before func(step string) error }

func (d disk) do(step string, f func() error) error {
	if d.before != nil {
		if err := d.before(step); err != nil {
			return err
		}
	}
	return f()
}

// freshCopyPath is where the copy is written before it takes its name.
func freshCopyPath(path string) string { return copyPath(path) + ".new" }

// saveCopy writes the copy and makes it durable, its name included. A copy that is there stays whole until then.
func (d disk) saveCopy(path string, header []byte) error {
	fresh := freshCopyPath(path)
	var f *os.File
	if err := d.do("create copy", func() (err error) {
		if info, err := os.Lstat(fresh); err == nil && (!info.Mode().IsRegular() || info.Size() > maxHeader) {
			return fmt.Errorf("%q is in the way: move it", fresh)
		}
		os.Remove(fresh) // a killed run's
		f, err = os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	}); err != nil {
		return err
	}
	err := d.do("write copy", func() error { _, err := f.Write(header); return err })
	if err == nil {
		err = d.do("sync copy", f.Sync)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.do("rename copy", func() error { return os.Rename(fresh, copyPath(path)) })
	}
	if err != nil {
		os.Remove(fresh)
		return err
	}
	if err := d.do("sync directory", func() error { return durable.SyncDir(filepath.Dir(path)) }); err != nil {
		os.Remove(copyPath(path))
		return err
	}
	return nil
}

// replaceHeader writes a header over one of the same length and reads it back.
func (d disk) replaceHeader(f *os.File, header []byte) error {
	if err := d.do("write header", func() error { _, err := f.WriteAt(header, 0); return err }); err != nil {
		return err
	}
	if err := d.do("sync header", f.Sync); err != nil {
		return err
	}
	back := make([]byte, len(header))
	if _, err := f.ReadAt(back, 0); err != nil {
		return err
	}
	if !bytes.Equal(back, header) {
		return errors.New("the header read back is not the one written")
	}
	return nil
}

func (d disk) removeCopy(path string) error {
	if err := d.do("remove copy", func() error { return os.Remove(copyPath(path)) }); err != nil {
		return err
	}
	return d.do("sync directory again", func() error { return durable.SyncDir(filepath.Dir(path)) })
}
