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
	"github.com/holdfast-go/holdfast/internal/derive"
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
	r, err := envelope.NewKeyring("prod-eu", store, envelope.SingleRoot(w.o.kek(file)), nil)
	require.NoError(w.t, err)
	defer r.Close()
	bind := []string{"users", "email", "7"}
	all := vectors.Vector{Kind: "managed record", LocalKey: file, KeyID: vectorKeyID, Parts: hexParts(bind...)}
	seal := func(name string, s envelope.Scope, v vectors.Vector, prefixes ...string) vectors.Vector {
		in, err := s.Seal(w.t.Context(), []byte(name), envelope.Bind(bind...))
		require.NoError(w.t, err)
		v.Rows = dumpRows(w, store, prefixes...)
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
	_, err = acme.Subject(ada).Rotate(w.t.Context())
	require.NoError(w.t, err)
	seal("record of a subject after a rotation", acme.Subject(ada), of("acme", ada), "tenant/acme/", "subject/acme/")
	both := of("acme", ada)
	both.Rows = dumpRows(w, store, "tenant/acme/", "subject/acme/")
	w.ok(both, "stored record of a subject from before a rotation", vectors.Unhex(w.t, person.In), []byte("record of a subject"))
	_, err = acme.Rotate(w.t.Context())
	require.NoError(w.t, err)
	seal("record of a tenant after a rotation", acme, of("acme", ""), acmeHead)
	second := seal("record of a second subject", acme.Subject(bob), of("acme", bob), "tenant/acme/", "subject/acme/")

	w.tenantRows(first)
	w.heads(first, "tenant", acmeHead)
	w.heads(person, "subject", w.subjectRow(person, ""))
	w.heads(person, "tenant of the subject", acmeHead)
	w.subjectRows(person, second)
	w.scopes(first, person, second, odd)
}

// dumpRows returns the rows under the prefixes and of the ids of their keys.
func dumpRows(w *keyringWriter, store envelope.Store, prefixes ...string) map[string]string {
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

// heads has the states of a tenant or subject, which nothing authenticates.
func (w *keyringWriter) heads(v vectors.Vector, name, head string) {
	for _, c := range []struct{ state, class string }{
		{"disabled", "disabled"},
		{"erasing", "erased"},
		{"erased", "erased"},
		{"ACTIVE", "format"},
		{"", "format"},
	} {
		w.refuse(v, fmt.Sprintf("%s in state %q", name, c.state), c.class, func(s *vectors.Stored) { s.Rows[head] = vectorEdit(s.Rows[head], "state", c.state) })
	}
	for _, c := range []struct{ name, value string }{
		{"of format 2", vectorEdit(v.Rows[head], "format", 2)},
		{"with an unknown field", vectorEdit(v.Rows[head], "later", 1)},
		{"empty", ""},
		{"garbage", "garbage"},
		{"with something behind it", v.Rows[head] + "{}"},
	} {
		w.refuse(v, name+" whose head is "+c.name, "format", func(s *vectors.Stored) { s.Rows[head] = c.value })
	}
	w.accept(v, name+" with holds", func(s *vectors.Stored) {
		s.Rows[head] = vectorEdit(vectorEdit(s.Rows[head], "holds", []string{"case 7"}), "held", 1)
	})
}

func (w *keyringWriter) subjectRows(v, second vectors.Vector) {
	row := w.subjectRow(v, "data/0000000001")
	set := func(name string, value any) func(s *vectors.Stored) {
		return func(s *vectors.Stored) { s.Rows[row] = vectorEdit(s.Rows[row], name, value) }
	}
	commitment := vectorText(v.Rows[row], "commitment")
	w.accept(v, "subject row without its head", func(s *vectors.Stored) { delete(s.Rows, w.subjectRow(v, "")) })
	w.accept(v, "subject row under a closed wrap key", func(s *vectors.Stored) { s.Rows[acmeWrap] = vectorEdit(s.Rows[acmeWrap], "closed", true) })
	w.refuse(v, "subject row of another deployment", "open", func(s *vectors.Stored) { s.Deployment = "prod-us" })
	w.refuse(v, "subject row moved to another version", "open",
		vectorRenamed(row, w.subjectRow(v, "data/0000000002"), func(row string) string { return vectorEdit(row, "version", 2) }))
	w.refuse(v, "subject row with the end of another commitment", "open", set("commitment", commitment[:62]+"00"))
	w.refuse(v, "subject row whose wrap key is destroyed", "open", func(s *vectors.Stored) {
		s.Rows[acmeWrap] = vectorEdit(s.Rows[acmeWrap], "destroyed", "2026-01-01T00:00:00Z")
	})
	w.refuse(v, "subject row whose wrap key is removed", "open", func(s *vectors.Stored) { delete(s.Rows, acmeWrap) })
	w.refuse(v, "subject row whose wrap key is garbage", "open", func(s *vectors.Stored) { s.Rows[acmeWrap] = "" })
	w.refuse(v, "subject row whose wrap key is damaged", "open", func(s *vectors.Stored) {
		s.Rows[acmeWrap] = vectorEdit(s.Rows[acmeWrap], "wrapped", vectorText(s.Rows[acmeData], "wrapped"))
	})
	w.refuse(v, "subject whose lookup key is damaged", "open", func(s *vectors.Stored) {
		s.Rows[acmeLookup] = vectorEdit(s.Rows[acmeLookup], "wrapped", vectorText(s.Rows[acmeData], "wrapped"))
	})
	w.refuse(v, "subject whose lookup row is garbage", "format", func(s *vectors.Stored) { s.Rows[acmeLookup] = "" })
	w.refuse(v, "subject whose lookup row says another version", "open", func(s *vectors.Stored) { s.Rows[acmeLookup] = vectorEdit(s.Rows[acmeLookup], "version", 2) })
	w.refuse(v, "subject whose lookup key is removed", "wrong_scope", func(s *vectors.Stored) { delete(s.Rows, acmeLookup) })
	w.refuse(v, "subject whose tenant's data key is garbage", "", func(s *vectors.Stored) { s.Rows[row] = "garbage" })
	w.refuse(v, "subject row moved to another subject", "open", func(s *vectors.Stored) {
		s.Subject = bob
		for name := range second.Rows {
			if strings.HasSuffix(name, "/data/0000000001") && strings.HasPrefix(name, "subject/") && s.Rows[name] == "" {
				s.Rows[name] = s.Rows[row]
			}
		}
		delete(s.Rows, row)
	})
	wrapped, err := base64.StdEncoding.DecodeString(vectorText(v.Rows[row], "wrapped"))
	require.NoError(w.t, err)
	require.Len(w.t, wrapped, 89)
	for i := range wrapped {
		class := "open"
		if i == 0 {
			class = "format"
		}
		w.refuse(v, fmt.Sprintf("subject row with byte %d of the wrapped key changed", i), class, set("wrapped", vectorFlip(wrapped, i*8+i%8)))
	}
	w.refuse(v, "subject row with 88 bytes", "format", set("wrapped", wrapped[:88]))
	w.refuse(v, "subject row with 90 bytes", "format", set("wrapped", append(bytes.Clone(wrapped), 0)))
}

// scopes has records that are opened as another's.
func (w *keyringWriter) scopes(first, person, second, odd vectors.Vector) {
	ask := func(tenant, subject string) func(s *vectors.Stored) {
		return func(s *vectors.Stored) { s.Tenant, s.Subject = tenant, subject }
	}
	w.refuse(first, "record of a tenant, asked of another", "wrong_scope", ask("other", ""))
	w.refuse(first, "record of a tenant, asked of a subject without lookup key", "wrong_scope", ask("acme", ada))
	w.refuse(person, "record of a subject, asked of the tenant", "wrong_scope", ask("acme", ""))
	w.refuse(person, "record of a subject, asked of another", "wrong_scope", ask("acme", bob))
	w.refuse(person, "record of a subject, asked of one of the same name", "wrong_scope", ask("other", ada))
	w.refuse(second, "record of a second subject, asked of the first", "wrong_scope", ask("acme", ada))
	w.refuse(odd, "record of an odd tenant, asked of another", "wrong_scope", ask("acme", ""))
	v := person
	v.In, v.Out = first.In, first.Out
	w.refuse(v, "record of a tenant, asked of a subject", "wrong_scope", func(*vectors.Stored) {})
	w.refuse(first, "record without any row", "unknown_key", func(s *vectors.Stored) { s.Rows = map[string]string{} })
	w.refuse(first, "record whose id row is garbage", "format", func(s *vectors.Stored) {
		s.Tenant, s.Rows["id/"+vectorText(s.Rows[acmeData], "id")] = "other", "garbage"
	})
}

// forgeries are by whoever may use the KMS key and writes the store.
func (w *keyringWriter) forgeries() {
	kek := w.o.kek(hex.EncodeToString(vectorKey(0)))
	keys := [2][]byte{vectorKey(1), vectorKey(2)}
	var record [2][]byte
	var commitment [2][32]byte
	for i, key := range keys {
		derived := derive.Key((*[derive.Size]byte)(key), "record")
		record[i], commitment[i] = derived[:], derive.Commitment((*[derive.Size]byte)(key))
	}
	header := append([]byte{0xf5}, commitment[0][:16]...)
	v := w.managed("managed record", "users", "email", "7")
	in := slices.Concat(header, twoKeyRecord(w.t, record, slices.Concat(header, w.o.bound(v))))
	var out [2][]byte
	for i, key := range record {
		k, err := aead.ParseKey(key)
		require.NoError(w.t, err)
		out[i], err = k.Open(nil, in[17:], slices.Concat(header, w.o.bound(v)))
		require.NoError(w.t, err)
		w.ok(vectors.Vector{Kind: "record", Keyed: &vectors.Keyed{Key: hex.EncodeToString(key), AAD: hex.EncodeToString(slices.Concat(header, w.o.bound(v)))}},
			fmt.Sprintf("record under two keys, key %d", i+1), in[17:], out[i])
	}
	require.NotEqual(w.t, out[0], out[1])
	w.ok(v, "record under two keys", in, out[0])
	v.DataKey = hex.EncodeToString(keys[1])
	w.fail(v, "record under two keys, its id another's", "unknown_key", in)
	v.DataKey, v.LocalKey, v.KeyID = "", hex.EncodeToString(vectorKey(0)), vectorKeyID
	name, good := vectorRow(w.t, kek, "d", "acme", "data", 1, keys[0])
	v.Stored = &vectors.Stored{Deployment: "d", Tenant: "acme", Rows: map[string]string{name: good}}
	v = w.ok(v, "stored record under two keys", in, out[0])
	_, lie := vectorForgedRow(w.t, kek, "d", "acme", "data", 1, keys[1], commitment[0][:])
	w.refuse(v, "key with a forged id and commitment", "open", func(s *vectors.Stored) { s.Rows[name] = lie })
	half := slices.Concat(commitment[0][:16], commitment[1][16:])
	_, lie = vectorForgedRow(w.t, kek, "d", "acme", "data", 1, keys[1], half)
	w.refuse(v, "key with a forged id and half of its commitment", "open", func(s *vectors.Stored) { s.Rows[name] = lie })
	_, other := vectorRow(w.t, kek, "d", "acme", "data", 1, keys[1])
	w.refuse(v, "key with a forged id", "unknown_key", func(s *vectors.Stored) {
		s.Rows[name] = vectorEdit(other, "id", hex.EncodeToString(commitment[0][:16]))
	})
	for _, n := range []int{16, 31, 33, 64} {
		long := make([]byte, n)
		copy(long, keys[0])
		_, lie := vectorForgedRow(w.t, kek, "d", "acme", "data", 1, long, commitment[0][:])
		w.refuse(v, fmt.Sprintf("key of %d bytes", n), "open", func(s *vectors.Stored) { s.Rows[name] = lie })
	}
	// A key of another use does not become a data key.
	for _, kind := range []string{"wrap", "lookup"} {
		_, row := vectorRow(w.t, kek, "d", "acme", kind, 1, keys[0])
		w.refuse(v, kind+" key renamed to a data key", "open", func(s *vectors.Stored) { s.Rows[name] = vectorEdit(row, "kind", "data") })
	}
}
