package field_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

const (
	columnsFile = "testdata/columns.json"            // records of columns, and tokens of indexes
	columnKeyID = "42424242424242424242424242424242" // of every local key
)

func TestColumnVectors(t *testing.T) {
	o := newVectorOpener(t)
	for _, v := range vectors.Load(t, columnsFile) {
		t.Run(v.Name, func(t *testing.T) {
			out, class := o.run(v)
			require.Equal(t, v.Expect, class)
			if v.Expect == "ok" {
				require.Equal(t, *v.Out, hex.EncodeToString(out))
			} else {
				require.Nil(t, out)
			}
		})
	}
}

// vectorOpener does what vectors say.
type vectorOpener struct {
	t       testing.TB
	keks    map[string]*kms.Key        // by file key
	tenants map[string]envelope.Tenant // with one given key, by its kind and the key
}

func newVectorOpener(t testing.TB) *vectorOpener {
	return &vectorOpener{t, map[string]*kms.Key{}, map[string]envelope.Tenant{}}
}

// run returns what a vector gives, and its class.
func (o *vectorOpener) run(v vectors.Vector) (out []byte, class string) {
	o.t.Helper()
	switch {
	case v.Kind == "token":
		return o.token(v), "ok"
	case v.Kind == "column" && v.Stored != nil && v.Subject != "":
		out, err := o.ofSubject(v)
		return out, envelope.Class(err)
	}
	require.Equal(o.t, "column", v.Kind)
	// Whatever the type of a value, one type of Field reads it, and what nothing reads is refused by all for one reason.
	for _, read := range columnReaders {
		got, err := read(o, v)
		switch {
		case err == nil:
			require.Nil(o.t, out, "two types read it")
			out = got
		case class == "":
			class = envelope.Class(err)
		default:
			require.Equal(o.t, class, envelope.Class(err))
		}
	}
	if out != nil {
		require.Equal(o.t, "format", class, "of the other types")
		return out, "ok"
	}
	return nil, class
}

// parts returns the parts of a vector's binding.
func (o *vectorOpener) parts(v vectors.Vector) []string {
	var parts []string
	for _, p := range v.Parts {
		parts = append(parts, string(vectors.Unhex(o.t, p)))
	}
	return parts
}

// tenant returns the tenant that a vector names, or one with its data key or lookup key.
func (o *vectorOpener) tenant(v vectors.Vector) envelope.Tenant {
	if s := v.Stored; s != nil {
		return o.keyring(o.kek(v.LocalKey), s.Deployment, s.Rows).Tenant(s.Tenant)
	}
	kind, key := "data", v.DataKey
	if v.Keyed != nil {
		kind, key = "lookup", v.Key
	}
	name := kind + key
	if _, ok := o.tenants[name]; !ok {
		kek := o.kek(hex.EncodeToString(vectorKey(0)))
		row, value := vectorRow(o.t, kek, kind, vectors.Unhex(o.t, key))
		o.tenants[name] = o.keyring(kek, "d", map[string]string{row: value}).Tenant("t")
	}
	return o.tenants[name]
}

// keyring returns a Keyring over rows, in a process that has seen nothing of them yet.
func (o *vectorOpener) keyring(kek *kms.Key, deployment string, rows map[string]string) *envelope.Keyring {
	store := memstore.New()
	for name, value := range rows {
		require.NoError(o.t, store.Apply(o.t.Context(), envelope.Change{Row: envelope.Row{Key: name, Value: []byte(value)}}))
	}
	return vectorRing(o.t, kek, deployment, store)
}

func vectorRing(t testing.TB, kek *kms.Key, deployment string, store envelope.Store) *envelope.Keyring {
	r, err := envelope.NewKeyring(deployment, store, envelope.SingleRoot(kek), &envelope.KeyringOptions{RotateAfter: -1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// kek returns the local key whose only version has this key material.
func (o *vectorOpener) kek(file string) *kms.Key {
	if o.keks[file] == nil {
		raw := vectors.Unhex(o.t, file)
		k, err := aead.ParseKey(raw)
		require.NoError(o.t, err)
		path := filepath.Join(o.t.TempDir(), "key.json")
		require.NoError(o.t, os.WriteFile(path, fmt.Appendf(nil, `{"format":"holdfast key file","format_version":1,"key_id":%q,"state":"enabled","current":1,`+
			`"versions":[{"number":1,"created":"2026-01-01T00:00:00Z","id":%q,"key":%q}]}`,
			columnKeyID, k.ID(), base64.StdEncoding.EncodeToString(raw)), 0o600))
		f, err := local.Open(path, nil)
		require.NoError(o.t, err)
		o.t.Cleanup(func() { require.NoError(o.t, f.Close()) })
		o.keks[file] = f.Key()
	}
	return o.keks[file]
}

// vectorKey is 32 bytes that count from first.
func vectorKey(first byte) []byte {
	b := make([]byte, derive.Size)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// vectorRow is the row of a key of tenant t in deployment d, made by hand from FORMAT.md section 6.
func vectorRow(t testing.TB, kek *kms.Key, kind string, key []byte) (name, value string) {
	t.Helper()
	commitment := derive.Commitment((*[derive.Size]byte)(key))
	w, err := kek.Wrap(reserved.Allow(t.Context()), key, kms.Context{
		"holdfast:commitment": hex.EncodeToString(commitment[:]),
		"holdfast:deployment": "d",
		"holdfast:kind":       kind,
		"holdfast:purpose":    "tenant-key",
		"holdfast:tenant":     "t",
		"holdfast:version":    "1",
	})
	require.NoError(t, err)
	wrapped, err := w.AppendBinary(nil)
	require.NoError(t, err)
	return "tenant/t/" + kind + "/0000000001", fmt.Sprintf(
		`{"format":1,"kind":%q,"version":1,"id":"%x","commitment":"%x","created":"2000-01-01T00:00:00Z","wrapped":%q,"refs":[%q]}`,
		kind, commitment[:16], commitment, base64.StdEncoding.EncodeToString(wrapped), w.Ref)
}

// token returns a token by AppendToken, after a Table has given the same in both ways that it uses one.
func (o *vectorOpener) token(v vectors.Vector) []byte {
	o.t.Helper()
	tn, parts, in := o.tenant(v), o.parts(v), vectors.Unhex(o.t, v.In)
	require.Len(o.t, v.Range, 2)
	require.Zero(o.t, v.Range[0])
	token, err := tn.AppendToken(o.t.Context(), nil, in, envelope.Bind(parts...))
	require.NoError(o.t, err)
	token = token[:v.Range[1]]
	if parts[0] != "users" {
		return token
	}
	_, value, _ := bytes.Cut(in, []byte{0})
	text := field.Of(string(value))
	row := indexed{ID: "1", Email: text, Name: text, Phone: text, Code: text}
	users := indexedTable(o.t)
	require.NoError(o.t, users.Seal(o.t.Context(), tn, &row, parts[1]))
	index := map[string]field.Index{"email_eq": row.EmailEq, "name_eq": row.NameEq, "name_ab": row.NameAb, "phone_eq": row.PhoneEq, "code_eq": row.CodeEq}
	written, err := index[parts[2]].Value()
	require.NoError(o.t, err)
	require.Equal(o.t, hex.EncodeToString(token), fmt.Sprintf("%x", written))
	q, err := users.Find(o.t.Context(), tn, parts[2], string(value))
	require.NoError(o.t, err)
	require.Equal(o.t, [][]byte{token}, q.Terms())
	return token
}

// indexed is the row of the table that tokens for "users" are of.
type indexed struct {
	ID      string
	Email   field.Field[string] `seal:"email"`
	EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1"`
	Name    field.Field[string] `seal:"name"`
	NameEq  field.Index         `seal:"name_eq,of=name,norm=casefold/v1"`
	NameAb  field.Index         `seal:"name_ab,of=name,norm=casefold/v1,prefix=3"`
	Phone   field.Field[string] `seal:"phone"`
	PhoneEq field.Index         `seal:"phone_eq,of=phone,norm=phone/v1"`
	Code    field.Field[string] `seal:"code"`
	CodeEq  field.Index         `seal:"code_eq,of=code"`
}

func indexedTable(t testing.TB) *field.Table[indexed] {
	t.Helper()
	plans := map[string]field.Plan{}
	for name, s := range map[string]field.Stats{
		"email_eq": {Rows: 1e6, Unique: true},
		"name_eq":  {Rows: 1e6, Distinct: 9e5, TopShare: 1e-5},
		"name_ab":  {Rows: 1e5, Distinct: 2000, TopShare: 0.1, Accept: "a test"},
		"phone_eq": {Rows: 1e6, Distinct: 2e5, TopShare: 0.1, Accept: "a test"},
		"code_eq":  {Rows: 1e6, Unique: true},
	} {
		plan, err := field.PlanIndex(s)
		require.NoError(t, err)
		plans[name] = plan
	}
	table, err := field.NewTable("users", field.Spec[indexed]{Row: func(r *indexed) string { return r.ID }, Indexes: plans})
	require.NoError(t, err)
	return table
}
