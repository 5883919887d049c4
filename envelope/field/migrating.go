package field

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/kms"
)

// Migrating returns a Table that is t, and in the named columns also reads plaintext from before, as drivers hand it over: for tables that had data when their columns began to be sealed. [Table.Open] takes it for the value, not sealed, so that no driver takes it back before
// [Table.Seal], and counts it: see [Table.Legacy]. [Table.Backfill] seals what is there. A search by an index finds a row from then on.
//
// Text becomes any type that could be read from it: numbers, "t", "true" or "1", times in the forms of RFC 3339, PostgreSQL and SQLite, and what types that scan or unmarshal themselves take. Text must be UTF-8, and a value
// that is out of a type's range is envelope.ErrFormat. Empty text is an empty value and not NULL. What begins with the byte F5 is a record or an error, so that nothing is sealed
// twice; text that begins with \x and has only hexadecimal digits behind it is an error in a column of text, for that is how PostgreSQL writes bytes.
//
// Whoever writes the table can put plaintext in these columns, which is then read as if it were authentic. So use t itself as soon as Backfill finds nothing left. Migrating fails with kms.ErrInvalid where no column
// is named, or one that t has not.
func Migrating[R any](t *Table[R], columns ...string) (*Table[R], error) {
	if t == nil {
		return nil, fmt.Errorf("field: %w: Migrating of no Table: make one with NewTable", kms.ErrInvalid)
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("field: table %.64q: %w: name the columns that hold plaintext from before", t.name, kms.ErrInvalid)
	}
	m := *t
	m.columns, m.met = slices.Clone(t.columns), map[string]*atomic.Int64{}
	for _, name := range columns {
		i := slices.IndexFunc(m.columns, func(c *column) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("field: table %.64q: %w: there is no sealed column %.64q", t.name, kms.ErrInvalid, name)
		}
		c := *m.columns[i]
		c.legacy = true
		m.columns[i] = &c
	}
	for _, c := range m.columns {
		if c.legacy {
			m.met[c.name] = new(atomic.Int64)
		}
	}
	return &m, nil
}

// Legacy returns how many values from before [Table.Open] has met so far, by column: in this process, through this Table. Columns that [Migrating] did not name are not in it.
func (t *Table[R]) Legacy() map[string]int64 {
	met := make(map[string]int64, len(t.met))
	for name, n := range t.met {
		met[name] = n.Load()
	}
	return met
}
