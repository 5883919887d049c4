package field_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
)

// modelPatient is what a row of the model ought to be.
type modelPatient struct {
	name, note      string
	age             int64
	null            bool
	garbage, erased bool
}

// TestBackfillModel: from whatever mixture of rows, with a run that is killed again and again before or after a commit, everything is up to date at the end, and each value as it was.
func TestBackfillModel(t *testing.T) {
	strict, migrating := patients(t), migratingPatients(t)
	errKilled := errors.New("killed")
	tenants := 0
	ring := envelopetest.New(t, nil)
	rapid.Check(t, func(rt *rapid.T) {
		tenants++
		acme := ring.Tenant(fmt.Sprint("acme ", tenants))
		s, want := &stored{rows: map[string]map[string]any{}}, map[string]modelPatient{}
		n := rapid.IntRange(0, 12).Draw(rt, "rows")
		rotateAt := rapid.IntRange(0, n).Draw(rt, "rotated before")
		texts := rapid.SampledFrom([]string{"", "Ada", "Zoë", `\x4`, "a longer name than the others", " "})
		for i := range n {
			id := fmt.Sprintf("%02d", i+1)
			m := modelPatient{name: texts.Draw(rt, "name"), note: texts.Draw(rt, "note"), age: rapid.Int64().Draw(rt, "age")}
			if i == rotateAt && i > 0 {
				_, err := acme.Rotate(t.Context())
				require.NoError(t, err)
				if !want["01"].erased {
					_, err = acme.Subject("person-01").Rotate(t.Context())
					require.NoError(t, err)
				}
			}
			switch kind := rapid.SampledFrom([]string{"sealed", "legacy", "mixed", "null", "garbage", "erased", "no index"}).Draw(rt, "kind"); kind {
			case "legacy":
				s.rows[id] = plainRow(m.name, []byte(m.note), m.age)
			case "null":
				m.null = true
				s.rows[id] = plainRow(nil, nil, nil)
			case "garbage":
				m.garbage = true
				s.rows[id] = plainRow(m.name, m.note, "x")
			default:
				s.put(t, strict, acme, id, m.name, m.note, m.age)
				if kind == "mixed" {
					s.rows[id]["age"] = []byte(strconv.FormatInt(m.age, 10))
				}
				if kind == "no index" {
					s.rows[id]["name_eq"] = nil
				}
				if kind == "erased" {
					m.erased = true
					_, err := acme.Subject("person-"+id).Erase(t.Context(), envelope.Erasure{Ref: "case"})
					require.NoError(t, err)
				}
			}
			want[id] = m
		}
		o := &field.BackfillOptions[patient]{Limit: rapid.IntRange(1, 5).Draw(rt, "limit")}
		for killed := true; killed; {
			left := rapid.IntRange(0, 6).Draw(rt, "calls until it is killed")
			count, beforeCommit := 0, rapid.Bool().Draw(rt, "before the commit")
			kill := func(int) error {
				if count++; count > left && left < 5 {
					return errKilled
				}
				return nil
			}
			s.before, s.after = nil, kill
			if beforeCommit {
				s.before, s.after = kill, nil
			}
			got, err := migrating.Backfill(t.Context(), acme, s.batch, o)
			killed = errors.Is(err, errKilled)
			require.GreaterOrEqual(t, got.Last, o.After)
			o.After = got.Last
			if !killed && err != nil {
				require.ErrorIs(t, err, field.ErrIncomplete)
			}
		}
		s.before, s.after = nil, nil
		writes, count := s.writes, field.BackfillReport{Rows: int64(n)}
		for id, m := range want {
			count.Last = max(count.Last, id)
			p, err := s.read(t, strict, acme, id)
			switch {
			case m.garbage:
				count.Failed++
				require.ErrorIs(t, err, envelope.ErrFormat)
			case m.erased:
				count.Erased++
				require.ErrorIs(t, err, envelope.ErrErased)
				note, _ := p.Note.Get()
				require.Equal(t, m.note, note)
			case m.null:
				require.NoError(t, err)
				require.True(t, p.Name.IsNull() && p.Note.IsNull() && p.Age.IsNull() && p.NameEq.IsNull())
			default:
				require.NoError(t, err)
				requirePatient(t, p, m.name, m.note, m.age)
				q, err := strict.Find(t.Context(), acme, "name", m.name)
				if err != nil {
					require.True(t, p.NameEq.IsNull())
				} else {
					require.Equal(t, q.Terms()[0], s.rows[id]["name_eq"])
				}
			}
		}
		got, err := migrating.Backfill(t.Context(), acme, s.batch, nil)
		if count.Failed > 0 {
			require.ErrorIs(t, err, field.ErrIncomplete)
		} else {
			require.NoError(t, err)
		}
		require.Equal(t, count, got)
		require.Equal(t, writes, s.writes)
	})
}
