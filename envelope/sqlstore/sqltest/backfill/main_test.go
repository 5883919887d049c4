// Package backfill tests the adoption of tables with package field on real databases, with processes that are killed.
package backfill

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/envelope/field"
)

// TestMain also is the process that a test kills.
func TestMain(m *testing.M) {
	if kind := os.Getenv("HOLDFAST_BACKFILL"); kind != "" {
		if err := backfillProcess(kind, os.Getenv("HOLDFAST_BACKFILL_DSN"), os.Getenv("HOLDFAST_BACKFILL_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// backfillProcess runs a backfill from the last checkpoint, and prints a line for each. It goes on with one at a time that its parent has not heard of, as standard input says.
func backfillProcess(kind, dsn, dir string) error {
	d, err := openDatabase(kind, dsn, dir)
	if err != nil {
		return err
	}
	defer d.close()
	path := filepath.Join(dir, "checkpoint")
	after, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	o := &field.BackfillOptions[account]{After: string(after), Limit: batchRows, Checkpoint: func(_ context.Context, after string) error {
		if err := os.WriteFile(path+".new", []byte(after), 0o600); err != nil {
			return err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
		if _, err := fmt.Println(after); err != nil {
			return err
		}
		_, err := os.Stdin.Read(make([]byte, 1))
		return err
	}}
	report, err := d.migrating.Backfill(context.Background(), d.tenant, d.batch, o)
	if errors.Is(err, field.ErrIncomplete) && report.Failed == 0 {
		return nil // old programs still write
	}
	return err
}
