// Package durable makes names in a directory outlive a crash.
package durable

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// SyncDir makes what was created, renamed or removed in dir durable. On Windows,
// which can't sync directories, it does nothing.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
