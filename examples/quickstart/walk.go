package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

//go:embed customers.csv
var customersCSV string

// walk is one round through the library, in a folder of its own.
type walk struct {
	page
	dir    string
	calls  calls // to the KMS
	key    *local.File
	sealer *envelope.Sealer
	rows   []string    // customers.csv without its first line
	export []byte      // what is sealed as a stream; never on the disk in the clear
	path   string      // of the sealed export
	about  kms.Context // what the export belongs to
}

// walkThrough walks in a temporary folder, which it removes.
func walkThrough(ctx context.Context, out io.Writer, size int) (err error) {
	dir, err := os.MkdirTemp("", "holdfast-quickstart-*")
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.RemoveAll(dir); err == nil {
			err = removeErr
		}
	}()
	return walkIn(ctx, out, dir, size)
}

func walkIn(ctx context.Context, out io.Writer, dir string, size int) error {
	w := &walk{page: page{out: out}, dir: dir}
	key, err := local.Create(filepath.Join(dir, "key.json"), &local.Options{Key: &kms.Options{Observer: &w.calls}})
	if err != nil {
		return err
	}
	defer key.Close()
	sealer, err := envelope.NewSealer(key.Key(), nil)
	if err != nil {
		return err
	}
	// Git may have checked the file out with CRLF.
	w.key, w.sealer = key, sealer
	w.rows = strings.Split(strings.TrimSpace(strings.ReplaceAll(customersCSV, "\r", "")), "\n")[1:]
	w.export = makeExport(w.rows, size)
	w.path = filepath.Join(dir, "export.sealed")
	w.about = kms.Context{"file": "export.csv", "tenant": "acme"}
	fmt.Fprintf(out, "Holdfast quickstart: %s, %s/%s, %d cores\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	fmt.Fprintf(out, "The key is %s,\na file in a temporary folder which is removed at the end.\n", key)
	if err := inTurn(ctx, w.sealRows, w.sealFile, w.refuse, w.rotate, w.readMiddle, w.measure, w.keepKeys); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "\nDone. What was opened was compared with what had been sealed, each time.")
	return err
}

func inTurn(ctx context.Context, sections ...func(context.Context) error) error {
	for _, section := range sections {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := section(ctx); err != nil {
			return err
		}
	}
	return nil
}

// calls counts the calls to the KMS.
type calls struct{ atomic.Int64 }

// Observe is called by the kms.Key, with every attempt.
func (c *calls) Observe(context.Context, kms.Event) { c.Add(1) }

// makeExport returns size bytes of numbered customers.
func makeExport(rows []string, size int) []byte {
	b := make([]byte, 0, size+256)
	for n := 1; len(b) < size; n++ {
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, ',')
		b = append(b, rows[n%len(rows)]...)
		b = append(b, '\n')
	}
	return b[:size]
}
