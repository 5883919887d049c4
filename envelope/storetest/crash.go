package storetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

const (
	scribbleRows  = 16   // that each Apply of Scribble writes over
	scribbleValue = 3000 // bytes of each, so that it takes several pages
	crashes       = 5
)

// Scribble is the work of a process that [Harness.Crash] kills. It makes one Apply after another until ctx ends or an error comes, which it returns. For each
// that was acknowledged it writes a line to w, with its number. It goes on from what an earlier one left.
func Scribble(ctx context.Context, s envelope.Store, w io.Writer) error {
	rows, err := s.List(ctx, "scribble/", "", scribbleRows)
	if err != nil {
		return err
	}
	last := 0
	if len(rows) == 0 {
		for i := range scribbleRows {
			rows = append(rows, envelope.Row{Key: fmt.Sprintf("scribble/%02d", i)})
		}
	} else if last, err = strconv.Atoi(string(bytes.TrimSpace(rows[0].Value))); err != nil {
		return fmt.Errorf("storetest: a row that Scribble did not write: %w", err)
	}
	for {
		last++
		changes := []envelope.Change{created(fmt.Sprintf("scribbled/%d", last), strconv.Itoa(last))}
		for _, r := range rows {
			changes = append(changes, changed(r, scribbled(last)))
		}
		if err := s.Apply(ctx, changes...); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w, last); err != nil {
			return err
		}
		if rows, err = s.List(ctx, "scribble/", "", scribbleRows); err != nil {
			return err
		}
	}
}

// scribbled is the value of all rows in one Apply.
func scribbled(n int) string { return fmt.Sprintf("%*d", scribbleValue, n) }

// crash has what was acknowledged be there after a crash, and of what was not all or nothing.
func crash(t testing.TB, h Harness) {
	need(t, h.Crash != nil, "Crash", "what a process that is killed leaves behind")
	known := 0 // Applies
	for i := range crashes {
		last, s := h.Crash()
		known = max(known, last)
		closesLater(t, h, s)
		rows := everything(t, s)
		t.Log("crash", i+1, "after", last, "acknowledged, and", len(rows), "rows")
		n, head := 0, 0
		values := map[string]bool{}
		for _, r := range rows {
			switch {
			case strings.HasPrefix(r.Key, "scribbled/"):
				n++
			case strings.HasPrefix(r.Key, "scribble/"):
				head++
				values[string(r.Value)] = true
			}
		}
		require.True(t, n == known || n == known+1, "%d Applies were acknowledged or seen, and %d are there", known, n)
		known = n
		for j := range n {
			same(t, get(t, s, fmt.Sprintf("scribbled/%d", j+1)), fmt.Sprintf("scribbled/%d", j+1), strconv.Itoa(j+1))
		}
		if n > 0 {
			require.Equal(t, scribbleRows, head, "an Apply is there in part")
			require.Len(t, values, 1, "an Apply is there in part")
			require.True(t, values[scribbled(n)], "rows are of another Apply than the last one")
		}
		put(t, s, fmt.Sprint("after crash ", i), "value")
		closes(t, h, s)
	}
}
