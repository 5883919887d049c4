package field_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

type place struct {
	ID, Who string
	A       field.Field[string] `seal:"a"`
	B       field.Field[string] `seal:"b"`
	S       field.Field[string] `seal:"s,bind=subject"`
	S2      field.Field[string] `seal:"s2,bind=subject"`
	T       field.Field[string] `seal:"t,key=tenant"`
	T2      field.Field[string] `seal:"t2,key=tenant"`
}

func places(t testing.TB, name string) *field.Table[place] {
	t.Helper()
	table, err := field.NewTable(name, field.Spec[place]{Row: func(p *place) string { return p.ID }, Subject: func(p *place) string { return p.Who }})
	require.NoError(t, err)
	return table
}

// TestSwaps: a value that was copied to any other place does not open there.
func TestSwaps(t *testing.T) {
	fake, store := kmstest.NewFake("k"), memstore.New()
	defer store.Close()
	open := &envelopetest.Options{Fake: fake, Store: store}
	ring := envelopetest.New(t, open)
	acme, other := ring.Tenant("acme"), ring.Tenant("other")
	elsewhere := envelopetest.New(t, &envelopetest.Options{Fake: fake, Store: store, Deployment: "elsewhere"}).Tenant("acme")
	users, orders := places(t, "users"), places(t, "orders")
	p := place{ID: "1", Who: "ada", A: field.Of("a"), B: field.Of("b"), S: field.Of("s"), S2: field.Of("s2"), T: field.Of("t"), T2: field.Of("t2")}
	require.NoError(t, users.Seal(t.Context(), acme, &p))
	record := func(f field.Field[string]) []byte {
		v, err := f.Value()
		require.NoError(t, err)
		return v.([]byte)
	}
	a, s, tn := record(p.A), record(p.S), record(p.T)
	for name, tt := range map[string]struct {
		table *field.Table[place]
		by    envelope.Tenant
		row   place
		put   func(*place) *field.Field[string]
		what  []byte
		err   error // nil: it opens
	}{
		"its place":            {users, acme, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.A }, a, nil},
		"row":                  {users, acme, place{ID: "2", Who: "ada"}, func(p *place) *field.Field[string] { return &p.A }, a, envelope.ErrOpen},
		"column":               {users, acme, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.B }, a, envelope.ErrOpen},
		"table":                {orders, acme, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.A }, a, envelope.ErrOpen},
		"tenant":               {users, other, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.A }, a, envelope.ErrWrongScope},
		"deployment":           {users, elsewhere, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.A }, a, kms.ErrInvalid}, // which its store refuses
		"subject":              {users, acme, place{ID: "1", Who: "bob"}, func(p *place) *field.Field[string] { return &p.A }, a, envelope.ErrWrongScope},
		"person to tenant":     {users, acme, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.T }, a, envelope.ErrWrongScope},
		"tenant to person":     {users, acme, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.A }, tn, envelope.ErrWrongScope},
		"tenant's own":         {users, acme, place{ID: "1", Who: "bob"}, func(p *place) *field.Field[string] { return &p.T }, tn, nil},
		"tenant's, column":     {users, acme, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.T2 }, tn, envelope.ErrOpen},
		"tenant's, row":        {users, acme, place{ID: "2", Who: "ada"}, func(p *place) *field.Field[string] { return &p.T }, tn, envelope.ErrOpen},
		"by subject":           {users, acme, place{ID: "2", Who: "ada"}, func(p *place) *field.Field[string] { return &p.S }, s, nil},
		"by subject, subject":  {users, acme, place{ID: "1", Who: "bob"}, func(p *place) *field.Field[string] { return &p.S }, s, envelope.ErrWrongScope},
		"by subject, column":   {users, acme, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.S2 }, s, envelope.ErrOpen},
		"by subject, table":    {orders, acme, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.S }, s, envelope.ErrOpen},
		"by subject to by row": {users, acme, place{ID: "1", Who: "ada"}, func(p *place) *field.Field[string] { return &p.A }, s, envelope.ErrOpen},
	} {
		t.Run(name, func(t *testing.T) {
			row := tt.row
			f := tt.put(&row)
			require.NoError(t, f.Scan(tt.what))
			err := tt.table.Open(t.Context(), tt.by, &row)
			_, ok := f.Get()
			require.Equal(t, tt.err == nil, ok)
			if tt.err == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, tt.err)
			}
		})
	}

	// A rename keeps what was sealed before readable, where as= says what it is bound to.
	type renamed struct {
		ID, Who string
		Mail    field.Field[string] `seal:"mail,as=users.a"`
	}
	customers, err := field.NewTable("customers", field.Spec[renamed]{Row: func(p *renamed) string { return p.ID }, Subject: func(p *renamed) string { return p.Who }})
	require.NoError(t, err)
	row := renamed{ID: "1", Who: "ada"}
	require.NoError(t, row.Mail.Scan(a))
	require.NoError(t, customers.Open(t.Context(), acme, &row))
	v, _ := row.Mail.Get()
	require.Equal(t, "a", v)
}

// TestDamage: no truncation and no changed bit opens.
func TestDamage(t *testing.T) {
	acme, users := envelopetest.New(t, nil).Tenant("acme"), places(t, "users")
	p := place{ID: "1", Who: "ada", A: field.Of("ada@example.com")}
	require.NoError(t, users.Seal(t.Context(), acme, &p))
	v, err := p.A.Value()
	require.NoError(t, err)
	record := v.([]byte)
	require.Len(t, record, 58+len("ada@example.com"), "57 bytes and a type byte")
	refused := func(b []byte, what string) {
		t.Helper()
		row := place{ID: "1", Who: "ada"}
		require.NoError(t, row.A.Scan(b))
		require.Error(t, users.Open(t.Context(), acme, &row), what)
		_, ok := row.A.Get()
		require.False(t, ok, what)
	}
	for n := range record {
		refused(record[:n], fmt.Sprintf("%d bytes", n))
		for bit := range 8 {
			b := append([]byte(nil), record...)
			b[n] ^= 1 << bit
			refused(b, fmt.Sprintf("bit %d of byte %d", bit, n))
		}
	}
	refused(append(append([]byte(nil), record...), 0), "one byte more")
	refused(append(append([]byte(nil), record...), record...), "twice")
}

// TestPage: rows that can't be read break neither the page nor what is done with them.
func TestPage(t *testing.T) {
	acme, users := envelopetest.New(t, nil).Tenant("acme"), places(t, "users")
	page := make([]place, 1000)
	for i := range page {
		page[i] = place{ID: fmt.Sprint(i + 1), Who: fmt.Sprintf("user-%d", i+1), A: field.Of(fmt.Sprint("name ", i+1)), T: field.Of("note")}
		require.NoError(t, users.Seal(t.Context(), acme, &page[i]))
		v, err := page[i].A.Value()
		require.NoError(t, err)
		require.NoError(t, page[i].A.Scan(v))
	}
	_, err := acme.Subject("user-500").Erase(t.Context(), envelope.Erasure{Ref: "case-1"})
	require.NoError(t, err)
	listed := 0
	for i := range page {
		err := users.Open(t.Context(), acme, &page[i])
		if i == 499 {
			require.ErrorIs(t, err, envelope.ErrErased)
			note, ok := page[i].T.Get()
			require.True(t, ok)
			require.Equal(t, "note", note)
			continue
		}
		require.NoError(t, err)
		name, ok := page[i].A.Get()
		require.True(t, ok)
		require.Equal(t, fmt.Sprint("name ", i+1), name)
		listed++
	}
	require.Equal(t, 999, listed)
}
