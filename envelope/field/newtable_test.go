package field_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/kms"
)

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
