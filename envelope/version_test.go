package envelope_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// TestNeverBelowTheHighestSeen has the row of the newest version spoilt in the store. A process that has seen it seals with no other; a
// fresh one seals with the highest that loads.
func TestNeverBelowTheHighestSeen(t *testing.T) {
	for _, person := range []bool{false, true} {
		for name, spoil := range map[string]func(newest, older envelope.Row) (envelope.Row, bool){
			"deleted": func(newest, _ envelope.Row) (envelope.Row, bool) { return newest, false },
			"truncated": func(newest, _ envelope.Row) (envelope.Row, bool) {
				newest.Value = newest.Value[:10]
				return newest, true
			},
			"another version's": func(newest, older envelope.Row) (envelope.Row, bool) {
				newest.Value = older.Value
				return newest, true
			},
			"another version's, renumbered": func(newest, older envelope.Row) (envelope.Row, bool) {
				newest.Value = bytes.Replace(older.Value, []byte(`"version":1`), []byte(`"version":2`), 1)
				return newest, true
			},
			"a tombstone": func(newest, older envelope.Row) (envelope.Row, bool) {
				newest.Value = bytes.Replace(newest.Value, []byte(`"wrapped":`), []byte(`"destroyed":"2026-01-01T00:00:00Z","wrapped":`), 1)
				return newest, true
			},
		} {
			who := "tenant"
			if person {
				who = "subject"
			}
			t.Run(name+", "+who, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					g := newRig(t, nil)
					fresh := joinRig(t, g.fake, g.store, nil)
					scope := func(r *rig) envelope.Scope {
						if person {
							return r.Tenant("acme").Subject("ada")
						}
						return r.Tenant("acme")
					}
					old := warm(t, scope(g))
					_, err := old.Rotate(t.Context())
					require.NoError(t, err)
					now := warm(t, scope(g))
					require.NotEqual(t, old.record[1:17], now.record[1:17])
					prefix := g.dataPrefix(t, person)
					older, err := g.store.Get(t.Context(), prefix+"data/0000000001")
					require.NoError(t, err)
					g.store.edit(func(row envelope.Row) (envelope.Row, bool) {
						if row.Key == prefix+"data/0000000002" {
							return spoil(row, older)
						}
						return row, true
					})
					for range 3 {
						sleep(6 * time.Minute)
						require.Error(t, old.seal(t))
						require.NoError(t, old.open(t))
						require.Error(t, now.open(t))
						sleep(time.Second)
						require.Error(t, old.seal(t))
					}
					record, err := scope(fresh).Seal(t.Context(), nil, binding)
					if name == "a tombstone" {
						require.NoError(t, old.open(t))
						return
					}
					require.NoError(t, err)
					require.Equal(t, old.record[1:17], record[1:17])

					g.store.edit(nil)
					sleep(6 * time.Minute)
					require.NoError(t, now.both(t), "it is there again")
				})
			})
		}
	}
}

// dataPrefix returns the prefix of the rows of the tenant, or of its only subject.
func (g *rig) dataPrefix(t testing.TB, person bool) string {
	if !person {
		return "tenant/acme/"
	}
	rows, err := g.store.List(t.Context(), "subject/acme/", "", 1)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	return rows[0].Key
}
