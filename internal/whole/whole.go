// Package whole reads and writes a slice to its end, or says in one error why not.
package whole

import (
	"errors"
	"fmt"
	"io"
)

const maxIdle = 100 // reads of no byte in a row, as bufio has it

// Read fills b from r. It returns io.EOF when r ends before, having read n bytes. Unlike io.ReadFull it tells an end
// from a source that fails with io.ErrUnexpectedEOF, and gives up on one that reads nothing for ever with io.ErrNoProgress.
func Read(r io.Reader, b []byte) (n int, err error) {
	for idle := 0; n < len(b); {
		m, err := r.Read(b[n:])
		if m < 0 || m > len(b)-n {
			return n, fmt.Errorf("source read %d bytes into room for %d", m, len(b)-n)
		}
		n += m
		if err == io.EOF && n == len(b) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if idle++; m > 0 {
			idle = 0
		} else if idle == maxIdle {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// Write writes all of b to w and returns how much of it w took. Its error is never io.EOF, which
// would read like a source's good end: a pipe may be closed with it.
func Write(w io.Writer, b []byte) (n int, err error) {
	n, err = w.Write(b)
	switch {
	case err == io.EOF:
		err = errors.New("the underlying writer failed: EOF")
	case err == nil && n != len(b):
		err = io.ErrShortWrite
	}
	return n, err
}
