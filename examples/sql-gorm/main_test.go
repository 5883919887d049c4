package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/glebarez/sqlite"
	"github.com/stretchr/testify/require"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
)

func TestRun(t *testing.T) {
	for name, args := range map[string]func(t *testing.T) []string{
		"SQLite": func(*testing.T) []string { return nil },
		"PostgreSQL": func(t *testing.T) []string {
			return []string{pgtest.Start(t, nil).Database(t), filepath.Join(t.TempDir(), "key.json")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			args := args(t)
			for range 2 { // again with the same database and key file, if any
				var out strings.Builder
				require.NoError(t, run(t.Context(), &out, args))
				found, all, both := strings.Cut(out.String(), "after an erasure:\n")
				require.True(t, both)
				require.Regexp(t, `^found by e-mail:\n  \w{4} Ada@example\.com \+44 20 7946 0958\n$`, found)
				require.Regexp(t, `(?m)^  \w{4} Ada@example\.com \+44 20 7946 0958$`, all)
				require.Regexp(t, `(?m)^  \w{4} does not open: erased$`, all)
				require.Equal(t, 2, strings.Count(all, "\n"))
			}
		})
	}
	require.ErrorIs(t, run(t.Context(), &strings.Builder{}, []string{"file:x.db"}), errUsage)
}

// each runs f with a customer in a new database of each kind, with a log of GORM's that says everything.
func each(t *testing.T, f func(t *testing.T, a *app, ada *customer, log *strings.Builder)) {
	for name, open := range map[string]func(t *testing.T) (gorm.Dialector, string){
		"SQLite": func(t *testing.T) (gorm.Dialector, string) {
			return sqlite.Open("file:" + filepath.Join(t.TempDir(), "x.db")), schemaSQLite
		},
		"PostgreSQL": func(t *testing.T) (gorm.Dialector, string) {
			return postgres.Open(pgtest.Start(t, nil).Database(t)), schemaPostgreSQL
		},
	} {
		t.Run(name, func(t *testing.T) {
			dialector, schema := open(t)
			var log strings.Builder
			db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.New(printer{&log}, logger.Config{LogLevel: logger.Info})})
			require.NoError(t, err)
			pool, err := db.DB()
			require.NoError(t, err)
			t.Cleanup(func() { pool.Close() })
			require.NoError(t, db.Exec(schema).Error)
			table, err := newTable()
			require.NoError(t, err)
			a := &app{db, table, envelopetest.New(t, nil).Tenant("acme"), &strings.Builder{}}
			ada := customer{ID: "1", Email: field.Of("ada@example.com"), Phone: field.Null[string]()}
			require.NoError(t, a.insert(t.Context(), &ada))
			f(t, a, &ada, &log)
		})
	}
}

// printer is GORM's logger.Writer.
type printer struct{ *strings.Builder }

func (p printer) Printf(format string, args ...any) {
	for _, arg := range args {
		p.WriteString(" ")
		if s, ok := arg.(string); ok {
			p.WriteString(s)
		}
	}
}

// TestPartialUpdate: neither a map nor a struct writes plaintext.
func TestPartialUpdate(t *testing.T) {
	const phone = "+46 8 123 456"
	each(t, func(t *testing.T, a *app, ada *customer, log *strings.Builder) {
		before := stored(t, a)
		model := a.db.Model(&customer{ID: ada.ID}).Session(&gorm.Session{Context: t.Context()}) // each use of it starts anew
		require.ErrorIs(t, model.Updates(map[string]any{"phone": field.Of(phone)}).Error, field.ErrUnsealed)
		require.ErrorIs(t, model.Update("phone", field.Of(phone)).Error, field.ErrUnsealed)
		require.ErrorIs(t, model.Updates(&customer{Phone: field.Of(phone)}).Error, field.ErrUnsealed)
		require.ErrorIs(t, a.db.Save(&customer{ID: ada.ID, Phone: field.Of(phone)}).Error, field.ErrUnsealed)
		require.ErrorIs(t, a.db.Create(&customer{ID: "2", Email: field.Of(phone)}).Error, field.ErrUnsealed)
		require.ErrorIs(t, a.db.CreateInBatches([]customer{{ID: "2", Email: field.Of(phone)}, {ID: "3", Email: field.Of(phone)}}, 2).Error, field.ErrUnsealed)
		require.NotContains(t, log.String(), phone, "no log has it that was given as a Field")
		for _, raw := range []any{phone, []byte(phone)} {
			require.Error(t, model.Updates(map[string]any{"phone": raw}).Error, "the constraint")
		}
		require.Equal(t, before, stored(t, a))

		ada.Phone = field.Of(phone)
		require.NoError(t, a.table.Seal(t.Context(), a.acme, ada, "phone"))
		require.NoError(t, model.Updates(map[string]any{"phone": ada.Phone}).Error)
		require.NotEqual(t, before, stored(t, a))
		var read customer
		require.NoError(t, a.db.First(&read, "id = ?", ada.ID).Error)
		require.NoError(t, a.table.Open(t.Context(), a.acme, &read))
		require.True(t, read.Phone.Equal(ada.Phone))
	})
}

// stored returns what the database has of the customer.
func stored(t *testing.T, a *app) [][]byte {
	t.Helper()
	var r struct{ Email, EmailEq, Phone []byte }
	require.NoError(t, a.db.Raw("SELECT email, email_eq, phone FROM holdfast_customers").Scan(&r).Error)
	return [][]byte{r.Email, r.EmailEq, r.Phone}
}

// TestAutoMigrate: columns that GORM makes are of bytes.
func TestAutoMigrate(t *testing.T) {
	each(t, func(t *testing.T, a *app, ada *customer, _ *strings.Builder) {
		require.NoError(t, a.db.Migrator().DropTable(&customer{}))
		require.NoError(t, a.db.AutoMigrate(&customer{}))
		columns, err := a.db.Migrator().ColumnTypes(&customer{})
		require.NoError(t, err)
		types := map[string]string{}
		for _, c := range columns {
			types[c.Name()] = strings.ToLower(c.DatabaseTypeName())
		}
		want := map[string]string{"sqlite": "blob", "postgres": "bytea"}[a.db.Name()]
		for _, name := range []string{"email", "email_eq", "phone"} {
			require.Equal(t, want, types[name], name)
		}
		require.NoError(t, a.db.Create(ada).Error)
	})
}
