package sqltest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
)

func replaceAll(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }

func isOne(err error, of ...error) bool {
	for _, e := range of {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// TestQuiet: what a database says of a row that it refuses goes no further.
func TestQuiet(t *testing.T) {
	const canary = "canary-77d0"
	each(t, func(t *testing.T, d database) {
		s, db := d.store(t)
		works(t, s, "a")
		if d.dialect == sqlstore.PostgreSQL {
			run(t, db, `ALTER TABLE holdfast_keys ADD CHECK (octet_length(value) < 8)`)
		} else {
			run(t, db, `CREATE TRIGGER refuse BEFORE INSERT ON holdfast_keys BEGIN SELECT RAISE(ABORT, '`+canary+`'); END`)
		}
		err := s.Apply(t.Context(), created(canary, canary))
		require.ErrorIs(t, err, envelope.ErrUnavailable)
		for _, form := range []string{canary, fmt.Sprintf("%x", canary)} {
			require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), form)
		}
		for ; err != nil; err = errors.Unwrap(err) {
			require.NotContains(t, err.Error(), canary)
		}
		lacks(t, s, canary)
	})
}

// TestSecureDelete: what is written over is in no file of SQLite's any more, once the write-ahead log is emptied.
func TestSecureDelete(t *testing.T) {
	for _, d := range databases() {
		if d.dialect != sqlstore.SQLite {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			s, db := d.store(t)
			var seq int
			var name, path string
			require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA database_list").Scan(&seq, &name, &path))
			holds := func(what string) bool {
				found := false
				for _, file := range []string{path, path + "-wal", path + "-journal"} {
					b, err := os.ReadFile(file)
					if !errors.Is(err, os.ErrNotExist) {
						require.NoError(t, err)
					}
					found = found || bytes.Contains(b, []byte(what))
				}
				return found
			}
			old := []string{"short old value", strings.Repeat("long old value ", 1000)}
			for i, value := range old {
				require.NoError(t, s.Apply(t.Context(), created(fmt.Sprint(i), value)))
				require.True(t, holds(value[:14]))
			}
			for i := range old {
				require.NoError(t, s.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: fmt.Sprint(i), Value: []byte("new"), Revision: 1}}))
			}
			if d.query != nil {
				run(t, db, "PRAGMA wal_checkpoint(TRUNCATE)")
			}
			for _, value := range old {
				require.False(t, holds(value[:14]), "an old value is still there")
			}
			require.True(t, holds("new"))
		})
	}
}
