package envelope_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

// heads has the states of a tenant or subject, which nothing authenticates.
func (w *keyringWriter) heads(v vectors.Vector, name, head string) {
	for _, c := range []struct{ state, class string }{
		{"disabled", "disabled"},
		{"erasing", "erased"},
		{"erased", "erased"},
		{"ACTIVE", "format"},
		{"", "format"},
	} {
		w.refuse(v, fmt.Sprintf("%s in state %q", name, c.state), c.class, func(s *vectors.Stored) { s.Rows[head] = vectorEdit(s.Rows[head], "state", c.state) })
	}
	for _, c := range []struct{ name, value string }{
		{"of format 2", vectorEdit(v.Rows[head], "format", 2)},
		{"with an unknown field", vectorEdit(v.Rows[head], "later", 1)},
		{"empty", ""},
		{"garbage", "garbage"},
		{"with something behind it", v.Rows[head] + "{}"},
	} {
		w.refuse(v, name+" whose head is "+c.name, "format", func(s *vectors.Stored) { s.Rows[head] = c.value })
	}
	w.accept(v, name+" with holds", func(s *vectors.Stored) {
		s.Rows[head] = vectorEdit(vectorEdit(s.Rows[head], "holds", []string{"case 7"}), "held", 1)
	})
}

func (w *keyringWriter) subjectRows(v, second vectors.Vector) {
	row := w.subjectRow(v, "data/0000000001")
	set := func(name string, value any) func(s *vectors.Stored) {
		return func(s *vectors.Stored) { s.Rows[row] = vectorEdit(s.Rows[row], name, value) }
	}
	commitment := vectorText(v.Rows[row], "commitment")
	w.accept(v, "subject row without its head", func(s *vectors.Stored) { delete(s.Rows, w.subjectRow(v, "")) })
	w.accept(v, "subject row under a closed wrap key", func(s *vectors.Stored) { s.Rows[acmeWrap] = vectorEdit(s.Rows[acmeWrap], "closed", true) })
	w.refuse(v, "subject row of another deployment", "open", func(s *vectors.Stored) { s.Deployment = "prod-us" })
	w.refuse(v, "subject row moved to another version", "open",
		vectorRenamed(row, w.subjectRow(v, "data/0000000002"), func(row string) string { return vectorEdit(row, "version", 2) }))
	w.refuse(v, "subject row with the end of another commitment", "open", set("commitment", commitment[:62]+"00"))
	w.refuse(v, "subject row whose wrap key is destroyed", "open", func(s *vectors.Stored) {
		s.Rows[acmeWrap] = vectorEdit(s.Rows[acmeWrap], "destroyed", "2026-01-01T00:00:00Z")
	})
	w.refuse(v, "subject row whose wrap key is removed", "open", func(s *vectors.Stored) { delete(s.Rows, acmeWrap) })
	w.refuse(v, "subject row whose wrap key is garbage", "open", func(s *vectors.Stored) { s.Rows[acmeWrap] = "" })
	w.refuse(v, "subject row whose wrap key is damaged", "open", func(s *vectors.Stored) {
		s.Rows[acmeWrap] = vectorEdit(s.Rows[acmeWrap], "wrapped", vectorText(s.Rows[acmeData], "wrapped"))
	})
	w.refuse(v, "subject whose lookup key is damaged", "open", func(s *vectors.Stored) {
		s.Rows[acmeLookup] = vectorEdit(s.Rows[acmeLookup], "wrapped", vectorText(s.Rows[acmeData], "wrapped"))
	})
	w.refuse(v, "subject whose lookup row is garbage", "format", func(s *vectors.Stored) { s.Rows[acmeLookup] = "" })
	w.refuse(v, "subject whose lookup row says another version", "open", func(s *vectors.Stored) { s.Rows[acmeLookup] = vectorEdit(s.Rows[acmeLookup], "version", 2) })
	w.refuse(v, "subject whose lookup key is destroyed", "wrong_scope", func(s *vectors.Stored) {
		s.Rows[acmeLookup] = vectorEdit(s.Rows[acmeLookup], "destroyed", "2026-01-01T00:00:00Z")
	})
	w.refuse(v, "subject whose lookup key is removed", "wrong_scope", func(s *vectors.Stored) { delete(s.Rows, acmeLookup) })
	w.refuse(v, "subject row that is garbage", "unknown_key", func(s *vectors.Stored) { s.Rows[row] = "garbage" })
	w.refuse(v, "subject row moved to another subject", "open", func(s *vectors.Stored) {
		s.Subject = bob
		for name := range second.Rows {
			if strings.HasSuffix(name, "/data/0000000001") && strings.HasPrefix(name, "subject/") && s.Rows[name] == "" {
				s.Rows[name] = s.Rows[row]
			}
		}
		delete(s.Rows, row)
	})
	wrapped, err := base64.StdEncoding.DecodeString(vectorText(v.Rows[row], "wrapped"))
	require.NoError(w.t, err)
	require.Len(w.t, wrapped, 89)
	for i := range wrapped {
		class := "open"
		if i == 0 {
			class = "format"
		}
		w.refuse(v, fmt.Sprintf("subject row with byte %d of the wrapped key changed", i), class, set("wrapped", vectorFlip(wrapped, i*8+i%8)))
	}
	w.refuse(v, "subject row with 88 bytes", "format", set("wrapped", wrapped[:88]))
	w.refuse(v, "subject row with 90 bytes", "format", set("wrapped", append(bytes.Clone(wrapped), 0)))
}

// scopes has records that are opened as another's.
func (w *keyringWriter) scopes(first, person, second, odd vectors.Vector) {
	ask := func(tenant, subject string) func(s *vectors.Stored) {
		return func(s *vectors.Stored) { s.Tenant, s.Subject = tenant, subject }
	}
	w.refuse(first, "record of a tenant, asked of another", "wrong_scope", ask("other", ""))
	w.refuse(first, "record of a tenant, asked of a subject without lookup key", "wrong_scope", ask("acme", ada))
	w.refuse(person, "record of a subject, asked of the tenant", "wrong_scope", ask("acme", ""))
	w.refuse(person, "record of a subject, asked of another", "wrong_scope", ask("acme", bob))
	w.refuse(person, "record of a subject, asked of one of the same name", "wrong_scope", ask("other", ada))
	w.refuse(second, "record of a second subject, asked of the first", "wrong_scope", ask("acme", ada))
	w.refuse(odd, "record of an odd tenant, asked of another", "wrong_scope", ask("acme", ""))
	v := person
	v.In, v.Out = first.In, first.Out
	w.refuse(v, "record of a tenant, asked of a subject", "wrong_scope", func(*vectors.Stored) {})
	w.refuse(first, "record without any row", "unknown_key", func(s *vectors.Stored) { s.Rows = map[string]string{} })
	w.refuse(first, "record whose id row is garbage", "format", func(s *vectors.Stored) {
		s.Tenant, s.Rows["id/"+vectorText(s.Rows[acmeData], "id")] = "other", "garbage"
	})
}

// forgeries are by whoever may use the KMS key and writes the store.
func (w *keyringWriter) forgeries() {
	kek := w.o.kek(hex.EncodeToString(vectorKey(0)))
	keys := [2][]byte{vectorKey(1), vectorKey(2)}
	var record [2][]byte
	var commitment [2][32]byte
	for i, key := range keys {
		derived := derive.Key((*[derive.Size]byte)(key), "record")
		record[i], commitment[i] = derived[:], derive.Commitment((*[derive.Size]byte)(key))
	}
	header := append([]byte{0xf5}, commitment[0][:16]...)
	v := w.managed("managed record", "users", "email", "7")
	in := slices.Concat(header, twoKeyRecord(w.t, record, slices.Concat(header, w.o.bound(v))))
	var out [2][]byte
	for i, key := range record {
		k, err := aead.ParseKey(key)
		require.NoError(w.t, err)
		out[i], err = k.Open(nil, in[17:], slices.Concat(header, w.o.bound(v)))
		require.NoError(w.t, err)
		w.ok(vectors.Vector{Kind: "record", Keyed: &vectors.Keyed{Key: hex.EncodeToString(key), AAD: hex.EncodeToString(slices.Concat(header, w.o.bound(v)))}},
			fmt.Sprintf("record under two keys, key %d", i+1), in[17:], out[i])
	}
	require.NotEqual(w.t, out[0], out[1])
	w.ok(v, "record under two keys", in, out[0])
	v.DataKey = hex.EncodeToString(keys[1])
	w.fail(v, "record under two keys, its id another's", "unknown_key", in)
	v.DataKey, v.LocalKey, v.KeyID = "", hex.EncodeToString(vectorKey(0)), vectorKeyID
	name, good := vectorRow(w.t, kek, "d", "acme", "data", 1, keys[0])
	v.Stored = &vectors.Stored{Deployment: "d", Tenant: "acme", Rows: map[string]string{name: good}}
	v = w.ok(v, "stored record under two keys", in, out[0])
	_, lie := vectorForgedRow(w.t, kek, "d", "acme", "data", 1, keys[1], commitment[0][:])
	w.refuse(v, "key with a forged id and commitment", "open", func(s *vectors.Stored) { s.Rows[name] = lie })
	half := slices.Concat(commitment[0][:16], commitment[1][16:])
	_, lie = vectorForgedRow(w.t, kek, "d", "acme", "data", 1, keys[1], half)
	w.refuse(v, "key with a forged id and half of its commitment", "open", func(s *vectors.Stored) { s.Rows[name] = lie })
	_, other := vectorRow(w.t, kek, "d", "acme", "data", 1, keys[1])
	w.refuse(v, "key with a forged id", "unknown_key", func(s *vectors.Stored) {
		s.Rows[name] = vectorEdit(other, "id", hex.EncodeToString(commitment[0][:16]))
	})
	for _, n := range []int{16, 31, 33, 64} {
		long := make([]byte, n)
		copy(long, keys[0])
		_, lie := vectorForgedRow(w.t, kek, "d", "acme", "data", 1, long, commitment[0][:])
		w.refuse(v, fmt.Sprintf("key of %d bytes", n), "open", func(s *vectors.Stored) { s.Rows[name] = lie })
	}
	// A key of another use does not become a data key.
	for _, kind := range []string{"wrap", "lookup"} {
		_, row := vectorRow(w.t, kek, "d", "acme", kind, 1, keys[0])
		w.refuse(v, kind+" key renamed to a data key", "open", func(s *vectors.Stored) { s.Rows[name] = vectorEdit(row, "kind", "data") })
	}
}
