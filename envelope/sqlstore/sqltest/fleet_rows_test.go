package sqltest

import (
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/sqlstore"
)

// fleetRows is what a table has.
type fleetRows map[string][]byte

// fleetRow is what the rows of keys, heads and ids have, as FORMAT.md section 6 lists it.
type fleetRow struct {
	Kind       string     `json:"kind"`
	ID         string     `json:"id"`
	Commitment string     `json:"commitment"`
	Wrapped    []byte     `json:"wrapped"`
	Destroyed  *time.Time `json:"destroyed"`
	State      string     `json:"state"` // of a head
	Row        string     `json:"row"`   // of an id
}

func readFleetRows(t *testing.T, dsn string) fleetRows {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer db.Close()
	store, err := sqlstore.New(db, &sqlstore.Options{Dialect: sqlstore.PostgreSQL})
	require.NoError(t, err)
	rows := fleetRows{}
	for after := ""; ; {
		page, err := store.List(t.Context(), "", after, 1000)
		require.NoError(t, err)
		for _, r := range page {
			rows[r.Key] = r.Value
			after = r.Key
		}
		if len(page) < 1000 {
			return rows
		}
	}
}

func (rows fleetRows) head(t *testing.T, name string) (r fleetRow) {
	t.Helper()
	require.NoError(t, json.Unmarshal(rows[name], &r), "row %q", name)
	return r
}

// prefixes returns where the rows of the places are that have used keys: each its own.
func (rows fleetRows) prefixes(t *testing.T, h *history) map[place]string {
	t.Helper()
	prefixes, places := map[place]string{}, map[string]place{}
	for _, d := range h.uses {
		p, row := d.place(), rows.head(t, "id/"+d.Keys[0]).Row
		prefix, _, found := strings.Cut(row, "data/")
		require.True(t, found, "key %s is in row %q", d.Keys[0], row)
		if prefixes[p] == "" && places[prefix] == (place{}) {
			prefixes[p], places[prefix] = prefix, p
		}
		require.Equal(t, prefix, prefixes[p])
		require.Equal(t, p, places[prefix])
	}
	return prefixes
}

// auditRows looks at the keys that the store has.
func (h *history) auditRows(t *testing.T, rows fleetRows) {
	t.Helper()
	keys, byID := map[string]fleetRow{}, map[string]string{}
	lookups, subjects := map[string]int{}, map[string]bool{}
	for name := range rows {
		part := strings.Split(name, "/")
		switch {
		case part[0] == "subject":
			subjects[part[1]] = true
		case len(part) > 2 && part[2] == "lookup":
			lookups[part[1]]++
		}
		if part[0] == "id" || name == "fleet" || strings.HasSuffix(name, "/") {
			continue
		}
		k := rows.head(t, name)
		keys[name] = k
		require.Empty(t, byID[k.ID], "two rows have the key %s", k.ID)
		byID[k.ID] = name
		require.Equal(t, name, rows.head(t, "id/"+k.ID).Row)
		if k.Destroyed != nil {
			require.Zero(t, len(k.Wrapped), "row %q is a tombstone", name)
			require.Empty(t, k.Commitment, "row %q is a tombstone", name)
		}
	}
	for name := range rows {
		if id, found := strings.CutPrefix(name, "id/"); found {
			require.Equal(t, rows.head(t, name).Row, byID[id])
		}
	}
	for tenant := range subjects {
		require.Equal(t, 1, lookups[tenant], "lookup keys of %s", tenant)
	}
	for tenant, n := range lookups {
		require.Equal(t, 1, n, "lookup keys of %s", tenant)
	}
	for _, d := range append(h.uses, h.rotations...) {
		require.NotEmpty(t, byID[d.Keys[0]], "%q: a key that no row holds %s", d.place(), d.What)
	}
	for id := range h.ends {
		require.NotNil(t, keys[byID[id]].Destroyed, "key %s was erased", id)
	}
	h.auditSubjects(t, rows, keys, byID)
}

// auditSubjects makes sure that of what is erased only tombstones are left, and that what is not hangs under living wrap keys.
func (h *history) auditSubjects(t *testing.T, rows fleetRows, keys map[string]fleetRow, byID map[string]string) {
	t.Helper()
	gone := map[string]bool{}
	for p, prefix := range rows.prefixes(t, h) {
		gone[prefix] = h.gone(p)
		if gone[prefix] {
			require.Equal(t, "erased", rows.head(t, prefix).State, "%q", p)
		}
	}
	for name, k := range keys {
		prefix := name[:strings.LastIndex(name, k.Kind)]
		if gone[prefix] || rows.head(t, prefix).State == "erased" {
			require.NotNil(t, k.Destroyed, "row %q", name)
		}
		if !strings.HasPrefix(name, "subject/") || k.Destroyed != nil {
			continue
		}
		require.Equal(t, 89, len(k.Wrapped))
		above := byID[hex.EncodeToString(k.Wrapped[1:17])]
		tenant, _, _ := strings.Cut(strings.TrimPrefix(name, "subject/"), "/")
		require.True(t, strings.HasPrefix(above, "tenant/"+tenant+"/wrap/"), "row %q hangs under %q", name, above)
		require.Nil(t, keys[above].Destroyed, "row %q hangs under %q", name, above)
	}
}
