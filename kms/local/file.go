package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/keyfile"
	"github.com/holdfast-go/holdfast/kms"
)

// Provider is the name of this provider in a [kms.Ref].
const Provider = "local"

// lockWait bounds the wait for other writers where the caller gives no context.
const lockWait = 10 * time.Second

// File is an open key file. It is safe for concurrent use.
type File struct {
	key *kms.Key
	d   *driver
}

// Options are the settings of [Create], [Open] and [Opener]. nil and the zero value
// are the defaults.
type Options struct {
	// Passphrase returns the passphrase that the file is protected with, 1 to 4096
	// bytes. It is called once by Create or Open, and what it returns is cleared after use.
	// nil means a file without a passphrase.
	Passphrase func() ([]byte, error)
	// Key are the settings of the File's [kms.Key], such as its observer. nil for the defaults.
	Key *kms.Options
}

// Create makes a new key file of mode 0600 at path, in a directory that exists, and opens
// it. It fails, with an error that matches fs.ErrExist, when there is anything at
// path.
func Create(path string, o *Options) (*File, error) {
	f, err := create(path, o)
	if err != nil {
		return nil, fmt.Errorf("kms/local: create %q: %w", path, err)
	}
	return f, nil
}

// Open opens the key file at path; symbolic links are followed now and not again.
// It never makes one: a missing file is an error that matches both
// fs.ErrNotExist and [kms.ErrNotFound]. It fails with [kms.ErrInvalid] when the file can be
// read by others, is damaged, or comes from a later release; with [kms.ErrAccessDenied] when the passphrase is
// wrong or missing, and with [kms.ErrUnsupported] on an Argon2id file under fips140=only.
//
// A destroyed file opens, and its Key says that it is destroyed.
func Open(path string, o *Options) (*File, error) {
	f, err := open(path, o)
	if err != nil {
		return nil, fmt.Errorf("kms/local: open %q: %w", path, err)
	}
	return f, nil
}

func create(path string, o *Options) (_ *File, err error) {
	dir, err := resolve(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	resolved := filepath.Join(dir, filepath.Base(path))
	if err := refuseExisting(resolved); err != nil { // before anyone is asked for a passphrase
		return nil, err
	}
	c := newContents(nil)
	var kek *aead.Key
	if o != nil && o.Passphrase != nil {
		c.Passphrase = newStretch()
		if kek, err = c.Passphrase.key(o.Passphrase); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				kek.Destroy()
			}
		}()
	}
	defer c.clear()
	c.rotate(kek)
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	unlock, err := lockFile(ctx, resolved)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := refuseExisting(resolved); err != nil {
		return nil, err
	}
	f, err := newFile(resolved, c, kek, o)
	if err != nil {
		return nil, err
	}
	if err := writeFile(resolved, c, false); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func refuseExisting(path string) error {
	_, err := os.Lstat(path)
	if err == nil {
		err = fs.ErrExist
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return keyfile.Error(err)
}

func open(path string, o *Options) (*File, error) {
	resolved, err := resolve(path)
	if err != nil {
		return nil, err
	}
	c, err := readFile(resolved)
	if err != nil {
		return nil, err
	}
	defer c.clear()
	given := o != nil && o.Passphrase != nil
	var kek *aead.Key
	switch {
	case c.State == destroyed: // nothing to protect
	case c.Passphrase == nil && given:
		return nil, fmt.Errorf("%w: the file has no passphrase: leave Options.Passphrase nil", kms.ErrInvalid)
	case c.Passphrase != nil && !given:
		return nil, fmt.Errorf("%w: the file has a passphrase: set Options.Passphrase", kms.ErrAccessDenied)
	case given:
		if kek, err = c.Passphrase.key(o.Passphrase); err != nil {
			return nil, err
		}
	}
	return newFile(resolved, c, kek, o)
}

// resolve returns the absolute path without symbolic links.
func resolve(path string) (string, error) {
	resolved, err := filepath.Abs(path)
	if err == nil {
		resolved, err = filepath.EvalSymlinks(resolved)
	}
	if err != nil {
		return "", keyfile.Error(err)
	}
	return resolved, nil
}

// newFile returns the File of what was read from, or is to be written to, path. It owns kek.
func newFile(path string, c *contents, kek *aead.Key, o *Options) (*File, error) {
	d := &driver{
		path:    path,
		ref:     kms.Ref{Provider: Provider, KeyID: c.KeyID},
		stretch: c.Passphrase,
		kek:     kek,
		file:    make(chan struct{}, 1),
	}
	if err := d.install(c); err != nil {
		d.Close()
		return nil, err
	}
	var settings *kms.Options
	if o != nil {
		settings = o.Key
	}
	key, err := kms.NewKey(d, settings)
	if err != nil {
		d.Close()
		return nil, err
	}
	return &File{key: key, d: d}, nil
}

// Key returns the file's key, always the same one. Closing it closes the file, and the
// reverse: close one of them, once, when nothing uses the key any more.
func (f *File) Key() *kms.Key { return f.key }

// Rotate adds a version to the key, which wraps from then on. What was wrapped
// before still unwraps. It fails with [kms.ErrDisabled] on a disabled key.
func (f *File) Rotate(ctx context.Context) error { return f.key.Rotate(ctx) }

// Disable has the key refuse to wrap and unwrap, with [kms.ErrDisabled], until Enable, in
// this process and in every one that opens the file from now on.
func (f *File) Disable(ctx context.Context) error { return f.set(ctx, "disable", disabled) }

// Enable undoes Disable.
func (f *File) Enable(ctx context.Context) error { return f.set(ctx, "enable", enabled) }

// Destroy removes every version of the key from the file and from memory, for good. All that was wrapped
// under it is lost. The file stays, to say so. The package documentation says what becomes
// of the old bytes on the disk. Destroy again does nothing.
func (f *File) Destroy(ctx context.Context) error {
	_, err := f.key.Destroy(ctx, 0)
	return err
}

// Close waits for calls in flight and clears the keys in memory. Later calls fail with
// [kms.ErrClosed]; Close again does nothing.
func (f *File) Close() error { return f.key.Close() }

// String names the key.
func (f *File) String() string { return f.key.String() }

func (f *File) set(ctx context.Context, op, state string) error {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if err := f.d.enable(ctx, state); err != nil {
		return &kms.Error{Op: op, Ref: f.key.Ref(), Err: err}
	}
	return nil
}
