package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
)

// rotate makes a new version of the key and rewraps the sealed export under it.
func (w *walk) rotate(ctx context.Context) error {
	w.title("Rotate the key, and rewrap the file without touching its body")
	before, bodyBefore, err := w.look()
	if err != nil {
		return err
	}
	if err := w.key.Rotate(ctx); err != nil {
		return err
	}
	start := time.Now()
	if err := w.sealer.RewrapFile(ctx, w.path, w.about); err != nil {
		return err
	}
	took := time.Since(start)
	after, bodyAfter, err := w.look()
	if err != nil {
		return err
	}
	if bodyBefore != bodyAfter || after.Wrapped[0].Version == before.Wrapped[0].Version {
		return errors.New("rewrapping changed the body, or left the key version as it was")
	}
	w.row("key version in the header", "%s before, %s after", before.Wrapped[0].Version, after.Wrapped[0].Version)
	w.row("written", "%s bytes, in %s; as many for a safety copy, removed", digits(after.HeaderSize), short(took))
	w.row("body before, SHA-256", "%s", head(bodyBefore[:], 16))
	w.row("body after,  SHA-256", "%s", head(bodyAfter[:], 16))
	w.row("to bear in mind", "rewrapping is not revocation: the old header stays valid")
	return nil
}

// look reads the sealed export without a key: what its header says, and the hash of its body.
func (w *walk) look() (info envelope.Info, body [sha256.Size]byte, err error) {
	f, err := os.Open(w.path)
	if err != nil {
		return info, body, err
	}
	defer f.Close()
	prefix := make([]byte, 6)
	if _, err := f.ReadAt(prefix, 0); err != nil {
		return info, body, err
	}
	size, err := envelope.HeaderSize(prefix)
	if err != nil {
		return info, body, err
	}
	header := make([]byte, size)
	if _, err := io.ReadFull(f, header); err != nil {
		return info, body, err
	}
	if info, err = envelope.Inspect(header); err != nil {
		return info, body, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return info, body, err
	}
	return info, [sha256.Size]byte(sum.Sum(nil)), nil
}
