package envelope_test

import (
	"crypto/fips140"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestRowsTampered has a process meet rows that somebody edited before it has seen any.
func TestRowsTampered(t *testing.T) {
	w := newRowWorld(t, kmstest.NewFake("key"), "test")
	for _, c := range rowCases() {
		t.Run(c.name, func(t *testing.T) { c.run(t, w) })
	}
}

// TestRowsTamperedWarm has a process meet them that has used all keys before.
func TestRowsTamperedWarm(t *testing.T) {
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skip("the FIPS module takes its entropy from the clock, which stands still in a bubble")
	}
	for _, c := range rowCases() {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { c.runWarm(t, newRowWorld(t, kmstest.NewFake("key"), "test")) })
		})
	}
}

// rowChange edits rows.
type rowChange = func(w *rowWorld, rows map[string]string)

// rowsWith is several changes.
func rowsWith(changes ...rowChange) rowChange {
	return func(w *rowWorld, rows map[string]string) {
		for _, c := range changes {
			c(w, rows)
		}
	}
}

// rowSet sets a field of a row, or removes it where value is nil.
func rowSet(name, field string, value any) rowChange {
	return func(w *rowWorld, rows map[string]string) {
		rows[w.names[name]] = vectorEdit(rows[w.names[name]], field, value)
	}
}

// rowIs writes a row over with other text.
func rowIs(name, value string) rowChange {
	return func(w *rowWorld, rows map[string]string) { rows[w.names[name]] = value }
}

// rowCopy writes a row over with what another one was, as the version that the name says.
func rowCopy(from, to string) rowChange {
	return func(w *rowWorld, rows map[string]string) {
		key := w.names[to]
		value := w.rows[w.names[from]]
		if parts := strings.Split(strings.TrimSuffix(key, "/"), "/"); strings.HasPrefix(parts[len(parts)-1], "000") {
			value = vectorEdit(vectorEdit(value, "version", int(parts[len(parts)-1][9]-'0')), "kind", parts[len(parts)-2])
		}
		rows[key] = value
	}
}

func rowGone(name string) rowChange {
	return func(w *rowWorld, rows map[string]string) { delete(rows, w.names[name]) }
}

// rowPart takes a field over from another row.
func rowPart(from, to, field string) rowChange {
	return func(w *rowWorld, rows map[string]string) {
		rowSet(to, field, vectorText(w.rows[w.names[from]], field))(w, rows)
	}
}

// rowEnd changes the part of a commitment that is not in the id.
func rowEnd(name string) rowChange {
	return func(w *rowWorld, rows map[string]string) {
		commitment := vectorText(w.rows[w.names[name]], "commitment")
		rowSet(name, "commitment", commitment[:32]+strings.Repeat("00", 16))(w, rows)
	}
}

// every is the same error for several records or scopes.
func every(err error, names ...string) map[string]error {
	m := map[string]error{}
	for _, name := range names {
		m[name] = err
	}
	return m
}

// rowCases are what somebody who writes to the store can do, and what comes of it: FORMAT.md section 6.
func rowCases() []rowCase {
	ofAda := []string{"acme/ada/1", "acme/ada/2"}
	ofSubjects := append(ofAda, "acme/bob/1", "acme/bob/2")
	ofAcme := append(ofSubjects, "acme//1", "acme//2")
	subjects, acme := []string{"acme/ada", "acme/bob"}, []string{"acme/ada", "acme/bob", "acme/"}
	cases := []rowCase{
		{name: "nothing", edit: rowsWith()},
		// Rows that say what they should not.
		{name: "another key in the newest version", edit: rowPart("acme/ 1", "acme/ 2", "wrapped"), opens: every(envelope.ErrOpen, "acme//2"), newer: []string{"acme/"}},
		{name: "another key in an old version", edit: rowPart("acme/ 2", "acme/ 1", "wrapped"), opens: every(envelope.ErrOpen, "acme//1")},
		{
			name: "another key in the subject's newest version", edit: rowPart("acme/ada 1", "acme/ada 2", "wrapped"),
			opens: every(envelope.ErrOpen, "acme/ada/2"), newer: []string{"acme/ada"},
		},
		{name: "the end of another commitment", edit: rowEnd("acme/ 2"), opens: every(envelope.ErrOpen, "acme//2"), newer: []string{"acme/"}},
		{name: "the end of another commitment, of a subject", edit: rowEnd("acme/ada 2"), opens: every(envelope.ErrOpen, "acme/ada/2"), newer: []string{"acme/ada"}},
		{name: "versions exchanged", edit: rowsWith(rowCopy("acme/ 1", "acme/ 2"), rowCopy("acme/ 2", "acme/ 1")), opens: every(envelope.ErrOpen, "acme//1", "acme//2"), seals: every(envelope.ErrOpen, "acme/")},
		{name: "newest version again as one more", edit: rowCopy("acme/ 2", "acme/ 3")},
		{name: "old version again as the newest", edit: rowCopy("acme/ 1", "acme/ 3")},
		{name: "wrap key as the newest version", edit: rowCopy("acme wrap", "acme/ 3")},
		{name: "lookup key as the newest version", edit: rowCopy("acme lookup", "acme/ 3")},
		{name: "another tenant's key as the newest version", edit: rowCopy("other/ 2", "acme/ 3")},
		{name: "tenant's key as the subject's", edit: rowCopy("acme/ 2", "acme/ada 3")},
		{name: "subject's key as the tenant's", edit: rowCopy("acme/ada 2", "acme/ 3")},
		{name: "another subject's key as the newest version", edit: rowCopy("acme/bob 2", "acme/ada 3")},
		{name: "the subject's old version again as the newest", edit: rowCopy("acme/ada 1", "acme/ada 3")},
		{name: "subject of another tenant", edit: rowCopy("other/ada 2", "acme/ada 3")},
		{
			name: "keys of tenants exchanged", edit: rowsWith(rowCopy("acme/ 2", "other/ 2"), rowCopy("other/ 2", "acme/ 2")),
			opens: every(envelope.ErrUnknownKey, "acme//2", "other//2"), newer: []string{"acme/", "other/"},
		},
		{
			name: "keys of subjects exchanged", edit: rowsWith(rowCopy("acme/ada 2", "acme/bob 2"), rowCopy("acme/bob 2", "acme/ada 2")),
			opens: every(envelope.ErrUnknownKey, "acme/ada/2", "acme/bob/2"), newer: subjects,
		},
		{name: "wrap and lookup key exchanged", edit: rowsWith(rowCopy("acme wrap", "acme lookup"), rowCopy("acme lookup", "acme wrap")), opens: every(envelope.ErrOpen, ofSubjects...), seals: every(envelope.ErrOpen, subjects...)},
		{name: "another tenant's lookup key", edit: rowCopy("other lookup", "acme lookup"), opens: every(envelope.ErrOpen, ofSubjects...), seals: every(envelope.ErrOpen, subjects...), lazy: true},
		{name: "another tenant's wrap key", edit: rowCopy("other wrap", "acme wrap"), opens: every(envelope.ErrOpen, ofSubjects...), seals: every(envelope.ErrOpen, subjects...)},
		{name: "another deployment", edit: rowSet("fleet", "deployment", "prod"), other: kms.ErrInvalid, lazy: true},
		// Rows that are gone, and old ones that are back.
		{name: "newest version gone", edit: rowGone("acme/ 2"), opens: every(envelope.ErrUnknownKey, "acme//2"), newer: []string{"acme/"}},
		{name: "the subject's newest version gone", edit: rowGone("acme/ada 2"), opens: every(envelope.ErrUnknownKey, "acme/ada/2"), newer: []string{"acme/ada"}},
		{name: "old version gone", edit: rowGone("acme/ 1"), opens: every(envelope.ErrUnknownKey, "acme//1")},
		{name: "rotation undone", edit: rowsWith(rowGone("acme/ 2"), rowGone("acme//2 id")), opens: every(envelope.ErrUnknownKey, "acme//2"), newer: []string{"acme/"}},
		{
			name: "tenant gone", edit: rowsWith(rowGone("acme/"), rowGone("acme/ 1"), rowGone("acme/ 2"), rowGone("acme//1 id"), rowGone("acme//2 id")),
			opens: every(envelope.ErrUnknownKey, "acme//1", "acme//2"), newer: []string{"acme/"},
		},
		{name: "heads gone", edit: rowsWith(rowGone("acme/"), rowGone("acme/ada"))},
		{name: "id rows gone", edit: rowsWith(rowGone("acme//1 id"), rowGone("acme/ada/2 id"))},
		{name: "wrap key gone", edit: rowGone("acme wrap"), opens: every(envelope.ErrOpen, ofSubjects...), seals: every(envelope.ErrOpen, subjects...)},
		{name: "fleet gone", edit: rowGone("fleet")},
		// States, which nothing authenticates.
		{name: "tenant disabled", edit: rowSet("acme/", "state", "disabled"), opens: every(envelope.ErrDisabled, ofAcme...), seals: every(envelope.ErrDisabled, acme...)},
		{name: "tenant erasing", edit: rowSet("acme/", "state", "erasing"), opens: every(envelope.ErrErased, ofAcme...), seals: every(envelope.ErrErased, acme...)},
		{name: "tenant erased", edit: rowSet("acme/", "state", "erased"), opens: every(envelope.ErrErased, ofAcme...), seals: every(envelope.ErrErased, acme...)},
		{name: "subject disabled", edit: rowSet("acme/ada", "state", "disabled"), opens: every(envelope.ErrDisabled, ofAda...), seals: every(envelope.ErrDisabled, "acme/ada")},
		{name: "subject erased", edit: rowSet("acme/ada", "state", "erased"), opens: every(envelope.ErrErased, ofAda...), seals: every(envelope.ErrErased, "acme/ada")},
		{name: "tenant in an unknown state", edit: rowSet("acme/", "state", "x"), opens: every(envelope.ErrFormat, ofAcme...), seals: every(envelope.ErrFormat, acme...)},
		{name: "tenant in no state", edit: rowSet("acme/", "state", nil), opens: every(envelope.ErrFormat, ofAcme...), seals: every(envelope.ErrFormat, acme...)},
		{name: "head of another tenant's subject", edit: rowCopy("other/ada", "acme/ada")},
		{name: "old version destroyed", edit: rowSet("acme/ 1", "destroyed", "2026-01-01T00:00:00Z"), opens: every(envelope.ErrErased, "acme//1")},
		{name: "newest version destroyed", edit: rowSet("acme/ 2", "destroyed", "2026-01-01T00:00:00Z"), opens: every(envelope.ErrErased, "acme//2"), newer: []string{"acme/"}},
		{name: "the subject's old version destroyed", edit: rowSet("acme/ada 1", "destroyed", "2026-01-01T00:00:00Z"), opens: every(envelope.ErrErased, "acme/ada/1")},
		{name: "wrap key closed", edit: rowSet("acme wrap", "closed", true)},
		{name: "data key closed", edit: rowSet("acme/ 2", "closed", true)},
		{name: "holds", edit: rowSet("acme/ada", "holds", []string{"case 7"})},
		{name: "other KMS keys named", edit: rowSet("acme/ 2", "refs", []string{"x:y"})},
		{name: "older than it is", edit: rowSet("acme/ 2", "created", "1999-01-01T00:00:00Z")}, // it rotates
		{name: "from the future", edit: rowSet("acme/ 2", "created", "2999-01-01T00:00:00Z")},
		// Ids.
		{name: "id row of another tenant's", edit: rowCopy("other//2 id", "acme//2 id")},
		{name: "id row of a subject's", edit: rowCopy("acme/ada/2 id", "acme//2 id")},
		{name: "id row of format 2", edit: rowSet("acme//2 id", "format", 2)},
		{name: "id row of nothing", edit: rowSet("acme//2 id", "row", "x")},
		{name: "id row of a row of the tenant that is not there", edit: rowsWith(rowSet("acme//2 id", "row", "tenant/acme/data/0000000009"), rowGone("acme/ 2")), opens: every(envelope.ErrUnknownKey, "acme//2"), newer: []string{"acme/"}},
		// Fleet.
		{name: "fleet with a long time", edit: rowSet("fleet", "cache_ttl_ms", 80_000_000)},
	}
	for _, v := range [][2]string{
		{"empty", ""},
		{"null", "null"},
		{"a list", "[]"},
		{"text", "garbage"},
		{"zeros", "\x00\x00"},
		{"two", "{}{}"},
		{"with a brace behind it", `{"format":1,"state":"active","since":"2026-01-01T00:00:00Z"}}`},
		{"an empty object", "{}"},
		{"of format 2", `{"format":2}`},
		{"with an unknown field", `{"format":1,"later":1}`},
		{"huge", `{"format":1,"later":"` + strings.Repeat("x", envelope.MaxRowValue-30) + `"}`},
		{"deep", strings.Repeat("[", envelope.MaxRowValue)},
	} {
		name, value := v[0], v[1]
		cases = append(cases, []rowCase{
			{name: "newest version is " + name, edit: rowIs("acme/ 2", value), opens: every(envelope.ErrUnknownKey, "acme//2"), newer: []string{"acme/"}},
			{name: "the subject's newest version is " + name, edit: rowIs("acme/ada 2", value), opens: every(envelope.ErrUnknownKey, "acme/ada/2"), newer: []string{"acme/ada"}},
			{name: "one more version is " + name, edit: rowIs("acme/ 3", value)},
			{name: "head is " + name, edit: rowIs("acme/", value), opens: every(envelope.ErrFormat, ofAcme...), seals: every(envelope.ErrFormat, acme...)},
			{name: "the subject's head is " + name, edit: rowIs("acme/ada", value), opens: every(envelope.ErrFormat, ofAda...), seals: every(envelope.ErrFormat, "acme/ada")},
			{name: "lookup key is " + name, edit: rowIs("acme lookup", value), opens: every(envelope.ErrFormat, ofSubjects...), seals: every(envelope.ErrFormat, subjects...), lazy: true},
			{name: "wrap key is " + name, edit: rowIs("acme wrap", value), opens: every(envelope.ErrOpen, ofSubjects...), seals: every(envelope.ErrOpen, subjects...)},
			{name: "fleet is " + name, edit: rowIs("fleet", value), other: envelope.ErrFormat, lazy: true},
		}...)
	}
	return cases
}
