//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd) || android

package boltstore

import "os"

// unlock does nothing: closing the file gives the lock back.
func unlock(*os.File) {}
