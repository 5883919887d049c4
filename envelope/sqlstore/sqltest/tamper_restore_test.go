package sqltest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// TestRestoredTable: a copy of the table from before an erasure opens the data again, for whoever may use the KMS key. After Compact a copy of the subject's rows does not, and after the
// destruction of the KMS key nothing does.
func TestRestoredTable(t *testing.T) {
	tamperDatabases(t, func(t *testing.T, o *office) {
		from, to := tamperKey(t), tamperKey(t)
		both, err := kms.Rolling(to.Key(), from.Key())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, both.Close()) })
		now := from.Key()
		o.root = func(context.Context, string) (*kms.Key, error) { return now, nil }
		s := newScene(o, "restored")
		copyTo := func(table string) {
			t.Helper()
			o.run(`CREATE TABLE ` + table + ` AS SELECT key, value, revision FROM holdfast_keys`)
		}
		restore := func(table, prefix string) {
			t.Helper()
			o.sql(`DELETE FROM holdfast_keys WHERE key >= $1 AND key < $2`, prefix, prefix+"~")
			o.sql(`INSERT INTO holdfast_keys (key, value, revision) SELECT key, value, revision FROM `+table+` WHERE key >= $1 AND key < $2`, prefix, prefix+"~")
		}
		copyTo("backup")
		tenant := s.places["ada"].tenant
		erase := func(e envelope.Erasure) *envelope.Receipt {
			t.Helper()
			r := s.process()
			receipt, err := r.Tenant(tenant).Subject("ada").Erase(t.Context(), e)
			require.NoError(t, err)
			s.adaIs(r, envelope.ErrErased)
			s.adaIs(s.process(), envelope.ErrErased)
			return receipt
		}
		case1 := envelope.Erasure{Ref: "case 1"}
		require.Zero(t, erase(case1).BackupsUnreadableAfter)
		restore("backup", "")
		s.adaIs(s.process(), nil)
		erase(case1)
		restore("backup", s.prefix["ada"])
		s.adaIs(s.process(), nil)
		erase(case1)

		done, err := s.process().Compact(t.Context(), tenant)
		require.NoError(t, err)
		require.Equal(t, 1, done.Destroyed)
		require.Zero(t, erase(case1).BackupsUnreadableAfter)
		copyTo("compacted")
		restore("backup", s.prefix["ada"])
		s.adaIs(s.process(), envelope.ErrOpen)
		restore("backup", "")
		s.adaIs(s.process(), nil)
		restore("compacted", "")

		now = both
		report, err := s.process().Rewrap(t.Context(), nil)
		require.NoError(t, err)
		require.Positive(t, report.Rewrapped)
		now = to.Key()
		require.NoError(t, from.Destroy(t.Context()))
		case1.Retired = []*kms.Key{from.Key()}
		require.NotZero(t, erase(case1).BackupsUnreadableAfter)
		for _, name := range []string{"bob 1", "acme 1", "carl 1"} {
			require.NoError(t, s.open(s.process(), owner(name), s.records[name], name))
		}

		restore("backup", "")
		s.adaIs(s.process(), kms.ErrNotFound)
		now = both
		s.adaIs(s.process(), kms.ErrDestroyed)
	})
}

// adaIs makes sure what becomes of ada's records.
func (s *scene) adaIs(r *envelope.Keyring, want error) {
	s.Helper()
	for _, name := range []string{"ada 1", "ada 2"} {
		err := s.open(r, "ada", s.records[name], name)
		if want == nil {
			require.NoError(s, err)
		} else {
			require.ErrorIs(s, err, want)
		}
	}
}
