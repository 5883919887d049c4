package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeFile has write fill a file of mode 0600 beside path, which takes the name path once all of it is on the
// disk. It returns its size. Whatever fails, path is as it was before.
func writeFile(path string, force bool, write func(io.Writer) error) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".partial-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return 0, err
	}
	if err := f.Close(); err != nil {
		return 0, err
	}
	return size, publish(f.Name(), path, force)
}

// publish gives the file temp the name path. Without force it does not replace a file that has turned up meanwhile.
func publish(temp, path string, force bool) error {
	if force {
		return os.Rename(temp, path)
	}
	err := os.Link(temp, path) // unlike a rename it never replaces anything
	if err == nil {
		return os.Remove(temp)
	}
	if _, statErr := os.Lstat(path); !errors.Is(statErr, fs.ErrNotExist) {
		return existing(path)
	}
	return os.Rename(temp, path) // a file system without links
}
