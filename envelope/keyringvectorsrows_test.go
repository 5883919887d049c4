package envelope_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

const (
	acmeHead   = "tenant/acme/"
	acmeData   = "tenant/acme/data/0000000001"
	acmeLookup = "tenant/acme/lookup/0000000001"
	acmeWrap   = "tenant/acme/wrap/0000000001"
	ada, bob   = "ada@example.com", "bob@example.com"
	oddTenant  = "!*'()~$&+=:@;,?/ %é\x00.."
)

// stores has rows as a Keyring writes them, and what becomes of them.
func (w *keyringWriter) stores() {
	store := memstore.New()
	file := hex.EncodeToString(vectorKey(0))
	process := func() *envelope.Keyring { // one with nothing in memory, so that what it draws does not depend on what it keeps
		r, err := envelope.NewKeyring("prod-eu", store, envelope.SingleRoot(w.o.kek(file)), nil)
		require.NoError(w.t, err)
		w.t.Cleanup(func() { require.NoError(w.t, r.Close()) })
		return r
	}
	r := process()
	bind := []string{"users", "email", "7"}
	all := vectors.Vector{Kind: "managed record", LocalKey: file, KeyID: vectorKeyID, Parts: vectorParts(bind...)}
	seal := func(name string, s envelope.Scope, v vectors.Vector, prefixes ...string) vectors.Vector {
		in, err := s.Seal(w.t.Context(), []byte(name), envelope.Bind(bind...))
		require.NoError(w.t, err)
		v.Rows = vectorDump(w, store, prefixes...)
		return w.ok(v, "stored "+name, in, []byte(name))
	}
	stream := func(name string, s envelope.Scope, v vectors.Vector) {
		var b bytes.Buffer
		writer, err := s.NewWriter(w.t.Context(), &b, envelope.Bind(bind...), &aead.StreamOptions{SegmentSize: 64})
		require.NoError(w.t, err)
		require.NoError(w.t, writer.Close())
		v.Kind = "managed stream"
		w.ok(v, "stored "+name, b.Bytes(), nil)
	}
	of := func(tenant, subject string) vectors.Vector {
		v := all
		v.Stored = &vectors.Stored{Deployment: "prod-eu", Tenant: tenant, Subject: subject}
		return v
	}
	acme := r.Tenant("acme")
	first := seal("record of a tenant", acme, of("acme", ""), acmeHead)
	stream("stream of a tenant", acme, first)
	odd := seal("record of an odd tenant", r.Tenant(oddTenant), of(oddTenant, ""), "tenant/!", "tenant/%21")
	require.Contains(w.t, odd.Rows, "tenant/%21%2A%27%28%29~$&+=:@%3B%2C%3F%2F%20%25%C3%A9%00../data/0000000001")
	seal("record of a subject of an odd tenant", r.Tenant(oddTenant).Subject("é"), of(oddTenant, "é"), "tenant/%21", "subject/%21")
	person := seal("record of a subject", acme.Subject(ada), of("acme", ada), "tenant/acme/", "subject/acme/")
	stream("stream of a subject", acme.Subject(ada), person)
	_, err := acme.Subject(ada).Rotate(w.t.Context())
	require.NoError(w.t, err)
	seal("record of a subject after a rotation", acme.Subject(ada), of("acme", ada), "tenant/acme/", "subject/acme/")
	both := of("acme", ada)
	both.Rows = vectorDump(w, store, "tenant/acme/", "subject/acme/")
	w.ok(both, "stored record of a subject from before a rotation", vectors.Unhex(w.t, person.In), []byte("record of a subject"))
	_, err = acme.Rotate(w.t.Context())
	require.NoError(w.t, err)
	seal("record of a tenant after a rotation", acme, of("acme", ""), acmeHead)
	second := seal("record of a second subject", acme.Subject(bob), of("acme", bob), "tenant/acme/", "subject/acme/")

	_, err = r.Compact(w.t.Context(), "acme")
	require.NoError(w.t, err)
	seal("record of a subject after its wrap key was replaced", process().Tenant("acme").Subject(bob), of("acme", bob), "tenant/acme/", "subject/acme/")
	_, err = acme.Subject(ada).Erase(w.t.Context(), envelope.Erasure{Ref: "case 7", Basis: "Art. 17(1)(b)"})
	require.NoError(w.t, err)
	gone := person
	gone.Stored = &vectors.Stored{Deployment: "prod-eu", Tenant: "acme", Subject: ada, Rows: vectorDump(w, store, "tenant/acme/", "subject/acme/")}
	w.refuse(gone, "record of an erased subject", "erased", func(*vectors.Stored) {})
	w.refuse(gone, "record of an erased subject whose head was removed", "erased", func(s *vectors.Stored) { delete(s.Rows, w.subjectRow(person, "")) })
	w.refuse(gone, "row of an erased subject from before its wrap key was replaced", "open", func(s *vectors.Stored) {
		for _, rest := range []string{"", "data/0000000001"} {
			name := w.subjectRow(person, rest)
			s.Rows[name] = person.Rows[name]
		}
	})
	require.NoError(w.t, acme.Subject(ada).Readmit(w.t.Context(), "case 9"))
	seal("record of a subject after its readmission", process().Tenant("acme").Subject(ada), of("acme", ada), "tenant/acme/", "subject/acme/")
	gone.Stored = &vectors.Stored{Deployment: "prod-eu", Tenant: "acme", Subject: ada, Rows: vectorDump(w, store, "tenant/acme/", "subject/acme/")}
	w.refuse(gone, "record of a subject from before its readmission", "erased", func(*vectors.Stored) {})

	w.tenantRows(first)
	w.heads(first, "tenant", acmeHead)
	w.heads(person, "subject", w.subjectRow(person, ""))
	w.heads(person, "tenant of the subject", acmeHead)
	w.subjectRows(person, second)
	w.scopes(first, person, second, odd)
}

// dumpRows returns the rows under the prefixes and of the ids of their keys.
func vectorDump(w *keyringWriter, store envelope.Store, prefixes ...string) map[string]string {
	list, err := store.List(w.t.Context(), "", "", 1000)
	require.NoError(w.t, err)
	rows := map[string]string{}
	for _, r := range list {
		if slices.ContainsFunc(prefixes, func(p string) bool {
			return strings.HasPrefix(r.Key, p) || strings.HasPrefix(r.Key, "id/") && strings.Contains(string(r.Value), `"`+p)
		}) {
			rows[r.Key] = string(r.Value)
		}
	}
	return rows
}

// subjectRow returns the name of a row of the only subject that v has rows of.
func (w *keyringWriter) subjectRow(v vectors.Vector, rest string) string {
	for name := range v.Rows {
		if strings.HasPrefix(name, "subject/") && strings.HasSuffix(name, "/") {
			return name + rest
		}
	}
	require.Fail(w.t, "no subject")
	return ""
}

// edited returns v with other rows.
func vectorEdited(v vectors.Vector, edit func(s *vectors.Stored)) vectors.Vector {
	s := *v.Stored
	s.Rows = maps.Clone(s.Rows)
	edit(&s)
	v.Stored = &s
	return v
}

// field returns the value of a row with one field set, or removed when value is nil.
func vectorEdit(row, name string, value any) string {
	var fields map[string]any
	if err := json.Unmarshal([]byte(row), &fields); err != nil {
		panic(err)
	}
	fields[name] = value
	if value == nil {
		delete(fields, name)
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func vectorText(row, name string) string {
	var fields map[string]any
	if err := json.Unmarshal([]byte(row), &fields); err != nil {
		panic(err)
	}
	return fields[name].(string)
}

// refuse adds v with its rows edited.
func (w *keyringWriter) refuse(v vectors.Vector, name, expect string, edit func(s *vectors.Stored)) {
	w.t.Helper()
	w.fail(vectorEdited(v, edit), "stored "+name, expect, vectors.Unhex(w.t, v.In))
}

// accept adds v with its rows edited.
func (w *keyringWriter) accept(v vectors.Vector, name string, edit func(s *vectors.Stored)) {
	w.t.Helper()
	w.ok(vectorEdited(v, edit), "stored "+name, vectors.Unhex(w.t, v.In), vectors.Unhex(w.t, *v.Out))
}

func vectorRenamed(from, to string, more func(row string) string) func(s *vectors.Stored) {
	return func(s *vectors.Stored) {
		row := s.Rows[from]
		if more != nil {
			row = more(row)
		}
		delete(s.Rows, from)
		s.Rows[to] = row
	}
}

func (w *keyringWriter) tenantRows(v vectors.Vector) {
	set := func(name string, value any) func(s *vectors.Stored) {
		return func(s *vectors.Stored) { s.Rows[acmeData] = vectorEdit(s.Rows[acmeData], name, value) }
	}
	id, commitment := vectorText(v.Rows[acmeData], "id"), vectorText(v.Rows[acmeData], "commitment")
	w.accept(v, "row without its head", func(s *vectors.Stored) { delete(s.Rows, acmeHead) })
	w.accept(v, "row without its id row", func(s *vectors.Stored) { delete(s.Rows, "id/"+id) })
	w.accept(v, "row whose id row points elsewhere", func(s *vectors.Stored) { s.Rows["id/"+id] = `{"format":1,"row":"tenant/x/data/0000000001"}` })
	w.accept(v, "row with fields in another order", func(s *vectors.Stored) {
		s.Rows[acmeData] = " " + vectorEdit(s.Rows[acmeData], "refs", []string{"x"}) + "\n"
	})
	w.accept(v, "row created at another time", set("created", "2020-01-01T00:00:00.5+02:00"))
	w.accept(v, "row beside a damaged one", func(s *vectors.Stored) { s.Rows["tenant/acme/data/0000000002"] = "{" })
	w.accept(v, "row beside one of another kind", func(s *vectors.Stored) {
		s.Rows["tenant/acme/later/0000000001"] = vectorEdit(vectorEdit(vectorEdit(s.Rows[acmeData], "kind", "later"), "id", strings.Repeat("00", 16)), "commitment", strings.Repeat("00", 32))
	})

	w.refuse(v, "row of another deployment", "open", func(s *vectors.Stored) { s.Deployment = "prod-us" })
	w.refuse(v, "row of a deployment of other case", "open", func(s *vectors.Stored) { s.Deployment = "Prod-eu" })
	w.refuse(v, "row moved to another tenant", "open", func(s *vectors.Stored) {
		s.Tenant = "other"
		vectorRenamed(acmeData, "tenant/other/data/0000000001", nil)(s)
	})
	w.refuse(v, "row moved to another version", "open", vectorRenamed(acmeData, "tenant/acme/data/0000000002", func(row string) string { return vectorEdit(row, "version", 2) }))
	w.refuse(v, "row renamed", "unknown_key", vectorRenamed(acmeData, "tenant/acme/data/0000000002", nil))
	w.refuse(v, "row named by another number of digits", "unknown_key", vectorRenamed(acmeData, "tenant/acme/data/1", nil))
	w.refuse(v, "row removed", "unknown_key", func(s *vectors.Stored) { delete(s.Rows, acmeData) })
	w.refuse(v, "row of kind wrap", "unknown_key", vectorRenamed(acmeData, acmeWrap, func(row string) string { return vectorEdit(row, "kind", "wrap") }))
	for _, c := range []struct {
		name  string
		field string
		value any
		class string
	}{
		{"format 2", "format", 2, "unknown_key"},
		{"no format", "format", nil, "unknown_key"},
		{"another kind than its name", "kind", "wrap", "unknown_key"},
		{"another version than its name", "version", 2, "unknown_key"},
		{"an unknown field", "later", true, "unknown_key"},
		{"another id", "id", strings.Repeat("00", 16), "unknown_key"},
		{"an id in upper case", "id", strings.ToUpper(id), "unknown_key"},
		{"a short id", "id", id[:30], "unknown_key"},
		{"another commitment", "commitment", strings.Repeat("00", 32), "unknown_key"},
		{"the end of another commitment", "commitment", commitment[:62] + "00", "open"},
		{"no commitment", "commitment", nil, "unknown_key"},
		{"no wrapped key", "wrapped", nil, "format"},
		{"text as wrapped key", "wrapped", "AAAA", "format"},
		{"base64 that is none", "wrapped", "*", "unknown_key"},
		{"the end of its key", "destroyed", "2026-01-01T00:00:00Z", "erased"},
	} {
		w.refuse(v, "row with "+c.name, c.class, set(c.field, c.value))
	}
	for _, c := range []struct{ name, value string }{{"empty", ""}, {"garbage", "\x00\x01"}, {"cut", v.Rows[acmeData][:100]}, {"a list", "[]"}} {
		w.refuse(v, "row that is "+c.name, "unknown_key", func(s *vectors.Stored) { s.Rows[acmeData] = c.value })
	}
	w.refuse(v, "tombstone", "erased", func(s *vectors.Stored) {
		s.Rows[acmeData] = `{"format":1,"kind":"data","version":1,"id":"` + id + `","created":"2026-01-01T00:00:00Z","destroyed":"2026-01-02T00:00:00Z","ref":"case 7"}`
	})
	wrapped, err := base64.StdEncoding.DecodeString(vectorText(v.Rows[acmeData], "wrapped"))
	require.NoError(w.t, err)
	version := len(wrapped) - 2 - 72 - 1 // the text of it, which the reader of a vector does not look at
	for i := range wrapped {
		if i != version {
			w.refuse(v, fmt.Sprintf("row with byte %d of the wrapped key changed", i), "", set("wrapped", vectorFlip(wrapped, i*8+i%8)))
		}
	}
	w.refuse(v, "row with a byte after the wrapped key", "format", set("wrapped", append(bytes.Clone(wrapped), 0)))
	v.LocalKey = hex.EncodeToString(vectorKey(3))
	w.refuse(v, "row under another local key", "open", func(*vectors.Stored) {})
}
