package backfill

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
	"github.com/holdfast-go/holdfast/kms/local"
)

const (
	tableRows = 300
	persons   = 20
	canary    = "canary-5e1d"
)

func rowID(n int) string { return fmt.Sprintf("row-%04d", n) }

func email(n, version int) string {
	return fmt.Sprintf("%s-%s-%d@example.com", canary, rowID(n), version)
}

// TestAdoption has a table with plaintext adopted by a process that is killed again and again, while others read the table, write it sealed, and write it the old way, and the key rotates. Nothing is lost, and at the end nothing is plaintext.
func TestAdoption(t *testing.T) {
	t.Run("postgresql", func(t *testing.T) {
		server := pgtest.Start(t, &pgtest.Options{Own: true})
		adopt(t, "pgx", server.Database(t), t.TempDir())
	})
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		adopt(t, "sqlite", sqliteDSN(dir, "accounts.db"), dir)
	})
}

func adopt(t *testing.T, kind, dsn, dir string) {
	file, err := local.Create(filepath.Join(dir, keyFile), nil)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	d, err := openDatabase(kind, dsn, dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.close()) })
	d.prepare(t)
	require.Contains(t, d.tableFile(t), canary)

	w := &world{T: t, database: d, version: make([]int, tableRows)}
	running, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	t.Cleanup(func() {
		stop()
		all.Wait()
	})
	all.Go(func() { w.write(running, 0, w.sealedWay) })
	all.Go(func() { w.write(running, 1, w.oldWay) })
	all.Go(func() { w.read(running) })
	for _, checkpoints := range []int{3, 7, 10} {
		w.process(kind, dsn, dir, checkpoints)
		_, err := d.tenant.Rotate(t.Context())
		require.NoError(t, err)
	}
	w.process(kind, dsn, dir, -1)
	stop()
	all.Wait()
	require.NotZero(t, w.version[0], "the sealed way wrote nothing")
	require.NotZero(t, w.version[1], "the old way wrote nothing")
	require.NotZero(t, w.reads)

	report, err := d.migrating.Backfill(t.Context(), d.tenant, d.batch, nil)
	require.NoError(t, err)
	t.Logf("the last run: %+v; versions %d and %d", report, w.version[0], w.version[1])
	require.NotZero(t, report.Resealed)
	again, err := d.strict.Backfill(t.Context(), d.tenant, d.batch, nil)
	require.NoError(t, err)
	require.Equal(t, field.BackfillReport{Rows: tableRows, Last: rowID(tableRows - 1)}, again)
	w.audit()
}

// prepare makes a table with plaintext, and its columns ones of bytes, as the package's document says.
func (d *database) prepare(t *testing.T) {
	t.Helper()
	dialect := sqlstore.PostgreSQL
	if d.sqlite {
		dialect = sqlstore.SQLite
	}
	require.NoError(t, sqlstore.Migrate(t.Context(), d.keys, &sqlstore.Options{Dialect: dialect}))
	run := func(statement string, args ...any) {
		t.Helper()
		_, err := d.db.ExecContext(t.Context(), d.sql(statement), args...)
		require.NoError(t, err)
	}
	run("CREATE TABLE accounts (id text PRIMARY KEY, who text NOT NULL, email text, age bigint)")
	for n := range tableRows {
		run("INSERT INTO accounts (id, who, email, age) VALUES ($1, $2, $3, $4)", rowID(n), fmt.Sprint("person-", n%persons), email(n, 0), n)
	}
	if d.sqlite { // a column takes bytes whatever it says
		run("ALTER TABLE accounts ADD COLUMN email_eq blob")
		return
	}
	run("ALTER TABLE accounts ALTER COLUMN email TYPE bytea USING convert_to(email, 'UTF8'), ALTER COLUMN age TYPE bytea USING convert_to(age::text, 'UTF8'), ADD COLUMN email_eq bytea")
}

// world is what happens beside the backfill, and what it leads to.
type world struct {
	*testing.T
	*database
	version []int // of the e-mail of each row as it was committed last. Each row has one writer
	reads   int
}

// write writes the rows n with n % 3 == of, again and again, the first of them at least once.
func (w *world) write(running context.Context, of int, way func(ctx context.Context, n, version int) error) {
	random := rand.New(rand.NewPCG(1, uint64(of)))
	for n := of; w.version[of] == 0 || running.Err() == nil; n = random.IntN(tableRows/3)*3 + of {
		if random.IntN(4) == 0 {
			n = of
		}
		if err := way(context.WithoutCancel(running), n, w.version[n]+1); err != nil {
			w.Error(err)
			return
		}
		w.version[n]++
	}
}

func (w *world) sealedWay(ctx context.Context, n, version int) error {
	a := account{ID: rowID(n), Who: fmt.Sprint("person-", n%persons), Email: field.Of(email(n, version))}
	if err := w.strict.Seal(ctx, w.tenant, &a, "email"); err != nil {
		return err
	}
	return w.update(ctx, "UPDATE accounts SET email = $2, email_eq = $3 WHERE id = $1", a.ID, a.Email, a.EmailEq)
}

// oldWay is a program that knows of no index, and hands over text.
func (w *world) oldWay(ctx context.Context, n, version int) error {
	if w.sqlite {
		return w.update(ctx, "UPDATE accounts SET email = $2, age = $3 WHERE id = $1", rowID(n), email(n, version), n)
	}
	return w.update(ctx, "UPDATE accounts SET email = convert_to($2, 'UTF8'), age = convert_to($3, 'UTF8') WHERE id = $1", rowID(n), email(n, version), fmt.Sprint(n))
}

func (w *world) update(ctx context.Context, statement string, args ...any) error {
	result, err := w.db.ExecContext(ctx, w.sql(statement), args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("%d rows: %w", n, err)
	}
	return nil
}

// read opens rows, whatever they are at the moment.
func (w *world) read(running context.Context) {
	random := rand.New(rand.NewPCG(2, 2))
	for w.reads == 0 || running.Err() == nil {
		n := random.IntN(tableRows)
		if err := w.check(context.WithoutCancel(running), n, canary+"-"+rowID(n)+"-"); err != nil {
			w.Error(err)
			return
		}
		w.reads++
	}
}

// check reads a row, whose e-mail must begin with what it is told.
func (w *world) check(ctx context.Context, n int, begin string) error {
	all, err := w.rows(ctx, w.db, "WHERE id = $1", rowID(n))
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("%d rows", len(all))
	}
	if err := w.migrating.Open(ctx, w.tenant, &all[0]); err != nil {
		return err
	}
	email, _ := all[0].Email.Get()
	if age, ok := all[0].Age.Get(); !ok || age != int64(n) || !strings.HasPrefix(email, begin) {
		return fmt.Errorf("row %d holds another's values", n)
	}
	return nil
}

// process runs a process that goes on with the backfill, and kills it when it has told of some checkpoints; with less than 0 it waits for its end.
func (w *world) process(kind, dsn, dir string, checkpoints int) {
	w.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOLDFAST_BACKFILL="+kind, "HOLDFAST_BACKFILL_DSN="+dsn, "HOLDFAST_BACKFILL_DIR="+dir)
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.StdoutPipe()
	require.NoError(w, err)
	in, err := cmd.StdinPipe()
	require.NoError(w, err)
	require.NoError(w, cmd.Start())
	_, err = in.Write([]byte{1})
	require.NoError(w, err)
	killed := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if checkpoints--; checkpoints == 0 {
			killed = true
			require.NoError(w, cmd.Process.Kill())
		}
		_, _ = in.Write([]byte{1}) // fails when it has ended
	}
	err = cmd.Wait()
	require.Empty(w, failed.String())
	if killed {
		require.Error(w, err, "it ended before it was killed")
	} else {
		require.NoError(w, err)
		require.Negative(w, checkpoints, "too few rows were left to kill it")
	}
}

// audit looks at each row, and for plaintext in the files of the table.
func (w *world) audit() {
	w.Helper()
	for n := range tableRows {
		require.NoError(w, w.check(w.Context(), n, email(n, w.version[n])))
		q, err := w.strict.Find(w.Context(), w.tenant, "email", strings.ToUpper(email(n, w.version[n])))
		require.NoError(w, err)
		found, err := w.rows(w.Context(), w.db, "WHERE email_eq = $1", q.Terms()[0])
		require.NoError(w, err)
		require.Len(w, found, 1)
		require.NoError(w, w.strict.Open(w.Context(), w.tenant, &found[0]))
		require.True(w, q.Keep(&found[0]))
	}
	if !w.sqlite { // as the package's document says
		_, err := w.db.ExecContext(w.Context(), "ALTER TABLE accounts ADD CHECK (get_byte(email, 0) = 245 AND length(email) >= 58), ADD CHECK (get_byte(age, 0) = 245 AND length(age) >= 58)")
		require.NoError(w, err)
	}
	require.NotContains(w, w.tableFile(w.T), canary)
}

// tableFile has the database write the table anew, and returns what is in its file then.
func (d *database) tableFile(t *testing.T) string {
	t.Helper()
	run := func(statement string) {
		t.Helper()
		_, err := d.db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	var dir, path string
	if d.sqlite {
		run("VACUUM")
		run("PRAGMA wal_checkpoint(TRUNCATE)")
		var number int
		var name string
		require.NoError(t, d.db.QueryRowContext(t.Context(), "PRAGMA database_list").Scan(&number, &name, &path))
	} else {
		run("VACUUM FULL accounts")
		run("CHECKPOINT")
		require.NoError(t, d.db.QueryRowContext(t.Context(), "SELECT current_setting('data_directory'), pg_relation_filepath('accounts')").Scan(&dir, &path))
	}
	b, err := os.ReadFile(filepath.Join(dir, path))
	require.NoError(t, err)
	require.Contains(t, string(b), rowID(7), "it is the file of the table")
	return string(b)
}
