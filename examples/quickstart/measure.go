package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"time"

	"github.com/holdfast-go/holdfast/aead"
)

// measure seals and opens the export in memory.
func (w *walk) measure(ctx context.Context) error {
	w.title("Speed in memory, %s bytes, %d cores", digits(len(w.export)), runtime.GOMAXPROCS(0))
	size, err := aead.SealedSize(int64(len(w.export)), 0)
	if err != nil {
		return err
	}
	key, ad := aead.NewKey(), []byte("speed")
	defer key.Destroy()
	sealed := bytes.NewBuffer(make([]byte, 0, size))
	opened := bytes.NewBuffer(make([]byte, 0, len(w.export)))
	sealing, err := fastest(ctx, func() error {
		sealed.Reset()
		s, err := aead.NewWriter(sealed, key, ad, nil)
		if err != nil {
			return err
		}
		defer s.Abort()
		if _, err := s.Write(w.export); err != nil {
			return err
		}
		return s.Close()
	})
	if err != nil {
		return err
	}
	opening, err := fastest(ctx, func() error {
		opened.Reset()
		r, err := aead.NewReader(bytes.NewReader(sealed.Bytes()), key, ad, nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(opened, r)
		return err
	})
	if err != nil {
		return err
	}
	if !bytes.Equal(opened.Bytes(), w.export) {
		return errors.New("the stream came back changed")
	}
	w.row("seal", "%5.0f MB/s", float64(len(w.export))/1e6/sealing.Seconds())
	w.row("open", "%5.0f MB/s", float64(len(w.export))/1e6/opening.Seconds())
	return nil
}

// fastest returns the shortest time of some rounds.
func fastest(ctx context.Context, round func() error) (best time.Duration, err error) {
	for i := range 4 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := round(); err != nil {
			return 0, err
		}
		if took := time.Since(start); i == 0 || took < best {
			best = took
		}
	}
	return best, nil
}
