package sqltest

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

var tamperBinding = envelope.Bind("tamper")

// office is a deployment in a database of its own, with a way around its Store.
type office struct {
	testing.TB
	name  string // of the deployment
	d     database
	table string
	store *sqlstore.Store
	past  *sql.DB
	root  envelope.Root
}

// tamperDatabases runs f on one database of each kind.
func tamperDatabases(t *testing.T, f func(t *testing.T, o *office)) {
	for _, d := range databases() {
		if d.name == "postgresql" || d.name == "sqlite-wal" {
			t.Run(d.name, func(t *testing.T) {
				store, past := d.store(t)
				f(t, &office{TB: t, name: "here", d: d, table: "holdfast_keys", store: store, past: past, root: envelope.SingleRoot(tamperKey(t).Key())})
			})
		}
	}
}

func tamperKey(t testing.TB) *local.File {
	t.Helper()
	file, err := local.Create(filepath.Join(t.TempDir(), "kms.json"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	return file
}

// process returns a keyring that has seen nothing yet.
func (o *office) process() *envelope.Keyring {
	o.Helper()
	r, err := envelope.NewKeyring(o.name, o.store, o.root, nil)
	require.NoError(o, err)
	o.Cleanup(func() { require.NoError(o, r.Close()) })
	return r
}

// run runs a statement on the table.
func (o *office) run(statement string) {
	o.Helper()
	run(o, o.past, o.dialect(statement))
}

// sql runs a statement on rows of the table, of which there must be some.
func (o *office) sql(statement string, args ...any) {
	o.Helper()
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = []byte(text)
		}
	}
	result, err := o.past.ExecContext(o.Context(), o.dialect(statement), args...)
	require.NoError(o, err)
	n, err := result.RowsAffected()
	require.NoError(o, err)
	require.NotZero(o, n, statement)
}

// dialect returns a statement as the database takes it.
func (o *office) dialect(statement string) string {
	if o.d.dialect == sqlstore.SQLite {
		statement = strings.ReplaceAll(statement, "$", "?")
	}
	return strings.ReplaceAll(statement, "holdfast_keys", o.table)
}

// row is the value of a row.
type row map[string]any

func (o *office) value(name string) (value []byte) {
	o.Helper()
	query := o.dialect(`SELECT value FROM holdfast_keys WHERE key = $1`)
	require.NoError(o, o.past.QueryRowContext(o.Context(), query, []byte(name)).Scan(&value), name)
	return value
}

// edit changes the fields of a row.
func (o *office) edit(name string, change func(r row)) {
	o.Helper()
	r := row{}
	require.NoError(o, json.Unmarshal(o.value(name), &r))
	change(r)
	value, err := json.Marshal(r)
	require.NoError(o, err)
	o.write(name, string(value))
}

func (o *office) write(name, value string) {
	o.Helper()
	o.sql(`UPDATE holdfast_keys SET value = $2 WHERE key = $1`, name, value)
}

func (o *office) drop(name string) {
	o.Helper()
	o.sql(`DELETE FROM holdfast_keys WHERE key = $1`, name)
}

func (o *office) rename(from, to string) {
	o.Helper()
	o.sql(`UPDATE holdfast_keys SET key = $2 WHERE key = $1`, from, to)
}

// copy writes a row over another, or makes that one.
func (o *office) copy(from, to string) {
	o.Helper()
	o.sql(`INSERT INTO holdfast_keys (key, value, revision) SELECT $2, value, revision FROM holdfast_keys WHERE key = $1
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision`, from, to)
}

// scene is two tenants, acme with the subjects ada and bob, and other with carl. The data keys of acme and ada have two versions.
type scene struct {
	*office
	warm    *envelope.Keyring
	places  map[string]place
	prefix  map[string]string // of the rows of each place
	records map[string][]byte // by place and version: "acme 1". The plaintext is the name.
	keys    map[string]string // by id: the name of its record
}

// newScene makes a scene, whose tenants have ids of its own. Its warm process has all keys in memory.
func newScene(o *office, name string) *scene {
	o.Helper()
	acme, other := "acme "+name, "other "+name
	s := &scene{
		office: o, warm: o.process(), prefix: map[string]string{}, records: map[string][]byte{}, keys: map[string]string{},
		places: map[string]place{"acme": {acme, ""}, "ada": {acme, "ada"}, "bob": {acme, "bob"}, "other": {other, ""}, "carl": {other, "carl"}},
	}
	for name := range s.places {
		s.seal(name, name+" 1")
		if name == "acme" || name == "ada" {
			_, err := s.scope(s.warm, name).Rotate(o.Context())
			require.NoError(o, err)
			s.seal(name, name+" 2")
		}
	}
	for name, record := range s.records {
		require.NoError(o, s.open(s.warm, owner(name), record, name))
	}
	return s
}

func (s *scene) scope(r *envelope.Keyring, place string) envelope.Scope {
	return s.places[place].scope(r)
}

// owner returns the place of a record.
func owner(record string) string {
	place, _, _ := strings.Cut(record, " ")
	return place
}

func (s *scene) seal(place, name string) {
	s.Helper()
	record, err := s.scope(s.warm, place).Seal(s.Context(), []byte(name), tamperBinding)
	require.NoError(s, err)
	id := recordKey(record)
	s.records[name], s.keys[id] = record, name
	r := row{}
	require.NoError(s, json.Unmarshal(s.value("id/"+id), &r))
	s.prefix[place], _, _ = strings.Cut(r["row"].(string), "data/")
}

// id returns the name of the row of the id of a record's key.
func (s *scene) id(record string) string { return "id/" + recordKey(s.records[record]) }

// open opens a record for a place.
func (s *scene) open(r *envelope.Keyring, place string, record []byte, plaintext string) error {
	got, err := s.scope(r, place).Open(s.Context(), record, tamperBinding)
	if err == nil {
		require.Equal(s, plaintext, string(got))
	}
	return err
}

// renew has a process read all rows again, as it does after its CacheTTL. Enable has nothing else to do. What it says of damaged rows is not asked for here.
func (s *scene) renew(r *envelope.Keyring) {
	s.Helper()
	for _, place := range []string{"acme", "other", "ada", "bob", "carl"} {
		s.scope(r, place).Enable(s.Context())
	}
}

// outcome is what comes of records and of sealing: by the name of a record an error, by "seal PLACE" the action for an error or the name of the record whose key seals ("" for a new one). What is not
// there goes well, with the newest key.
type outcome map[string]any

// expect looks at all that a process may do: nothing ever opens for another place.
func (s *scene) expect(r *envelope.Keyring, want outcome) {
	s.Helper()
	for name, record := range s.records {
		for place := range s.places {
			err := s.open(r, place, record, name)
			switch sentinel, fails := want[name].(error); {
			case place != owner(name):
				require.Error(s, err, "%s opens for %s", name, place)
				require.NotEqual(s, envelope.Retry, envelope.ActionFor(err), "%s for %s: %v", name, place, err)
			case fails:
				require.ErrorIs(s, err, sentinel, name)
			default:
				require.NoError(s, err, name)
			}
		}
	}
	for place := range s.places {
		record, err := s.scope(r, place).Seal(s.Context(), nil, tamperBinding)
		switch want := want["seal "+place].(type) {
		case envelope.Action:
			require.Equal(s, want, envelope.ActionFor(err), "seal for %s: %v", place, err)
		case string:
			require.NoError(s, err, place)
			require.Equal(s, want, s.keys[recordKey(record)])
		default:
			require.NoError(s, err, place)
			require.Equal(s, s.newest(place), s.keys[recordKey(record)], "seal for %s", place)
		}
	}
}

// newest returns the record that a place's newest key has sealed.
func (s *scene) newest(place string) string {
	if _, two := s.records[place+" 2"]; two {
		return place + " 2"
	}
	return place + " 1"
}
