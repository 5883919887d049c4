package field_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
)

// FuzzScan: whatever a database hands over, only the record that was sealed here has a value.
func FuzzScan(f *testing.F) {
	acme, table := envelopetest.New(f, nil).Tenant("acme"), oneTable[string](f)
	row := one[string]{"r", field.Of("ada@example.com")}
	require.NoError(f, table.Seal(f.Context(), acme, &row))
	v, err := row.V.Value()
	require.NoError(f, err)
	record := v.([]byte)
	f.Add([]byte(nil), record[0], 0)
	f.Add(record[1:], record[0], 0)
	f.Add([]byte(`\xf5`), byte('\\'), 1)
	f.Add([]byte("ada@example.com"), byte('x'), 2)
	f.Fuzz(func(t *testing.T, b []byte, first byte, at int) {
		raw := append([]byte{first}, b...)
		mutant := bytes.Clone(record)
		if n := len(mutant); at != 0 {
			mutant[uint(at)%uint(n)] ^= first
		}
		for _, src := range []any{raw, string(raw), b, mutant, append(mutant, b...), mutant[:uint(at)%uint(len(mutant)+1)]} {
			back := one[string]{ID: "r"}
			require.NoError(t, back.V.Scan(src))
			err := table.Open(t.Context(), acme, &back)
			got, ok := back.V.Get()
			if ok {
				require.NoError(t, err)
				require.Equal(t, "ada@example.com", got)
				stored, err := back.V.Value()
				require.NoError(t, err)
				require.Equal(t, record, stored)
			} else if !back.V.IsNull() {
				require.Error(t, err)
			}
		}
	})
}
