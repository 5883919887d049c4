package sqltest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// BenchmarkStore reads and writes rows of the size of a stored key. The commits of SQLite wait for the disk, those of the tests' PostgreSQL do not.
func BenchmarkStore(b *testing.B) {
	for _, d := range databases() {
		b.Run("db="+d.name, func(b *testing.B) {
			s, _ := d.store(b)
			value := make([]byte, 256)
			changes := make([]envelope.Change, 3)
			for i := range 1000 {
				require.NoError(b, s.Apply(b.Context(), envelope.Change{Row: envelope.Row{Key: fmt.Sprintf("row/%04d", i), Value: value}}))
			}
			b.Run("op=get", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if r, err := s.Get(b.Context(), "row/0500"); err != nil || r.Revision == 0 {
						b.Fatal(r, err)
					}
				}
			})
			b.Run("op=list/rows=4", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if rows, err := s.List(b.Context(), "row/", "row/0500", 4); err != nil || len(rows) != 4 {
						b.Fatal(len(rows), err)
					}
				}
			})
			b.Run("op=apply/changes=3", func(b *testing.B) {
				for i := range changes {
					r, err := s.Get(b.Context(), fmt.Sprintf("row/%04d", i))
					require.NoError(b, err)
					changes[i].Row = r
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := s.Apply(b.Context(), changes...); err != nil {
						b.Fatal(err)
					}
					for i := range changes {
						changes[i].Revision++
					}
				}
			})
		})
	}
}
