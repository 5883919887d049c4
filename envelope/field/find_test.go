package field_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/kms"
)

type account struct {
	ID      string
	Email   field.Field[string] `seal:"email"`
	Name    field.Field[string] `seal:"name"`
	EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1"`
	NameEq  field.Index         `seal:"name_eq,of=name,norm=casefold/v1"`
	NameAb  field.Index         `seal:"name_ab,of=name,norm=casefold/v1,prefix=3"`
}

func accounts(t testing.TB) *field.Table[account] {
	t.Helper()
	short, err := field.PlanIndex(field.Stats{Rows: 100_000, Distinct: 20_000, TopShare: 0.2, Accept: "a test"})
	require.NoError(t, err)
	require.Less(t, short.Bits(), 64)
	table, err := field.NewTable("accounts", field.Spec[account]{
		Row: func(a *account) string { return a.ID }, Indexes: map[string]field.Plan{"email_eq": plan(t), "name_eq": plan(t), "name_ab": short},
	})
	require.NoError(t, err)
	return table
}

// search is what a database does with the terms of a query.
func search(t testing.TB, q *field.Query[account], rows []account, index func(*account) *field.Index) (ids []string) {
	t.Helper()
	for i := range rows {
		v, err := index(&rows[i]).Value()
		require.NoError(t, err)
		for _, term := range q.Terms() {
			if v != nil && string(v.([]byte)) == string(term) && q.Keep(&rows[i]) {
				ids = append(ids, rows[i].ID)
			}
		}
	}
	return ids
}

func TestFind(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), accounts(t)
	rows := []account{
		{ID: "1", Email: field.Of(" Ada@Example.com "), Name: field.Of("Johann")},
		{ID: "2", Email: field.Of("bob@example.com"), Name: field.Of("JOHANNA")},
		{ID: "3", Email: field.Null[string](), Name: field.Of("Jo")},
		{ID: "4", Email: field.Of("  "), Name: field.Of("")},
	}
	for i := range rows {
		require.NoError(t, table.Seal(t.Context(), acme, &rows[i]))
	}
	byEmail := func(a *account) *field.Index { return &a.EmailEq }
	byName := func(a *account) *field.Index { return &a.NameEq }
	byPrefix := func(a *account) *field.Index { return &a.NameAb }
	for name, tt := range map[string]struct {
		column, value string
		index         func(*account) *field.Index
		want          []string
	}{
		"as written":          {"email_eq", "ada@example.com", byEmail, []string{"1"}},
		"normalized":          {"email_eq", "ADA@example.COM\n", byEmail, []string{"1"}},
		"by the column":       {"email", "bob@example.com", byEmail, []string{"2"}},
		"nobody":              {"email_eq", "eve@example.com", byEmail, nil},
		"whole name":          {"name_eq", "johann", byName, []string{"1"}},
		"beginning":           {"name_ab", "Joh", byPrefix, []string{"1", "2"}},
		"longer beginning":    {"name_ab", "johanna", byPrefix, []string{"2"}},
		"beginning of nobody": {"name_ab", "Johx", byPrefix, nil},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := table.Find(t.Context(), acme, tt.column, tt.value)
			require.NoError(t, err)
			require.Equal(t, tt.want, search(t, q, rows, tt.index))
			require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", q, q, *q, q), tt.value)
		})
	}
	for name, tt := range map[string]struct{ column, value string }{
		"no such index": {"phone", "x"}, "a column without": {"id", "x"}, "several": {"name", "x"},
		"empty": {"email_eq", ""}, "blank": {"email_eq", " \t"}, "short prefix": {"name_ab", "Jo"}, "too long": {"email_eq", strings.Repeat("x", 5000)}, "no UTF-8": {"email_eq", "\xff"},
	} {
		_, err := table.Find(t.Context(), acme, tt.column, tt.value)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	for _, null := range []field.Index{rows[2].EmailEq, rows[3].EmailEq, rows[3].NameEq, rows[2].NameAb} {
		require.True(t, null.IsNull(), "NULL and empty have no token")
	}
	// A value that can't be indexed is not sealed either, for nobody would find it.
	bad := account{ID: "5", Email: field.Of(strings.Repeat("x", 5000))}
	require.ErrorIs(t, table.Seal(t.Context(), acme, &bad), kms.ErrInvalid)
	require.Equal(t, "[unsealed] [unset]", bad.Email.String()+" "+bad.EmailEq.String())
}

// TestTokensDiffer: equal values show as equal within one index of one tenant only.
func TestTokensDiffer(t *testing.T) {
	ring, table := envelopetest.New(t, nil), accounts(t)
	same := account{ID: "1", Email: field.Of("x-same"), Name: field.Of("x-same")}
	tokens := map[string]string{}
	for _, tenant := range []string{"acme", "other"} {
		require.NoError(t, table.Seal(t.Context(), ring.Tenant(tenant), &same))
		for name, x := range map[string]field.Index{"email_eq": same.EmailEq, "name_eq": same.NameEq, "name_ab": same.NameAb} {
			v, err := x.Value()
			require.NoError(t, err)
			tokens[string(v.([]byte))] = tenant + name
		}
	}
	require.Len(t, tokens, 6)
}

// TestKeepTellsStrangers: rows that share a short token are told apart.
func TestKeepTellsStrangers(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), accounts(t)
	q, err := table.Find(t.Context(), acme, "name_ab", "abc")
	require.NoError(t, err)
	stranger := account{ID: "1", Name: field.Of("xyz")}
	require.False(t, q.Keep(&stranger))
	require.False(t, q.Keep(&account{ID: "2"}), "unset")
	require.False(t, q.Keep(nil))
	friend := account{ID: "3", Name: field.Of("ABCdef")}
	require.True(t, q.Keep(&friend))
}

// TestFindOlderNormalizer: what was indexed before the normalizer changed is found until it is indexed anew, and afterwards.
func TestFindOlderNormalizer(t *testing.T) {
	type before struct {
		ID   string
		Mail field.Field[string] `seal:"mail"`
		Eq   field.Index         `seal:"eq,of=mail,norm=exact/v1"`
	}
	type after struct {
		ID   string
		Mail field.Field[string] `seal:"mail"`
		Eq   field.Index         `seal:"eq,of=mail,norm=email/v1,was=exact/v1"`
	}
	acme := envelopetest.New(t, nil).Tenant("acme")
	old, err := field.NewTable("t", field.Spec[before]{Row: func(r *before) string { return r.ID }, Indexes: map[string]field.Plan{"eq": plan(t)}})
	require.NoError(t, err)
	now, err := field.NewTable("t", field.Spec[after]{Row: func(r *after) string { return r.ID }, Indexes: map[string]field.Plan{"eq": plan(t)}})
	require.NoError(t, err)
	was := before{ID: "1", Mail: field.Of("Ada@example.com")}
	require.NoError(t, old.Seal(t.Context(), acme, &was))
	q, err := now.Find(t.Context(), acme, "eq", "Ada@example.com")
	require.NoError(t, err)
	require.Len(t, q.Terms(), 2)
	v, err := was.Eq.Value()
	require.NoError(t, err)
	require.Contains(t, q.Terms(), v)
	is := after{ID: "1", Mail: was.Mail}
	require.True(t, q.Keep(&is))
	require.NoError(t, now.Seal(t.Context(), acme, &is))
	v, err = is.Eq.Value()
	require.NoError(t, err)
	require.Contains(t, q.Terms(), v)
}

// TestIndexOutlivesRotation: a unique index goes on refusing doubles.
func TestIndexOutlivesRotation(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), accounts(t)
	first := account{ID: "1", Email: field.Of("ada@example.com")}
	require.NoError(t, table.Seal(t.Context(), acme, &first))
	_, err := acme.Rotate(t.Context())
	require.NoError(t, err)
	second := account{ID: "2", Email: field.Of("ADA@example.com")}
	require.NoError(t, table.Seal(t.Context(), acme, &second))
	require.True(t, first.EmailEq.Equal(second.EmailEq))
	var a, b envelope.Tenant = acme, envelope.Tenant{}
	_, err = table.Find(t.Context(), a, "email_eq", "x")
	require.NoError(t, err)
	_, err = table.Find(t.Context(), b, "email_eq", "x")
	require.ErrorIs(t, err, kms.ErrInvalid)
}
