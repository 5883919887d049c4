package columns

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
)

// TestPage: of 1000 rows with a person who was erased 999 open, and so does the rest of a page with damaged rows. All of them can be updated and deleted.
func TestPage(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		n := 1000
		if testing.Short() {
			n = 100
		}
		table, acme := people(t, "people", true), newTenant(t)
		create(t, c, "people", personColumn...)
		for i := range n {
			add(t, c, "people", table, acme, newPerson(i))
		}
		const gone = "p0007"
		_, err := acme.Subject(gone).Erase(t.Context(), envelope.Erasure{Ref: "case-7"})
		require.NoError(t, err)
		refused := func() map[string]error {
			errs, opened := map[string]error{}, 0
			all := page(t, c, "people", "")
			for _, p := range all {
				if err := table.Open(t.Context(), acme, p); err != nil {
					errs[p.ID] = err
					continue
				}
				_, ok := p.Email.Get()
				require.True(t, ok)
				opened++
			}
			require.Equal(t, len(all), opened+len(errs))
			return errs
		}
		errs := refused()
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[gone], envelope.ErrErased)
		require.Equal(t, envelope.Skip, envelope.ActionFor(errs[gone]))

		// What stands in one column is that column's affair.
		for id, bad := range map[string]struct {
			text string
			args []any
			err  error
		}{
			"p0010": {"UPDATE people SET email = $2 WHERE id = $1", []any{[]byte("garbage")}, envelope.ErrFormat},
			"p0011": {"UPDATE people SET email = $2 WHERE id = $1", []any{[]byte{}}, envelope.ErrFormat},
			"p0012": {"UPDATE people SET email = substr(email, 1, 40) WHERE id = $1", nil, envelope.ErrTruncated},
			"p0013": {"UPDATE people SET email = substr(email, 1, length(email) - 1) WHERE id = $1", nil, envelope.ErrOpen},
			"p0014": {"UPDATE people SET email = $2 WHERE id = $1", []any{[]byte("person14@example.com")}, envelope.ErrFormat},
			"p0015": {"UPDATE people SET email = email_eq WHERE id = $1", nil, nil}, // a token may begin with the byte of a record
		} {
			must(t, c, 1, bad.text, append([]any{id}, bad.args...)...)
			p := page(t, c, "people", "WHERE id = $1", id)[0]
			err := table.Open(t.Context(), acme, p)
			require.Error(t, err, id)
			if bad.err != nil {
				require.ErrorIs(t, err, bad.err, id)
			}
			require.NotContains(t, err.Error(), "example.com", "an error tells no plaintext, even where it should not have been")
			var at *field.ColumnError
			require.True(t, errors.As(err, &at))
			require.Equal(t, "email", at.Column)
			_, ok := p.Email.Get()
			require.False(t, ok)
			phone, ok := p.Phone.Get()
			require.True(t, ok, "the other column opens")
			require.Contains(t, phone, "+46 ")
		}
		errs = refused()
		require.Len(t, errs, 7)
		for id := range errs {
			must(t, c, 1, "UPDATE people SET note = $2 WHERE id = $1", id, []byte("changed"))
			p := page(t, c, "people", "WHERE id = $1", id)[0]
			require.Equal(t, "changed", p.Note)
			if id != gone {
				p.Email = field.Of("new@example.com")
				require.NoError(t, table.Seal(t.Context(), acme, p, "email"))
				must(t, c, 1, "UPDATE people SET email = $2, email_eq = $3 WHERE id = $1", id, p.Email, p.EmailEq)
			}
		}
		require.Len(t, refused(), 1)
		p := page(t, c, "people", "WHERE id = $1", gone)[0]
		require.Error(t, table.Open(t.Context(), acme, p))
		must(t, c, 1, "UPDATE people SET email = $2, phone = $3 WHERE id = $1", gone, p.Email, p.Phone) // as it was read
		must(t, c, 1, "DELETE FROM people WHERE id = $1", gone)
		require.Empty(t, refused())
	})
}
