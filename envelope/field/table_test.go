package field_test

import (
	"database/sql/driver"
	"errors"
	"testing"
	"time"

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

// made tells how NewTable takes rows of type R, with a plan for each of the indexes.
func made[R any](t *testing.T, person bool, indexes ...string) error {
	t.Helper()
	s := field.Spec[R]{Row: func(*R) string { return "r" }, Indexes: map[string]field.Plan{}}
	if person {
		s.Subject = func(*R) string { return "s" }
	}
	for _, name := range indexes {
		s.Indexes[name] = plan(t)
	}
	_, err := field.NewTable("users", s)
	return err
}

func TestNewTableRefusals(t *testing.T) {
	type fs = field.Field[string]
	type inner struct {
		A fs `seal:"a"`
	}
	for name, err := range map[string]error{
		"no struct": made[string](t, false),
		"no field":  made[struct{ A string }](t, false),
		"type that embeds one": made[struct {
			A embeds `seal:"a"`
		}](t, false),
		"type that embeds its pointer": made[struct {
			A embedsPointer `seal:"a"`
		}](t, false),
		"prefixes planned as unique": made[struct {
			A fs          `seal:"a"`
			X field.Index `seal:"x,of=a,prefix=3"`
		}](t, false, "x"),
		"no tag":            made[struct{ A fs }](t, false),
		"index without tag": made[struct{ A field.Index }](t, false),
		"tag on a string": made[struct {
			A string `seal:"a"`
		}](t, false),
		"empty tag": made[struct {
			A fs `seal:""`
		}](t, false),
		"no name": made[struct {
			A fs `seal:",pad=32"`
		}](t, false),
		"white space": made[struct {
			A fs `seal:"a b"`
		}](t, false),
		"unknown option": made[struct {
			A fs `seal:"a,colour=red"`
		}](t, false),
		"option of an index": made[struct {
			A fs `seal:"a,of=b"`
		}](t, false),
		"option twice": made[struct {
			A fs `seal:"a,pad=32,pad=16"`
		}](t, false),
		"option, no value": made[struct {
			A fs `seal:"a,pad"`
		}](t, false),
		"pad 1": made[struct {
			A fs `seal:"a,pad=1"`
		}](t, false),
		"pad 4097": made[struct {
			A fs `seal:"a,pad=4097"`
		}](t, false),
		"pad of letters": made[struct {
			A fs `seal:"a,pad=x"`
		}](t, false),
		"as nothing": made[struct {
			A fs `seal:"a,as=users."`
		}](t, false),
		"as without table": made[struct {
			A fs `seal:"a,as=.b"`
		}](t, false),
		"bind, no subject": made[struct {
			A fs `seal:"a,bind=subject"`
		}](t, false),
		"bind to the moon": made[struct {
			A fs `seal:"a,bind=moon"`
		}](t, true),
		"key, no subject": made[struct {
			A fs `seal:"a,key=tenant"`
		}](t, false),
		"bind and key": made[struct {
			A fs `seal:"a,bind=subject,key=tenant"`
		}](t, true),
		"column twice": made[struct {
			A fs `seal:"a"`
			B fs `seal:"a"`
		}](t, false),
		"bound twice": made[struct {
			A fs `seal:"a"`
			B fs `seal:"b,as=a"`
		}](t, false),
		"unexported": made[struct {
			a fs `seal:"a"`
		}](t, false),
		"within a struct": made[struct {
			A  fs `seal:"a"`
			In inner
		}](t, false),
		"within a pointer": made[struct {
			A  fs `seal:"a"`
			In *inner
		}](t, false),
		"embedded pointer": made[struct {
			A fs `seal:"b"`
			*inner
		}](t, false),
		"within a slice": made[struct {
			A  fs `seal:"a"`
			In []inner
		}](t, false),
		"within a map": made[struct {
			A  fs `seal:"a"`
			In map[string]fs
		}](t, false),
		"pointer to a field": made[struct {
			A fs  `seal:"a"`
			B *fs `seal:"b"`
		}](t, false),
		"pointer type": made[struct {
			A field.Field[*string] `seal:"a"`
		}](t, false),
		"any": made[struct {
			A field.Field[any] `seal:"a"`
		}](t, false),
		"struct type": made[struct {
			A field.Field[struct{ X int }] `seal:"a"`
		}](t, false),
		"map type": made[struct {
			A field.Field[map[string]int] `seal:"a"`
		}](t, false),
		"writes only": made[struct {
			A field.Field[writesOnly] `seal:"a"`
		}](t, false),
		"index of nothing": made[struct {
			A fs          `seal:"a"`
			X field.Index `seal:"x"`
		}](t, false, "x"),
		"index of no column": made[struct {
			A fs          `seal:"a"`
			X field.Index `seal:"x,of=b"`
		}](t, false, "x"),
		"index, no plan": made[struct {
			A fs          `seal:"a"`
			X field.Index `seal:"x,of=a"`
		}](t, false),
		"plan, no index": made[inner](t, false, "x"),
		"index on a column": made[struct {
			A fs          `seal:"a"`
			X field.Index `seal:"a,of=a"`
		}](t, false, "a"),
		"normalizer": made[struct {
			A fs          `seal:"a"`
			X field.Index `seal:"x,of=a,norm=email/v9"`
		}](t, false, "x"),
		"older normalizer": made[struct {
			A fs          `seal:"a"`
			X field.Index `seal:"x,of=a,was=email"`
		}](t, false, "x"),
		"same normalizer": made[struct {
			A fs          `seal:"a"`
			X field.Index `seal:"x,of=a,norm=email/v1,was=email/v1"`
		}](t, false, "x"),
		"prefix 0": made[struct {
			A fs          `seal:"a"`
			X field.Index `seal:"x,of=a,prefix=0"`
		}](t, false, "x"),
		"same tokens": made[struct {
			A fs          `seal:"a"`
			X field.Index `seal:"x,of=a"`
			Y field.Index `seal:"y,of=a,as=x"`
		}](t, false, "x", "y"),
		"index of a time": made[struct {
			A field.Field[float64] `seal:"a"`
			X field.Index          `seal:"x,of=a"`
		}](t, false, "x"),
	} {
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	_, err := field.NewTable("users", field.Spec[inner]{})
	require.ErrorIs(t, err, kms.ErrInvalid, "no Row")
	_, err = field.NewTable("", field.Spec[inner]{Row: func(*inner) string { return "r" }})
	require.ErrorIs(t, err, kms.ErrInvalid, "no name")
	type zeroPlan struct {
		A fs          `seal:"a"`
		X field.Index `seal:"x,of=a"`
	}
	_, err = field.NewTable("users", field.Spec[zeroPlan]{Row: func(*zeroPlan) string { return "r" }, Indexes: map[string]field.Plan{"x": {}}})
	require.ErrorIs(t, err, kms.ErrInvalid, "zero plan")
}

// embeds has the methods of a Field, and is none.
type embeds struct {
	Kind int
	field.Field[string]
}

type embedsPointer struct{ *field.Field[string] }

type writesOnly struct{}

func (writesOnly) MarshalText() ([]byte, error) { return nil, nil }

func TestNewTableTakes(t *testing.T) {
	type fs = field.Field[string]
	type Base struct {
		A fs `seal:"a"`
	}
	for name, err := range map[string]error{
		"embedded": made[struct {
			Base
			B fs `seal:"b"`
		}](t, false),
		"same type twice": made[struct {
			A fs `seal:"a"`
			B fs `seal:"b,as=old.a"`
		}](t, false),
		"other fields": made[struct {
			Base
			When time.Time
			Err  error
			Next *struct{ N int }
		}](t, false),
		"index of a time": made[struct {
			A field.Field[time.Time] `seal:"a"`
			X field.Index            `seal:"x,of=a"`
		}](t, false, "x"),
		"two indexes": made[struct {
			Base
			X field.Index `seal:"x,of=a"`
			Y field.Index `seal:"y,of=a,norm=email/v1"`
		}](t, false, "x", "y"),
		"by subject": made[struct {
			A fs `seal:"a,bind=subject"`
			B fs `seal:"b,key=tenant"`
		}](t, true),
	} {
		require.NoError(t, err, name)
	}
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
