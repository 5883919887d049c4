package columns

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/memstore"
)

// letter is a row with a column that is bound to its person only.
type letter struct {
	ID, Person string
	Body       field.Field[string] `seal:"body,bind=subject"`
	Price      field.Field[int64]  `seal:"price,key=tenant"`
}

// TestSwap: a value that someone moved by SQL opens nowhere else, and opens again where it belongs.
func TestSwap(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		key := newKey(t)
		production, staging := newKeyring(t, "production", memstore.New(), key), newKeyring(t, "staging", memstore.New(), key)
		acme := production.Tenant("acme")
		for _, name := range []string{"mine", "other", "globex", "staging", "erasable"} {
			create(t, c, name, personColumn...)
			table, tn := people(t, name, name == "erasable"), acme
			switch name {
			case "globex":
				table, tn = people(t, "mine", false), production.Tenant("globex")
			case "staging":
				table, tn = people(t, "mine", false), staging.Tenant("acme")
			}
			for n := range 2 {
				add(t, c, name, table, tn, newPerson(n))
			}
		}
		for name, swap := range map[string]struct {
			in, column, from string
			want             []error // one of these
		}{
			"row":                {"mine", "email", "SELECT email FROM mine WHERE id = 'p0001'", []error{envelope.ErrOpen}},
			"column":             {"mine", "email", "SELECT phone FROM mine WHERE id = 'p0000'", []error{envelope.ErrOpen}},
			"table":              {"mine", "email", "SELECT email FROM other WHERE id = 'p0000'", []error{envelope.ErrOpen}},
			"tenant":             {"mine", "email", "SELECT email FROM globex WHERE id = 'p0000'", []error{envelope.ErrWrongScope, envelope.ErrUnknownKey}},
			"deployment":         {"mine", "email", "SELECT email FROM staging WHERE id = 'p0000'", []error{envelope.ErrUnknownKey}},
			"subject":            {"erasable", "email", "SELECT email FROM erasable WHERE id = 'p0001'", []error{envelope.ErrWrongScope}},
			"tenant for subject": {"erasable", "email", "SELECT email FROM mine WHERE id = 'p0000'", []error{envelope.ErrWrongScope}},
			"subject for tenant": {"mine", "email", "SELECT email FROM erasable WHERE id = 'p0000'", []error{envelope.ErrWrongScope}},
			"index for a value":  {"mine", "email", "SELECT email_eq FROM mine WHERE id = 'p0000'", []error{envelope.ErrFormat, envelope.ErrTruncated}},
		} {
			table := people(t, swap.in, swap.in == "erasable")
			before := page(t, c, swap.in, "WHERE id = 'p0000'")[0]
			must(t, c, 1, "UPDATE "+swap.in+" SET "+swap.column+" = ("+swap.from+") WHERE id = 'p0000'")
			p := page(t, c, swap.in, "WHERE id = 'p0000'")[0]
			require.False(t, p.Email.Equal(before.Email), "something was moved")
			err := table.Open(t.Context(), acme, p)
			require.True(t, anyOf(err, swap.want), "%s: %v", name, err)
			var at *field.ColumnError
			require.True(t, errors.As(err, &at))
			require.Equal(t, swap.column, at.Column)
			_, ok := p.Email.Get()
			require.False(t, ok, name)
			_, ok = p.Phone.Get()
			require.True(t, ok, name)

			must(t, c, 1, "UPDATE "+swap.in+" SET "+swap.column+" = $1 WHERE id = 'p0000'", before.Email)
			require.NoError(t, table.Open(t.Context(), acme, page(t, c, swap.in, "WHERE id = 'p0000'")[0]), name)
		}
	})
}

func anyOf(err error, want []error) bool {
	for _, w := range want {
		if errors.Is(err, w) {
			return true
		}
	}
	return false
}

// TestSwapBound: what is bound to a person may move between the person's rows, and not to another's.
func TestSwapBound(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		acme := newTenant(t)
		table, err := field.NewTable("letters", field.Spec[letter]{
			Row: func(l *letter) string { return l.ID }, Subject: func(l *letter) string { return l.Person },
		})
		require.NoError(t, err)
		create(t, c, "letters", "person", "body", "price")
		for i, id := range []string{"a1", "a2", "b1"} {
			l := letter{ID: id, Person: id[:1], Body: field.Of("dear " + id), Price: field.Of(int64(i))}
			require.NoError(t, table.Seal(t.Context(), acme, &l))
			must(t, c, 1, insert("letters", "person", "body", "price"), l.ID, []byte(l.Person), l.Body, l.Price)
		}
		open := func(id string) (letter, error) {
			var l letter
			require.NoError(t, c.query(t.Context(), "SELECT id, person, body, price FROM letters WHERE id = $1", []any{id}, func(scan func(...any) error) error {
				var person []byte
				err := scan(&l.ID, &person, &l.Body, &l.Price)
				l.Person = string(person)
				return err
			}))
			err := table.Open(t.Context(), acme, &l)
			return l, err
		}
		must(t, c, 1, "UPDATE letters SET body = (SELECT body FROM letters WHERE id = 'a2') WHERE id = 'a1'")
		l, err := open("a1")
		require.NoError(t, err)
		body, _ := l.Body.Get()
		require.Equal(t, "dear a2", body)
		must(t, c, 1, "UPDATE letters SET body = (SELECT body FROM letters WHERE id = 'b1') WHERE id = 'a1'")
		_, err = open("a1")
		require.ErrorIs(t, err, envelope.ErrWrongScope)
		must(t, c, 1, "UPDATE letters SET price = (SELECT price FROM letters WHERE id = 'a2') WHERE id = 'b1'")
		_, err = open("b1")
		require.ErrorIs(t, err, envelope.ErrOpen, "the tenant's key, and another row")

		_, err = acme.Subject("a").Erase(t.Context(), envelope.Erasure{Ref: "case-1"})
		require.NoError(t, err)
		l, err = open("a2")
		require.ErrorIs(t, err, envelope.ErrErased)
		price, ok := l.Price.Get()
		require.True(t, ok, "what is the tenant's outlives the person")
		require.EqualValues(t, 1, price)
	})
}

// TestSwappedIndex: a token that was moved finds a row that Keep refuses.
func TestSwappedIndex(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		table, acme := people(t, "people", false), newTenant(t)
		create(t, c, "people", personColumn...)
		for n := range 2 {
			add(t, c, "people", table, acme, newPerson(n))
		}
		find := func(email string) (found, kept []string) {
			q, err := table.Find(t.Context(), acme, "email", email)
			require.NoError(t, err)
			require.Len(t, q.Terms(), 1)
			for _, p := range page(t, c, "people", "WHERE email_eq = $1", q.Terms()[0]) {
				require.NoError(t, table.Open(t.Context(), acme, p))
				found = append(found, p.ID)
				if q.Keep(p) {
					kept = append(kept, p.ID)
				}
			}
			return found, kept
		}
		found, kept := find(strings.ToUpper("person0@example.com"))
		require.Equal(t, []string{"p0000"}, found)
		require.Equal(t, found, kept)
		must(t, c, 1, "UPDATE people SET email_eq = (SELECT email_eq FROM people WHERE id = 'p0000') WHERE id = 'p0001'")
		must(t, c, 1, "UPDATE people SET email_eq = NULL WHERE id = 'p0000'")
		found, kept = find("person0@example.com")
		require.Equal(t, []string{"p0001"}, found)
		require.Empty(t, kept)
	})
}
