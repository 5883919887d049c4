package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// sealRows seals each customer as a message, and again as a record.
func (w *walk) sealRows(ctx context.Context) error {
	const shown = 7
	w.title("Seal %d customers, each bound to its table and row", len(w.rows))
	records := aead.NewKey()
	defer records.Destroy()
	for i, row := range w.rows {
		id, _, _ := strings.Cut(row, ",")
		about := kms.Context{"row": id, "table": "customers"}
		message, err := w.sealer.Seal(ctx, []byte(row), about)
		if err != nil {
			return err
		}
		opened, err := w.sealer.Open(ctx, message, about)
		if err != nil {
			return err
		}
		record := records.Seal(nil, []byte(row), []byte("customers/"+id))
		again, err := records.Open(nil, record, []byte("customers/"+id))
		if err != nil {
			return err
		}
		if string(opened) != row || string(again) != row {
			return fmt.Errorf("row %s came back changed", id)
		}
		if i+1 != shown {
			continue
		}
		w.row("before", "%s", row)
		w.row("as a message, on disk", "%s", head(message, 20))
		w.row("as a record, on disk", "%s", head(record, 20))
		w.row("after", "%s", opened)
		w.row("", "")
		w.row("plaintext", "%4d bytes", len(row))
		w.row("message, envelope.Sealer", "%4d bytes: %d more, carries its own wrapped key, a KMS call each", len(message), len(message)-len(row))
		w.row("record, aead.Key", "%4d bytes: %d more, opens with a key that you hold", len(record), len(record)-len(row))
	}
	// How a service holds such a key: as one message, which it opens when it starts.
	raw := records.Bytes()
	defer clear(raw)
	kept, err := w.sealer.Seal(ctx, raw, kms.Context{"purpose": "record key", "table": "customers"})
	if err != nil {
		return err
	}
	w.row("that key, kept sealed", "%4d bytes, once: one KMS call for all rows", len(kept))
	return nil
}
