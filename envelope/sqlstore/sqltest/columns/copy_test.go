package columns

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestCopyFrom: PostgreSQL's way in for many rows takes sealed ones, and none where one of them is not.
func TestCopyFrom(t *testing.T) {
	c := openPGX(t, database(t))
	table, acme := people(t, "people", false), newTenant(t)
	create(t, c, "people", personColumn...)
	var values [][]any
	for n := range 100 {
		p := newPerson(n)
		require.NoError(t, table.Seal(t.Context(), acme, p))
		values = append(values, p.values())
	}
	columns := append([]string{"id"}, personColumn...)
	for name, bad := range map[string][]any{
		"value": newPerson(100).values(),
		"unset": (&person{ID: "p0101"}).values(),
	} {
		_, err := c.CopyFrom(t.Context(), pgx.Identifier{"people"}, columns, pgx.CopyFromRows(append(values[:len(values):len(values)], bad)))
		require.Error(t, err, name) // pgx's own, or the server's with its text, whichever comes first
		require.Empty(t, page(t, c, "people", ""))
	}
	n, err := c.CopyFrom(t.Context(), pgx.Identifier{"people"}, columns, pgx.CopyFromRows(values))
	require.NoError(t, err)
	require.EqualValues(t, 100, n)
	for _, p := range page(t, c, "people", "") {
		require.NoError(t, table.Open(t.Context(), acme, p))
	}

	// A query with pgx's own collector, and ANY.
	q, err := table.Find(t.Context(), acme, "email", "person7@example.com")
	require.NoError(t, err)
	rows, err := c.Query(t.Context(), "SELECT id, email, email_eq, phone, convert_from(note, 'UTF8') AS note FROM people WHERE email_eq = ANY($1)", q.Terms())
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[person])
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.NoError(t, table.Open(t.Context(), acme, found[0]))
	require.True(t, q.Keep(found[0]))
	require.Equal(t, "p0007", found[0].ID)
}
