package field_test

import (
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/kms"
)

func plan(t testing.TB) field.Plan {
	t.Helper()
	p, err := field.PlanIndex(field.Stats{Rows: 1_000_000, Unique: true})
	require.NoError(t, err)
	return p
}

type person struct {
	ID, Who string
	Name    field.Field[string] `seal:"name"`
	Address field.Field[string] `seal:"address,bind=subject"`
	Invoice field.Field[int64]  `seal:"invoice,key=tenant"`
	NameEq  field.Index         `seal:"name_eq,of=name,norm=casefold/v1"`
}

func persons(t testing.TB) *field.Table[person] {
	t.Helper()
	table, err := field.NewTable("persons", field.Spec[person]{
		Row: func(p *person) string { return p.ID }, Subject: func(p *person) string { return p.Who },
		Indexes: map[string]field.Plan{"name_eq": plan(t)},
	})
	require.NoError(t, err)
	return table
}

// TestRowIDs: a value is not bound to an id that the database has yet to assign.
func TestRowIDs(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), persons(t)
	for _, id := range []string{"", "0", "00000000-0000-0000-0000-000000000000"} {
		p := person{ID: id, Who: "ada", Name: field.Of("Ada"), Address: field.Of("London")}
		err := table.Seal(t.Context(), acme, &p)
		require.ErrorIs(t, err, kms.ErrInvalid)
		require.Contains(t, err.Error(), "UUIDv7")
		require.Equal(t, "[unsealed]", p.Name.String(), "nothing has changed")
		require.NoError(t, table.Seal(t.Context(), acme, &p, "address"), "it is bound to the subject")
		require.Equal(t, "[unsealed] [sealed]", p.Name.String()+" "+p.Address.String())
	}
	nobody := person{ID: "1", Name: field.Of("Ada"), Invoice: field.Of(int64(7))}
	require.ErrorIs(t, table.Seal(t.Context(), acme, &nobody), kms.ErrInvalid, "a subject is not left out by accident")
	require.NoError(t, table.Seal(t.Context(), acme, &nobody, "invoice"))
	require.ErrorIs(t, table.Seal(t.Context(), acme, &nobody, "nome"), kms.ErrInvalid)
	require.ErrorIs(t, table.Seal(t.Context(), acme, &nobody, "name_eq"), kms.ErrInvalid)
	require.ErrorIs(t, table.Seal(t.Context(), acme, &nobody, "address"), kms.ErrInvalid, "it is unset")
	require.ErrorIs(t, table.Seal(t.Context(), acme, nil), kms.ErrInvalid)
	require.ErrorIs(t, table.Open(t.Context(), acme, nil), kms.ErrInvalid)
	require.ErrorIs(t, table.Seal(t.Context(), envelope.Tenant{}, &person{ID: "1", Who: "w", Name: field.Of("x")}), kms.ErrInvalid)
}

// TestErasedPerson: what was the person's is gone, what was the tenant's is not, and the error says which.
func TestErasedPerson(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), persons(t)
	p := person{ID: "1", Who: "ada", Name: field.Of("Ada"), Address: field.Of("London"), Invoice: field.Of(int64(7))}
	require.NoError(t, table.Seal(t.Context(), acme, &p))
	require.Equal(t, []string{"name_eq"}, table.IndexColumns())
	stored := scanned(t, p)
	_, err := acme.Subject("ada").Erase(t.Context(), envelope.Erasure{Ref: "case-1"})
	require.NoError(t, err)
	err = table.Open(t.Context(), acme, &stored)
	require.ErrorIs(t, err, envelope.ErrErased)
	require.Equal(t, envelope.Skip, envelope.ActionFor(err))
	var columns []string
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		var c *field.ColumnError
		require.True(t, errors.As(err, &c))
		require.Equal(t, "persons", c.Table)
		columns = append(columns, c.Column)
	}
	require.Equal(t, []string{"name", "address"}, columns)
	n, ok := stored.Invoice.Get()
	require.True(t, ok)
	require.EqualValues(t, 7, n)
	_, ok = stored.Name.Get()
	require.False(t, ok)
	v, err := stored.Name.Value()
	require.NoError(t, err, "it is written back as it was")
	require.NotNil(t, v)
	require.NoError(t, table.Seal(t.Context(), acme, &stored, "invoice"))
	require.ErrorIs(t, table.Seal(t.Context(), acme, &person{ID: "2", Who: "ada", Name: field.Of("Ada")}), envelope.ErrErased)
}

// scanned returns the row as the database gives it.
func scanned(t testing.TB, p person) person {
	t.Helper()
	back := person{ID: p.ID, Who: p.Who}
	for _, f := range []struct {
		from interface {
			String() string
			Value() (driver.Value, error)
		}
		to interface{ Scan(any) error }
	}{{p.Name, &back.Name}, {p.Address, &back.Address}, {p.Invoice, &back.Invoice}, {p.NameEq, &back.NameEq}} {
		if f.from.String() == "[unset]" {
			continue
		}
		v, err := f.from.Value()
		require.NoError(t, err)
		require.NoError(t, f.to.Scan(v))
	}
	return back
}

// TestSealByName: what is named is sealed, or it is an error.
func TestSealByName(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), persons(t)
	p := person{ID: "1", Who: "ada", Name: field.Of("Ada"), Address: field.Of("London")}
	require.NoError(t, table.Seal(t.Context(), acme, &p))
	moved := scanned(t, p)
	moved.ID = "2"
	require.ErrorIs(t, table.Seal(t.Context(), acme, &moved, "name"), kms.ErrInvalid, "the record is that of another row")
	require.NoError(t, moved.Address.Scan("plaintext"))
	require.ErrorIs(t, table.Seal(t.Context(), acme, &moved, "address"), kms.ErrInvalid)
	require.NoError(t, table.Seal(t.Context(), acme, &moved), "where none is named they stay")
}

// TestIndexColumnsOfPersons: what outlives a person is not to be cleared.
func TestIndexColumnsOfPersons(t *testing.T) {
	type row struct {
		A  field.Field[string] `seal:"a"`
		B  field.Field[string] `seal:"b,key=tenant"`
		AX field.Index         `seal:"ax,of=a"`
		BX field.Index         `seal:"bx,of=b"`
	}
	id := func(*row) string { return "1" }
	plans := map[string]field.Plan{"ax": plan(t), "bx": plan(t)}
	of, err := field.NewTable("t", field.Spec[row]{Row: id, Subject: id, Indexes: plans})
	require.NoError(t, err)
	require.Equal(t, []string{"ax"}, of.IndexColumns())
}

// TestQualifiedName: a table may be named with its schema, and be renamed.
func TestQualifiedName(t *testing.T) {
	type before struct {
		Email field.Field[string] `seal:"email"`
	}
	type after struct {
		Mail field.Field[string] `seal:"mail,as=public.users.email"`
	}
	acme := envelopetest.New(t, nil).Tenant("acme")
	old, err := field.NewTable("public.users", field.Spec[before]{Row: func(*before) string { return "1" }})
	require.NoError(t, err)
	now, err := field.NewTable("crm.customers", field.Spec[after]{Row: func(*after) string { return "1" }})
	require.NoError(t, err)
	was := before{field.Of("ada@example.com")}
	require.NoError(t, old.Seal(t.Context(), acme, &was))
	v, err := was.Email.Value()
	require.NoError(t, err)
	var is after
	require.NoError(t, is.Mail.Scan(v))
	require.NoError(t, now.Open(t.Context(), acme, &is))
	require.True(t, is.Mail.Equal(was.Email))
}
