package columns

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math"
	"math/big"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
)

// The values that no database may see, one for each column, and one that it does, by which each search proves that it would find them.
const (
	canaryText   = "canary-wqhvx7tz0k@example.com"
	canaryBytes  = "canary-Jf8mPz2LrUc4"
	canaryInt    = 0x3a91c7e05b2d6f48
	canaryUint   = 0xc65e1f907ad3b842
	canaryTime   = 0x0000003f1d95ab27 // seconds since 1970
	canarySpan   = 0x5d02e8b61f47c93a
	canaryAddr   = "2001:db8:7c1e:a935:4fd0:62b7:e81d:593c"
	canaryMood   = "canary-u3nb6ykqe9"
	canaryBig    = "914862075318940276635102"
	canaryPadded = "canary-Wd5sGv0XhTaQ"
	control      = "seen-by-everyone-h2k8Vn5R"
)

var canaryFloat = math.Float64frombits(0x40d7a61c93e5f28b)

// planted returns a row with the canaries.
func planted(id string) *every {
	wide, _ := new(big.Int).SetString(canaryBig, 10)
	unsigned := uint64(canaryUint)
	return &every{
		ID: id, Text: field.Of(canaryText), Bytes: field.Of([]byte(canaryBytes)), Bool: field.Of(true), Int8: field.Of(int8(1)), Int64: field.Of(int64(canaryInt)), Uint64: field.Of(unsigned),
		Float: field.Of(canaryFloat), Time: field.Of(time.Unix(canaryTime, 0)), Span: field.Of(time.Duration(canarySpan)), Addr: field.Of(netip.MustParseAddr(canaryAddr)),
		Mood: field.Of(mood(canaryMood)), Spot: field.Of(spot{canarySpan, canaryTime}), Big: field.Of(*wide), Padded: field.Of(canaryPadded),
	}
}

// forms returns what a canary looks like in files, messages and logs.
func forms(raw []byte) [][]byte {
	all := [][]byte{raw, []byte(hex.EncodeToString(raw)), bytes.ToUpper([]byte(hex.EncodeToString(raw)))}
	if len(raw) < 12 {
		return all
	}
	for shift := range 3 { // base64, wherever in a longer text
		in := raw[shift:]
		in = in[:len(in)/3*3]
		all = append(all, []byte(base64.StdEncoding.EncodeToString(in)))
	}
	return all
}

// canaries returns all forms of all canaries.
func canaries() (all [][]byte) {
	for _, text := range []string{
		canaryText, canaryBytes, canaryAddr, canaryMood, strings.ToUpper(canaryMood), canaryBig, canaryPadded,
		strconv.FormatInt(canaryInt, 10), strconv.FormatUint(canaryUint, 10), strconv.FormatInt(canarySpan, 10), strconv.FormatInt(canaryTime, 10), strconv.FormatFloat(canaryFloat, 'g', -1, 64),
	} {
		all = append(all, forms([]byte(text))...)
	}
	for _, n := range []uint64{canaryInt, canaryUint, canarySpan, math.Float64bits(canaryFloat)} {
		all = append(all, forms(binary.BigEndian.AppendUint64(nil, n))...)
		all = append(all, forms(binary.LittleEndian.AppendUint64(nil, n))...)
	}
	addr := netip.MustParseAddr(canaryAddr).As16()
	return append(all, forms(addr[:])...)
}

// unseen fails where a place has a canary, or lacks what everyone may see.
func unseen(t *testing.T, place string, content []byte) {
	t.Helper()
	seen := false
	for _, form := range forms([]byte(control)) {
		seen = seen || bytes.Contains(content, form)
	}
	require.True(t, seen, "%s, of %d bytes, lacks the control", place, len(content))
	for i, form := range canaries() {
		require.False(t, bytes.Contains(content, form), "%s has the canary form %d", place, i)
	}
}

// work does with a table what programs do, well and badly, and returns what was said about it.
func work(t *testing.T, c client) (said []byte) {
	t.Helper()
	say := func(v ...any) {
		for _, v := range v {
			said = fmt.Appendf(said, "%v %+v %#v %q\n", v, v, v, v)
		}
	}
	table, acme := everyTable(t), newTenant(t)
	create(t, c, "every", everyColumn...)
	_, err := c.exec(t.Context(), "CREATE TABLE control (id text PRIMARY KEY, seen "+c.bytes()+" CHECK (length(seen) > 3))")
	require.NoError(t, err)
	must(t, c, 1, insert("control", "seen"), "1", []byte(control))
	say(control)

	row := planted("1")
	_, err = c.exec(t.Context(), insert("every", everyColumn...), row.values()...) // not sealed
	require.ErrorIs(t, err, field.ErrUnsealed)
	say(err, row, row.values())
	require.NoError(t, table.Seal(t.Context(), acme, row))
	must(t, c, 1, insert("every", everyColumn...), row.values()...)
	_, err = c.exec(t.Context(), insert("every", everyColumn...), row.values()...) // a second time
	require.Error(t, err)
	say(err)
	_, err = c.exec(t.Context(), "UPDATE control SET seen = substr($1, 1, 3)", row.Text) // against the constraint
	require.Error(t, err)
	say(err)
	for _, column := range []string{"c_text", "c_int64"} {
		require.NoError(t, table.Seal(t.Context(), acme, row, column))
	}
	must(t, c, 1, "UPDATE every SET c_text = $2, c_eq = $3, c_int64 = $4 WHERE id = $1", row.ID, row.Text, row.Eq, row.Int64)
	q, err := table.Find(t.Context(), acme, "c_text", canaryText)
	require.NoError(t, err)
	found := 0
	text := "SELECT id, " + strings.Join(everyColumn, ", ") + " FROM every WHERE c_eq = $1"
	require.NoError(t, c.query(t.Context(), text, []any{q.Terms()[0]}, func(scan func(...any) error) error {
		var read every
		require.NoError(t, scan(read.pointers()...))
		require.NoError(t, table.Open(t.Context(), acme, &read))
		got, _ := read.Text.Get()
		require.Equal(t, canaryText, got)
		found++
		say(read, q)
		return nil
	}))
	require.Equal(t, 1, found)
	must(t, c, 1, "UPDATE every SET c_text = substr(c_text, 1, 30)")
	require.NoError(t, c.query(t.Context(), "SELECT id, "+strings.Join(everyColumn, ", ")+" FROM every", nil, func(scan func(...any) error) error {
		var read every
		require.NoError(t, scan(read.pointers()...))
		err := table.Open(t.Context(), acme, &read)
		require.ErrorIs(t, err, envelope.ErrTruncated)
		say(err, read)
		return nil
	}))
	require.NoError(t, table.Seal(t.Context(), acme, row))
	must(t, c, 1, "UPDATE every SET c_text = $1", row.Text)
	must(t, c, 1, insert("every", "c_text"), "2", row.Text)
	must(t, c, 1, "DELETE FROM every WHERE id = $1", "2")
	return said
}

// TestCanarySQLite: neither what the driver gets, nor the file and its log, nor errors and prints have plaintext.
func TestCanarySQLite(t *testing.T) {
	for _, mode := range []string{"WAL", "PERSIST"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			c, sent := openRecorded(t, "file:"+path+"?_pragma=journal_mode("+mode+")")
			unseen(t, "what was said", work(t, c))
			unseen(t, "the driver", sent.all())
			main, err := os.ReadFile(path)
			require.NoError(t, err)
			log, err := os.ReadFile(path + map[string]string{"WAL": "-wal", "PERSIST": "-journal"}[mode])
			require.NoError(t, err)
			require.NotEmpty(t, log)
			unseen(t, "the file with its log", append(main, log...))
		})
	}
}

// TestCanaryPostgreSQL: neither the wire, nor tables, log and dumps of the server, nor errors and prints have plaintext.
func TestCanaryPostgreSQL(t *testing.T) {
	server := pgtest.Start(t, &pgtest.Options{Own: true})
	for _, mode := range []string{"cache_statement", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			dsn := server.Database(t) + "&log_statement=all&log_parameter_max_length=-1&log_parameter_max_length_on_error=-1&default_query_exec_mode=" + mode
			config, err := pgxpool.ParseConfig(dsn)
			require.NoError(t, err)
			sent := &recording{}
			config.ConnConfig.DialFunc = sent.dial
			pool, err := pgxpool.NewWithConfig(t.Context(), config)
			require.NoError(t, err)
			t.Cleanup(pool.Close)
			c := pgxClient{pool}
			unseen(t, "what was said", work(t, c))
			unseen(t, "the wire", sent.all())

			_, err = c.exec(t.Context(), "CHECKPOINT")
			require.NoError(t, err)
			var data, oid string
			require.NoError(t, pool.QueryRow(t.Context(), "SELECT current_setting('data_directory'), oid::text FROM pg_database WHERE datname = current_database()").Scan(&data, &oid))
			unseen(t, "the tables", read(t, filepath.Join(data, "base", oid)))
			unseen(t, "the write-ahead log", read(t, filepath.Join(data, "pg_wal")))
			log, err := os.ReadFile(filepath.Join(filepath.Dir(data), "log"))
			require.NoError(t, err)
			require.Contains(t, string(log), "INSERT INTO every", "it has statements")
			unseen(t, "the server's log", log)
			unseen(t, "a dump", dump(t, dsn))
		})
	}
}

// read returns the files of a folder.
func read(t *testing.T, folder string) (all []byte) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	}))
	return all
}

// dump returns what pg_dump makes of a database.
func dump(t *testing.T, dsn string) []byte {
	t.Helper()
	program, err := exec.LookPath("pg_dump")
	if err != nil {
		t.Skip("missing component: pg_dump (Debian package postgresql-client-15)")
	}
	dsn, _, _ = strings.Cut(dsn, "&") // what follows is pgx's
	out, err := exec.CommandContext(t.Context(), program, dsn).Output()
	require.NoError(t, err)
	return out
}
