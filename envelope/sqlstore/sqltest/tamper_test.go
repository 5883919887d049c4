package sqltest

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// version returns a change that has a row say that it is another version.
func version(n int) func(row) { return func(r row) { r["version"] = n } }

func kind(k string) func(row) { return func(r row) { r["kind"] = k } }

// flip changes the last bit of the wrapped key.
func flip(t testing.TB) func(row) {
	return func(r row) {
		b, err := base64.StdEncoding.DecodeString(r["wrapped"].(string))
		require.NoError(t, err)
		b[len(b)-1] ^= 1
		r["wrapped"] = base64.StdEncoding.EncodeToString(b)
	}
}

// otherCommitment has a row name another key.
func otherCommitment(r row) {
	c := []byte(r["commitment"].(string))
	c[0] ^= 1 // another digit, if it is one below 0x38, or another letter
	if c[0] > 'f' || c[0] == '`' || c[0] > '9' && c[0] < 'a' {
		c[0] = '0'
	}
	r["commitment"] = string(c)
}

func otherID(r row) {
	otherCommitment(r)
	r["id"] = r["commitment"].(string)[:32]
}

// forgery is what somebody does to the table, and what comes of it in a process that starts then, and in one that has had all keys in memory and then reads the rows again.
type forgery struct {
	name       string
	edit       func(s *scene)
	cold, warm outcome
}

const (
	data1   = "data/0000000001"
	data2   = "data/0000000002"
	data3   = "data/0000000003"
	wrap1   = "wrap/0000000001"
	lookup1 = "lookup/0000000001"
)

// subjectsFail is what comes of records and of sealing for acme's subjects.
func subjectsFail(err error) outcome {
	return outcome{"ada 1": err, "ada 2": err, "bob 1": err, "seal ada": envelope.Reject, "seal bob": envelope.Reject}
}

func forgeries() []forgery {
	unknown, opens := envelope.ErrUnknownKey, outcome{}
	none := func(name string) outcome { return outcome{name: unknown} }
	taken := outcome{"other 1": unknown, "seal other": envelope.Reject}
	bobTaken := outcome{"bob 1": unknown, "seal bob": envelope.Reject}
	carlTaken := outcome{"carl 1": unknown, "seal carl": envelope.Reject}
	list := []forgery{
		{"copied over another tenant's", func(s *scene) { s.copy(s.prefix["acme"]+data1, s.prefix["other"]+data1) }, taken, taken},
		{"copied to another tenant as a later version", func(s *scene) {
			s.copy(s.prefix["acme"]+data1, s.prefix["other"]+data2)
			s.edit(s.prefix["other"]+data2, version(2))
		}, opens, opens},
		{"renamed to another tenant's", func(s *scene) { s.rename(s.prefix["acme"]+data1, s.prefix["other"]+data2) }, none("acme 1"), none("acme 1")},
		{"head and all renamed to another tenant's", func(s *scene) {
			for _, name := range []string{"", data1} {
				s.drop(s.prefix["other"] + name)
				s.rename(s.prefix["acme"]+name, s.prefix["other"]+name)
			}
		}, outcome{"acme 1": unknown, "other 1": unknown, "seal other": envelope.Reject}, outcome{"acme 1": unknown, "other 1": unknown, "seal other": envelope.Reject}},
		{"data key as wrap key", func(s *scene) {
			s.copy(s.prefix["acme"]+data1, s.prefix["acme"]+wrap1)
			s.edit(s.prefix["acme"]+wrap1, kind("wrap"))
		}, subjectsFail(envelope.ErrOpen), subjectsFail(envelope.ErrOpen)},
		{"data key as lookup key", func(s *scene) {
			s.copy(s.prefix["acme"]+data1, s.prefix["acme"]+lookup1)
			s.edit(s.prefix["acme"]+lookup1, kind("lookup"))
		}, subjectsFail(envelope.ErrOpen), opens},
		{"another tenant's lookup key", func(s *scene) { s.copy(s.prefix["other"]+lookup1, s.prefix["acme"]+lookup1) }, subjectsFail(envelope.ErrOpen), opens},
		{"wrap key as data key", func(s *scene) {
			s.copy(s.prefix["other"]+wrap1, s.prefix["other"]+data1)
			s.edit(s.prefix["other"]+data1, kind("data"))
		}, taken, taken},
		{"lookup key as data key", func(s *scene) {
			s.copy(s.prefix["other"]+lookup1, s.prefix["other"]+data1)
			s.edit(s.prefix["other"]+data1, kind("data"))
		}, taken, taken},
		{"copied over another subject's", func(s *scene) { s.copy(s.prefix["ada"]+data1, s.prefix["bob"]+data1) }, bobTaken, bobTaken},
		{"copied over that of another tenant's subject", func(s *scene) { s.copy(s.prefix["ada"]+data1, s.prefix["carl"]+data1) }, carlTaken, carlTaken},
		{"and with the key above it", func(s *scene) {
			s.copy(s.prefix["ada"]+data1, s.prefix["carl"]+data1)
			s.copy(s.prefix["acme"]+wrap1, s.prefix["other"]+wrap1)
		}, carlTaken, carlTaken},
		{"subject's as its tenant's", func(s *scene) { s.copy(s.prefix["ada"]+data1, s.prefix["acme"]+data1) }, none("acme 1"), none("acme 1")},
		{"tenant's as its subject's", func(s *scene) { s.copy(s.prefix["acme"]+data1, s.prefix["ada"]+data1) }, none("ada 1"), none("ada 1")},
		{"duplicated as a later version", func(s *scene) {
			for _, place := range []string{"acme", "ada"} {
				s.copy(s.prefix[place]+data1, s.prefix[place]+data3)
				s.edit(s.prefix[place]+data3, version(3))
			}
		}, opens, opens},
		{"duplicated and not edited", func(s *scene) { s.copy(s.prefix["acme"]+data1, s.prefix["acme"]+data3) }, opens, opens},
		{"versions swapped", func(s *scene) {
			s.rename(s.prefix["acme"]+data1, s.prefix["acme"]+data3)
			s.rename(s.prefix["acme"]+data2, s.prefix["acme"]+data1)
			s.edit(s.prefix["acme"]+data1, version(1))
			s.rename(s.prefix["acme"]+data3, s.prefix["acme"]+data2)
			s.edit(s.prefix["acme"]+data2, version(2))
		}, outcome{"acme 1": envelope.ErrOpen, "acme 2": envelope.ErrOpen, "seal acme": envelope.Reject}, outcome{"acme 1": envelope.ErrOpen, "acme 2": envelope.ErrOpen, "seal acme": envelope.Reject}},
	}
	return append(list, editForgeries()...)
}

func editForgeries() []forgery {
	unknown := envelope.ErrUnknownKey
	edited := func(what string, change func(t testing.TB) func(row), err error) forgery {
		// A new process seals under the version before, one that has had the newest never does.
		return forgery{
			what + " edited", func(s *scene) { s.edit(s.prefix["acme"]+data2, change(s)) },
			outcome{"acme 2": err, "seal acme": "acme 1"},
			outcome{"acme 2": err, "seal acme": envelope.Reject},
		}
	}
	plain := func(change func(row)) func(testing.TB) func(row) { return func(testing.TB) func(row) { return change } }
	return []forgery{
		edited("wrapped", flip, envelope.ErrOpen),
		edited("commitment", plain(otherCommitment), unknown),
		edited("commitment and id", plain(otherID), unknown),
		{"wrapped emptied", func(s *scene) { s.edit(s.prefix["acme"]+data1, func(r row) { delete(r, "wrapped") }) }, outcome{"acme 1": envelope.ErrFormat}, outcome{"acme 1": envelope.ErrFormat}},
		{"unknown field", func(s *scene) { s.edit(s.prefix["acme"]+data1, func(r row) { r["more"] = 1 }) }, outcome{"acme 1": unknown}, outcome{"acme 1": unknown}},
		{"no JSON", func(s *scene) { s.write(s.prefix["acme"]+data1, "x") }, outcome{"acme 1": unknown}, outcome{"acme 1": unknown}},
		{"subject's wrapped edited", func(s *scene) { s.edit(s.prefix["bob"]+data1, flip(s)) }, outcome{"bob 1": envelope.ErrOpen, "seal bob": envelope.Reject}, outcome{"bob 1": envelope.ErrOpen, "seal bob": envelope.Reject}},
		{"wrap key edited", func(s *scene) { s.edit(s.prefix["acme"]+wrap1, flip(s)) }, subjectsFail(envelope.ErrOpen), subjectsFail(envelope.ErrOpen)},
		{"lookup key edited", func(s *scene) { s.edit(s.prefix["acme"]+lookup1, flip(s)) }, subjectsFail(envelope.ErrOpen), outcome{}},
		{"rolled back", func(s *scene) {
			s.drop(s.prefix["acme"] + data2)
			s.drop(s.id("acme 2"))
			s.drop(s.prefix["ada"] + data2)
		}, outcome{"acme 2": unknown, "seal acme": "acme 1", "ada 2": unknown, "seal ada": "ada 1"}, outcome{"acme 2": unknown, "seal acme": envelope.Reject, "ada 2": unknown, "seal ada": envelope.Reject}},
		{"wrap key deleted", func(s *scene) { s.drop(s.prefix["acme"] + wrap1) }, subjectsFail(envelope.ErrOpen), subjectsFail(envelope.ErrOpen)},
		// A subject whose reference nobody knows any more gets no other one.
		{
			"lookup key deleted", func(s *scene) { s.drop(s.prefix["acme"] + lookup1) },
			outcome{"ada 1": envelope.ErrWrongScope, "ada 2": envelope.ErrWrongScope, "bob 1": envelope.ErrWrongScope, "seal ada": envelope.Reject, "seal bob": envelope.Reject},
			outcome{},
		},
		{"id deleted", func(s *scene) { s.drop(s.id("acme 1")) }, outcome{}, outcome{}},
		{"id of another's row", func(s *scene) {
			s.edit(s.id("acme 1"), func(r row) { r["row"] = s.prefix["other"] + data1 })
		}, outcome{}, outcome{}},
		{"head deleted", func(s *scene) { s.drop(s.prefix["acme"]); s.drop(s.prefix["ada"]) }, outcome{}, outcome{}},
		{"tombstone", func(s *scene) {
			s.edit(s.prefix["acme"]+data1, func(r row) {
				delete(r, "wrapped")
				delete(r, "commitment")
				r["destroyed"] = r["created"]
			})
		}, outcome{"acme 1": envelope.ErrErased}, outcome{"acme 1": envelope.ErrErased}},
	}
}

// TestForgedRows: whoever writes to the table can take keys away, and never has one used for anything else than it was made for.
func TestForgedRows(t *testing.T) {
	tamperDatabases(t, func(t *testing.T, o *office) {
		for i, f := range forgeries() {
			t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
				o := *o
				o.TB = t
				s := newScene(&o, fmt.Sprint(i))
				f.edit(s)
				s.renew(s.warm)
				s.expect(s.warm, f.warm)
				s.expect(s.process(), f.cold)
			})
		}
	})
}
