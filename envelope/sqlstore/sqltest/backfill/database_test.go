package backfill

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

const (
	batchRows = 10
	keyFile   = "kms.json"
)

// account is a row of the table accounts.
type account struct {
	ID, Who string
	Email   field.Field[string] `seal:"email"`
	Age     field.Field[int64]  `seal:"age,key=tenant"`
	EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1"`
}

// database is what a process has of it.
type database struct {
	sqlite    bool
	db        *sql.DB
	keys      *sql.DB // where the Keyring's rows are: not in a SQLite file that a batch has locked
	file      *local.File
	ring      *envelope.Keyring
	tenant    envelope.Tenant
	strict    *field.Table[account]
	migrating *field.Table[account]
}

// openDatabase opens a database of which the schemas are made.
func openDatabase(kind, dsn, dir string) (*database, error) {
	d := &database{sqlite: kind == "sqlite"}
	var err error
	dialect, keys := sqlstore.PostgreSQL, dsn
	if d.sqlite {
		dialect, keys = sqlstore.SQLite, sqliteDSN(dir, "keys.db")
	}
	if d.db, err = sql.Open(kind, dsn); err != nil {
		return nil, err
	}
	if d.keys, err = sql.Open(kind, keys); err != nil {
		return nil, err
	}
	store, err := sqlstore.New(d.keys, &sqlstore.Options{Dialect: dialect})
	if err != nil {
		return nil, err
	}
	if d.file, err = local.Open(filepath.Join(dir, keyFile), nil); err != nil {
		return nil, err
	}
	if d.ring, err = envelope.NewKeyring("backfill", store, envelope.SingleRoot(d.file.Key()), nil); err != nil {
		return nil, err
	}
	d.tenant = d.ring.Tenant("acme")
	unique, err := field.PlanIndex(field.Stats{Rows: 1_000_000, Unique: true})
	if err != nil {
		return nil, err
	}
	d.strict, err = field.NewTable("accounts", field.Spec[account]{
		Row: func(a *account) string { return a.ID }, Subject: func(a *account) string { return a.Who }, Indexes: map[string]field.Plan{"email_eq": unique},
	})
	if err != nil {
		return nil, err
	}
	d.migrating, err = field.Migrating(d.strict, "email", "age")
	return d, err
}

func sqliteDSN(dir, file string) string {
	return "file:" + filepath.Join(dir, file) + "?" + url.Values{"_pragma": {"journal_mode(WAL)", "busy_timeout(20000)", "secure_delete(1)"}, "_txlock": {"immediate"}}.Encode()
}

func (d *database) close() error {
	return errors.Join(d.ring.Close(), d.file.Close(), d.keys.Close(), d.db.Close())
}

// sql returns a statement with the placeholders of the database.
func (d *database) sql(statement string) string {
	if d.sqlite {
		return strings.NewReplacer("$", "?", "FOR UPDATE", "").Replace(statement)
	}
	return statement
}

const columns = "SELECT id, who, email, age, email_eq FROM accounts "

// rows reads rows.
func (d *database) rows(ctx context.Context, q interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, where string, args ...any,
) (all []account, err error) {
	rows, err := q.QueryContext(ctx, d.sql(columns+where), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var a account
		if err := rows.Scan(&a.ID, &a.Who, &a.Email, &a.Age, &a.EmailEq); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// batch is a field.Batch.
func (d *database) batch(ctx context.Context, after string, limit int, each func(*account) ([]string, error)) (last string, err error) {
	tx, err := d.db.BeginTx(ctx, nil) // BEGIN IMMEDIATE in SQLite, as the data source name says
	if err != nil {
		return "", err
	}
	defer tx.Rollback() // nothing, after Commit
	all, err := d.rows(ctx, tx, "WHERE id > $1 ORDER BY id LIMIT $2 FOR UPDATE", after, limit)
	if err != nil {
		return "", err
	}
	for i := range all {
		a := &all[i]
		changed, err := each(a)
		if err != nil {
			return "", err
		}
		if len(changed) > 0 {
			if _, err := tx.ExecContext(ctx, d.sql("UPDATE accounts SET email = $2, age = $3, email_eq = $4 WHERE id = $1"), a.ID, a.Email, a.Age, a.EmailEq); err != nil {
				return "", err
			}
		}
		last = a.ID
	}
	return last, tx.Commit()
}
