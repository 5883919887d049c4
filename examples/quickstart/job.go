package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

var (
	errNotRegular = errors.New("not a regular file")
	errSameFile   = errors.New("-in, -out and -key must be three files")
)

// job is what the flags ask for: seal or open one file.
type job struct {
	in, out, key        string
	context             kms.Context
	newKey, open, force bool
}

func (j *job) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := j.checkFiles(); err != nil {
		return err
	}
	in, err := os.Open(j.in)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	key, err := j.openKey()
	if err != nil {
		return err
	}
	defer key.Close()
	sealer, err := envelope.NewSealer(key.Key(), nil)
	if err != nil {
		return err
	}
	work, done := seal, "sealed"
	if j.open {
		work, done = open, "opened"
	}
	start := time.Now()
	size, err := writeFile(j.out, j.force, func(out io.Writer) error {
		src := newMeter(ctx, in, info.Size(), terminal(stderr))
		defer src.clear()
		return work(ctx, sealer, out, src, j.context)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s %s: %s bytes, was %s, in %s\n", done, j.out, digits(size), digits(info.Size()), short(time.Since(start)))
	return nil
}

// seal writes what src has to dst as a message.
func seal(ctx context.Context, s *envelope.Sealer, dst io.Writer, src io.Reader, ec kms.Context) error {
	w, err := s.NewWriter(ctx, dst, ec, nil)
	if err != nil {
		return err
	}
	defer w.Abort() // after an error the message must not look finished
	if _, err := io.Copy(w, src); err != nil {
		return err
	}
	return w.Close()
}

// open writes the plaintext of the message in src to dst. It is complete only when open returns nil.
func open(ctx context.Context, s *envelope.Sealer, dst io.Writer, src io.Reader, ec kms.Context) error {
	r, err := s.NewReader(ctx, src, ec, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, r)
	return err
}

func (j *job) openKey() (*local.File, error) {
	if j.newKey {
		f, err := local.Create(j.key, nil)
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%w: leave -new-key out to use the key file that is there", err)
		}
		return f, err
	}
	f, err := local.Open(j.key, nil)
	if errors.Is(err, fs.ErrNotExist) && j.open {
		err = fmt.Errorf("%w: -key must name the key file that it was sealed with", err)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: add -new-key to make one", err)
	}
	return f, err
}

// checkFiles refuses what would lose a file, before anything is made.
func (j *job) checkFiles() error {
	info, err := os.Stat(j.in)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%q: %w", j.in, errNotRegular)
	}
	if same(j.in, j.out) || same(j.in, j.key) || same(j.out, j.key) {
		return errSameFile
	}
	info, err = os.Lstat(j.out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q: %w", j.out, errNotRegular)
	case !j.force:
		return existing(j.out)
	}
	return nil
}

func existing(path string) error {
	return fmt.Errorf("%q: %w: choose another name, or add -force to replace it", path, fs.ErrExist)
}

// same tells whether two paths are one file, or would be.
func same(a, b string) bool {
	absA, errA := filepath.Abs(a)
	absB, errB := filepath.Abs(b)
	if errA == nil && errB == nil && absA == absB {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
