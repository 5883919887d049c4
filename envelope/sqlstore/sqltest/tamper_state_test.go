package sqltest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms"
)

// TestForgedStates: whoever writes to the table can disable or erase in appearance, as long as it says so, and the appearance goes for the warm and the cold.
func TestForgedStates(t *testing.T) {
	all := []string{"acme", "ada", "bob"}
	tests := []struct {
		name, place, state string
		readable           bool
		touched            []string
		err                error
	}{
		{"tenant disabled", "acme", "disabled", true, all, envelope.ErrDisabled},
		{"tenant erasing", "acme", "erasing", true, all, envelope.ErrErased},
		{"tenant erased", "acme", "erased", true, all, envelope.ErrErased},
		{"tenant nonsense", "acme", "asleep", false, all, envelope.ErrFormat},
		{"subject disabled", "ada", "disabled", true, []string{"ada"}, envelope.ErrDisabled},
		{"subject erasing", "ada", "erasing", true, []string{"ada"}, envelope.ErrErased},
		{"subject erased", "ada", "erased", true, []string{"ada"}, envelope.ErrErased},
		{"subject nonsense", "ada", "asleep", false, []string{"ada"}, envelope.ErrFormat},
	}
	tamperDatabases(t, func(t *testing.T, o *office) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				o := *o
				o.TB = t
				s := newScene(&o, test.name)
				news := s.sealElsewhere(test.place)
				s.edit(s.prefix[test.place], func(r row) { r["state"] = test.state })
				require.ErrorIs(t, s.open(s.warm, test.place, news, ""), test.err) // which has it read the rows
				want := map[string]error{}
				for _, place := range test.touched {
					want[place] = test.err
				}
				if test.readable {
					s.serves(s.warm, want)
				} else {
					s.serves(s.warm, nil) // with what it has read before, until its CacheTTL is over
				}
				s.serves(s.process(), want)
				s.edit(s.prefix[test.place], func(r row) { r["state"] = "active" })
				s.serves(s.process(), nil)
			})
		}
	})
}

// sealElsewhere returns a record under a version that another process has just made.
func (s *scene) sealElsewhere(place string) []byte {
	s.Helper()
	there := s.scope(s.process(), place)
	_, err := there.Rotate(s.Context())
	require.NoError(s, err)
	record, err := there.Seal(s.Context(), nil, tamperBinding)
	require.NoError(s, err)
	return record
}

// serves makes sure that a process serves all places but those in want, which fail.
func (s *scene) serves(r *envelope.Keyring, want map[string]error) {
	s.Helper()
	for name, record := range s.records {
		place := owner(name)
		_, err := s.scope(r, place).Seal(s.Context(), nil, tamperBinding)
		for _, err := range []error{s.open(r, place, record, name), err} {
			if want[place] == nil {
				require.NoError(s, err, place)
			} else {
				require.ErrorIs(s, err, want[place], place)
			}
		}
	}
}

// TestUndone: whoever writes to the table can undo a disabling and a hold, and bring no erased key back.
func TestUndone(t *testing.T) {
	activate := func(r row) { r["state"] = "active" }
	tamperDatabases(t, func(t *testing.T, o *office) {
		s := newScene(o, "undone")
		require.NoError(t, s.scope(s.warm, "acme").Disable(t.Context(), "incident"))
		s.serves(s.process(), map[string]error{"acme": envelope.ErrDisabled, "ada": envelope.ErrDisabled, "bob": envelope.ErrDisabled})
		s.edit(s.prefix["acme"], activate)
		s.serves(s.process(), nil)

		r := s.process()
		ada := r.Tenant(s.places["ada"].tenant).Subject("ada")
		require.NoError(t, ada.Hold(t.Context(), "dispute"))
		_, err := ada.Erase(t.Context(), envelope.Erasure{Ref: "case 1"})
		require.ErrorIs(t, err, envelope.ErrHeld)
		s.edit(s.prefix["ada"], func(r row) { delete(r, "holds") })
		_, err = ada.Erase(t.Context(), envelope.Erasure{Ref: "case 1"})
		require.NoError(t, err)

		s.edit(s.prefix["ada"], activate)
		for _, r := range []*envelope.Keyring{r, s.process()} {
			for _, name := range []string{"ada 1", "ada 2"} {
				require.ErrorIs(t, s.open(r, "ada", s.records[name], name), envelope.ErrErased)
			}
		}
		record, err := s.scope(s.process(), "ada").Seal(t.Context(), nil, tamperBinding)
		require.NoError(t, err)
		require.NotContains(t, s.keys, recordKey(record), "a new key")
		require.NoError(t, s.open(s.process(), "bob", s.records["bob 1"], "bob 1"))
	})
}

// TestOtherDeployment: keys of another deployment do not load, under the same KMS key and with the same tenants and subjects.
func TestOtherDeployment(t *testing.T) {
	tamperDatabases(t, func(t *testing.T, here *office) {
		elsewhere := *here
		elsewhere.name, elsewhere.table = "there", "elsewhere"
		options := &sqlstore.Options{Dialect: here.d.dialect, Table: elsewhere.table}
		require.NoError(t, sqlstore.Migrate(t.Context(), here.past, options))
		var err error
		elsewhere.store, err = sqlstore.New(here.past, options)
		require.NoError(t, err)
		s, there := newScene(here, "x"), newScene(&elsewhere, "x")

		here.sql(`INSERT INTO holdfast_keys (key, value, revision) SELECT key, value, revision FROM elsewhere WHERE key = $1
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision`, s.prefix["acme"]+data1)
		s.renew(s.warm)
		for _, r := range []*envelope.Keyring{s.warm, s.process()} {
			require.ErrorIs(t, s.open(r, "acme", there.records["acme 1"], ""), envelope.ErrOpen)
			s.expect(r, outcome{"acme 1": envelope.ErrUnknownKey})
		}

		replace := func(but string) {
			t.Helper()
			here.sql(`DELETE FROM holdfast_keys WHERE key <> $1`, but)
			here.sql(`INSERT INTO holdfast_keys (key, value, revision) SELECT key, value, revision FROM elsewhere WHERE key <> $1`, but)
		}
		refused := func(r *envelope.Keyring, want error) {
			t.Helper()
			for name, record := range there.records {
				require.ErrorIs(t, s.open(r, owner(name), record, ""), want, name)
				_, err := s.scope(r, owner(name)).Seal(t.Context(), nil, tamperBinding)
				require.ErrorIs(t, err, want, name)
			}
		}
		replace("fleet")
		refused(s.process(), envelope.ErrOpen)
		s.renew(s.warm)
		for name, record := range there.records {
			err := s.open(s.warm, owner(name), record, "")
			require.Error(t, err, name)
			require.Equal(t, envelope.Reject, envelope.ActionFor(err), "%s: %v", name, err)
		}
		require.ErrorIs(t, s.open(s.warm, "acme", s.records["acme 1"], ""), envelope.ErrUnknownKey)

		here.drop("fleet")
		replace("")
		refused(s.process(), kms.ErrInvalid)
		for name, record := range there.records {
			require.NoError(t, there.open(there.process(), owner(name), record, name))
		}
	})
}
