package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
)

// sealFile seals the export to a file as a stream, shows the file and opens it.
func (w *walk) sealFile(ctx context.Context) error {
	w.title("Seal a file of %s bytes as a stream", digits(len(w.export)))
	start := time.Now()
	size, err := writeFile(w.path, false, func(out io.Writer) error {
		return seal(ctx, w.sealer, out, bytes.NewReader(w.export), w.about)
	})
	if err != nil {
		return err
	}
	sealing := time.Since(start)

	f, err := os.Open(w.path)
	if err != nil {
		return err
	}
	defer f.Close()
	start, sum := time.Now(), sha256.New()
	if err := open(ctx, w.sealer, sum, f, w.about); err != nil {
		return err
	}
	if want := sha256.Sum256(w.export); !bytes.Equal(sum.Sum(nil), want[:]) {
		return errors.New("the file came back changed")
	}
	more := size - int64(len(w.export))
	w.row("sealed, and on disk", "%s bytes, in %s", digits(size), short(sealing))
	w.row("overhead", "%s bytes, %.2f %%: the header, 74, and 32 for each 64 KiB", digits(more), 100*float64(more)/float64(len(w.export)))
	w.row("opened and compared", "the same, in %s", short(time.Since(start)))
	w.row("", "")
	return w.showHeader(f)
}

// showHeader says what the first bytes of a message mean: FORMAT.md sections 5 and 3.
func (w *walk) showHeader(f io.ReaderAt) error {
	b := make([]byte, 4096+16)
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	info, err := envelope.Inspect(b)
	if err != nil {
		return err
	}
	wrapped, err := info.Wrapped[0].AppendBinary(nil)
	if err != nil {
		return err
	}
	about, err := json.Marshal(info.Context)
	if err != nil {
		return err
	}
	contextEnd := 6 + int(binary.BigEndian.Uint16(b[4:]))
	wrappedEnd := contextEnd + len(wrapped)
	mac := info.HeaderSize - sha256.Size
	rest := b[info.HeaderSize:]

	w.row(head(b[:2], 2), "a portable message, version 1")
	w.row(head(b[2:4], 2), "%s bytes of header", digits(info.HeaderSize))
	w.row(head(b[4:6], 2), "%d bytes of context follow", contextEnd-6)
	w.row(head(b[6:contextEnd], 7), "the context, in the clear: %s", about)
	w.row(head(wrapped, 7), "the data key, wrapped under version %s of the local key", info.Wrapped[0].Version)
	w.row(head(b[wrappedEnd:mac], 7), "%s zeros: room for a longer wrapped key", digits(info.Spare))
	w.row(head(b[mac:info.HeaderSize], 7), "HMAC-SHA-256 of all that, 32 bytes")
	w.row(head(rest[:6], 6), "the stream: AES-256-GCM, segments of %s bytes", digits(int(binary.BigEndian.Uint32(rest[2:]))))
	w.row(head(rest[6:10], 4), "%d random bytes follow, 32 that commit to the key, the segments", binary.BigEndian.Uint32(rest[6:]))
	return nil
}
