package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-go/holdfast/envelope/secret"
)

const maxInput = 128 << 10 // bytes: more than any secret or sealed text

// seal reads a secret and writes it as a sealed text.
func (j *job) seal(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	if f, ok := stdin.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return errors.New("standard input is a terminal or another device: pipe the secret in, so that it does not show, as holdfast -h says")
		}
	}
	text, err := readAll(stdin)
	defer clear(text)
	if err != nil {
		return err
	}
	plaintext := text
	if line, ok := bytes.CutSuffix(text, []byte("\n")); ok {
		plaintext = bytes.TrimSuffix(line, []byte("\r"))
	}
	if len(plaintext) == 0 { // before a file is made
		return errors.New("there is no secret on standard input")
	}
	k, err := j.openKeyring(ctx)
	if err != nil {
		return err
	}
	defer k.close()
	known, err := k.known(ctx)
	if err != nil {
		return err
	}
	sealed, err := secret.SealText(ctx, k.tenant, j.place, secret.NewText(string(plaintext)))
	if err != nil && j.init {
		err = fmt.Errorf("%w\n-init has made the store %q: leave it out the next time", err, j.store)
	}
	if err != nil {
		return err
	}
	if !known {
		fmt.Fprintf(stderr, "holdfast seal: this was the first secret of the tenant %q: made its key, in the deployment %q\n", j.tenant, j.deployment)
	}
	_, err = fmt.Fprintln(stdout, sealed)
	return err
}

// open reads a sealed text and writes the secret.
func (j *job) open(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	sealed, err := readAll(stdin)
	if err != nil {
		return err
	}
	k, err := j.openKeyring(ctx)
	if err != nil {
		return err
	}
	defer k.close()
	text, err := secret.OpenText(ctx, k.tenant, j.place, string(sealed))
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, text.Reveal())
	return err
}

// readAll reads what is short enough.
func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return b, fmt.Errorf("standard input: %w", err)
	}
	if len(b) > maxInput {
		return b, fmt.Errorf("standard input has more than %d bytes", maxInput)
	}
	return b, nil
}
