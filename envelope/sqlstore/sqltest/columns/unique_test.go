package columns

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
)

// TestUnique: a unique index over tokens admits no address twice, whichever process writes it, and whatever the tenant's key has become meanwhile.
func TestUnique(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (*sql.DB, client, sqlstore.Dialect){
		"sqlite": func(t *testing.T) (*sql.DB, client, sqlstore.Dialect) {
			c := openSQL(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "x.db")+"?_pragma=busy_timeout(60000)")
			return c.DB, c, sqlstore.SQLite
		},
		"postgresql": func(t *testing.T) (*sql.DB, client, sqlstore.Dialect) {
			dsn := database(t)
			return openSQL(t, "pgx", dsn).DB, openPGX(t, dsn), sqlstore.PostgreSQL
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, c, dialect := open(t)
			o := &sqlstore.Options{Dialect: dialect}
			require.NoError(t, sqlstore.Migrate(t.Context(), db, o))
			key := newKey(t)
			process := func() func(n int, email string) error {
				store, err := sqlstore.New(db, o)
				require.NoError(t, err)
				t.Cleanup(func() { store.Close() })
				acme := newKeyring(t, "test", store, key).Tenant("acme")
				table := people(t, "people", false)
				return func(n int, email string) error {
					if email == "" {
						_, err := acme.Rotate(t.Context())
						return err
					}
					p := newPerson(n)
					p.Email = field.Of(email)
					if err := table.Seal(t.Context(), acme, p); err != nil {
						return err
					}
					_, err := c.exec(t.Context(), insert("people", personColumn...), p.values()...)
					return err
				}
			}
			create(t, c, "people", personColumn...)
			_, err := c.exec(t.Context(), "CREATE UNIQUE INDEX people_email ON people (email_eq)")
			require.NoError(t, err)

			// Both make the tenant's keys at once.
			one, two := process(), process()
			var both errgroup.Group
			errs := make([]error, 2)
			for i, insert := range []func(int, string) error{one, two} {
				both.Go(func() error { errs[i] = insert(i, "ada@example.com"); return nil })
			}
			require.NoError(t, both.Wait())
			require.NotEqual(t, errs[0] == nil, errs[1] == nil, "one of them: %v", errs)
			require.Len(t, page(t, c, "people", ""), 1)

			require.NoError(t, one(0, ""), "Rotate")
			require.Error(t, one(10, "ADA@example.com"))
			require.Error(t, two(11, "Ada@Example.com"))
			require.NoError(t, two(12, "bob@example.com"))
			require.Error(t, one(13, "bob@example.com"))
			require.Error(t, process()(14, "bob@example.com"), "a new process")
			require.NoError(t, one(15, " "), "what is empty has no token")
			require.NoError(t, two(16, " "), "and is not unique")
			require.Len(t, page(t, c, "people", ""), 4)
		})
	}
}
