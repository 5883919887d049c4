package field_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	cmdline "flag" // package field_test has a type of that name
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

var update = cmdline.Bool("update", false, "write "+columnsFile+" anew")

// TestUpdateColumnVectors writes the vectors. Their classes follow from the rules of FORMAT.md, and the second reader in examples/reader-node has to agree.
func TestUpdateColumnVectors(t *testing.T) {
	vectors.BeginUpdate(t, *update, 10)
	bubble.Test(t, func(t *testing.T) { // rows hold times
		w := &columnWriter{t: t, o: newVectorOpener(t)}
		w.values()
		w.badValues()
		w.places()
		w.damage()
		w.stored()
		w.tokens()
		vectors.Write(t, columnsFile, w.list)
	})
}

type columnWriter struct {
	t    *testing.T
	o    *vectorOpener
	list []vectors.Vector
}

// add adds v, which must do what it expects; an out of nil means that it must fail.
func (w *columnWriter) add(v vectors.Vector, name, expect string, in, out []byte) vectors.Vector {
	w.t.Helper()
	v.Name, v.Expect, v.In, v.Out = name, expect, hex.EncodeToString(in), nil
	if out != nil {
		v.Out = vectors.Hex(out)
	}
	got, class := w.o.run(v)
	require.Equal(w.t, expect, class, name)
	require.Equal(w.t, out, got, name)
	w.list = append(w.list, v)
	return v
}

func (w *columnWriter) column(parts ...string) vectors.Vector {
	return vectors.Vector{Kind: "column", DataKey: hex.EncodeToString(vectorKey(1)), Parts: vectorParts(parts...)}
}

func vectorParts(parts ...string) []string {
	var out []string
	for _, p := range parts {
		out = append(out, hex.EncodeToString([]byte(p)))
	}
	return out
}

// seal returns a record of a plaintext, which no Table need have made.
func (w *columnWriter) seal(v vectors.Vector, plaintext []byte) []byte {
	w.t.Helper()
	record, err := w.o.tenant(v).Seal(w.t.Context(), plaintext, envelope.Bind(w.o.parts(v)...))
	require.NoError(w.t, err)
	return record
}

// values are those that open, bare and padded.
func (w *columnWriter) values() {
	v := w.column("users", "value", "7")
	for _, c := range []struct{ name, plaintext string }{
		{"empty text", "01"},
		{"text", "01616461406578616d706c652e636f6d"},
		{"text that is no UTF-8", "01ff00"},
		{"text of 80 and zeros", "01800000"},
		{"no bytes", "02"},
		{"bytes", "0200ff80"},
		{"true", "0301"},
		{"false", "0300"},
		{"signed 0", "040000000000000000"},
		{"signed -1", "04ffffffffffffffff"},
		{"least signed", "048000000000000000"},
		{"greatest signed", "047fffffffffffffff"},
		{"unsigned 1", "050000000000000001"},
		{"greatest unsigned", "05ffffffffffffffff"},
		{"0.5", "063fe0000000000000"},
		{"negative zero", "068000000000000000"},
		{"infinity", "067ff0000000000000"},
		{"no number", "067ff8000000000001"},
		{"time", "07000000006b02eaa70000001000000000"},
		{"time before 1970, west", "07000000000000464f3b9ac9ffffffb9b0"},
		{"time east, with seconds in its zone", "07ffffffffc0b1a3ff00000000000004b3"},
		{"first year", "07fffffff1886e09000000000000000000"},
		{"binary", "0820010db8000000000000000000000001"},
		{"no binary", "08"},
		{"own text", "0931313532393231353034363036383436393736"},
		{"JSON", "0a7b2261223a317d"},
	} {
		w.add(v, c.name, "ok", w.seal(v, vectors.Unhex(w.t, c.plaintext)), vectors.Unhex(w.t, c.plaintext))
	}
	for _, c := range []struct{ name, plaintext, out string }{
		{"padded to 8", "8161646180000000", "01616461"},
		{"padded to 8, and full", "817369787465656e8000000000000000", "017369787465656e"},
		{"padded by 80 alone", "816180", "0161"},
		{"padded empty text", "8180000000000000", "01"},
		{"padded bytes that end in 80 and zeros", "828000800000800000", "028000800000"},
		{"padded to what nothing divides", "81618000000000", "0161"},
		{"padded boolean", "8301800000000000", "0301"},
		{"padded number", "84ffffffffffffffff80000000000000", "04ffffffffffffffff"},
		{"padded time", "87000000006b02eaa7000000100000000080000000000000", "07000000006b02eaa70000001000000000"},
		{"padded JSON", "8a7b2261223a317d8000000000000000", "0a7b2261223a317d"},
	} {
		w.add(v, c.name, "ok", w.seal(v, vectors.Unhex(w.t, c.plaintext)), vectors.Unhex(w.t, c.out))
	}
	w.add(v, "long text", "ok", w.seal(v, []byte("\x01"+strings.Repeat("x", 5000))), []byte("\x01"+strings.Repeat("x", 5000)))
}

// badValues are authentic, and break a rule of the plaintext.
func (w *columnWriter) badValues() {
	v := w.column("users", "value", "7")
	for _, c := range []struct{ name, plaintext string }{
		{"no type", ""},
		{"type 00", "0061"},
		{"type 0b", "0b61"},
		{"type 7f", "7f61"},
		{"type 00, padded", "80618000"},
		{"type 0b, padded", "8b618000"},
		{"padding of nothing", "81"},
		{"padding without 80", "810000"},
		{"padding that is missing", "8161"},
		{"padding of zeros alone", "81610000"},
		{"padding that ends in something else", "8161800001"},
		{"boolean that is neither", "0302"},
		{"short boolean", "03"},
		{"long boolean", "030100"},
		{"long padded boolean", "83010180"},
		{"short signed", "04ffffffffffffff"},
		{"long signed", "04ffffffffffffffff00"},
		{"empty signed", "04"},
		{"short padded signed", "84ffffffffffffff80"},
		{"short unsigned", "05ffffffffffffff"},
		{"long unsigned", "05ffffffffffffffff00"},
		{"short number", "063fe00000000000"},
		{"number of 4 bytes", "063f000000"},
		{"long number", "063fe000000000000000"},
		{"short time", "07000000006b02eaa700000010000000"},
		{"long time", "07000000006b02eaa7000000100000000000"},
		{"time without a zone", "07000000006b02eaa700000010"},
		{"time with 10^9 nanoseconds", "07000000006b02eaa73b9aca0000000000"},
		{"time with 2^32-1 nanoseconds", "07000000006b02eaa7ffffffff00000000"},
	} {
		w.add(v, c.name, "format", w.seal(v, vectors.Unhex(w.t, c.plaintext)), nil)
	}
}

// places are parts of the binding.
func (w *columnWriter) places() {
	in := w.seal(w.column("users", "value", "7"), []byte("\x01ada"))
	w.add(w.column("users", "value", "7"), "at its place", "ok", in, []byte("\x01ada"))
	w.add(w.column("users", "value", "8"), "in another row", "open", in, nil)
	w.add(w.column("users", "other", "7"), "in another column", "open", in, nil)
	w.add(w.column("orders", "value", "7"), "in another table", "open", in, nil)
	w.add(w.column("Users", "value", "7"), "in a table of other case", "open", in, nil)
	for _, row := range []string{"01890a5d-ac96-774b-bcce-b302099a8057", "é", "\x00\xff"} {
		v := w.column("users", "other", row)
		w.add(v, fmt.Sprintf("in row %q", row), "ok", w.seal(v, []byte("\x01ada")), []byte("\x01ada"))
	}
	unbound := w.column("users", "value")
	w.add(w.column("users", "value", "7"), "bound to no row", "open", w.seal(unbound, []byte("\x01ada")), nil)
	other := w.column("users", "value", "7")
	other.DataKey = hex.EncodeToString(vectorKey(2))
	w.add(other, "under another key", "unknown_key", in, nil)
}

// damage is every truncation, and a bit of every byte.
func (w *columnWriter) damage() {
	v := w.column("users", "value", "7")
	in := w.seal(v, []byte("\x01ada"))
	w.add(v, "whole", "ok", in, []byte("\x01ada"))
	w.add(v, "cut 0", "format", nil, nil) // what does not start with F5 is no record of a column
	for n := 1; n < len(in); n++ {
		expect := "truncated"
		if n >= envelope.RecordOverhead {
			expect = "open"
		}
		w.add(v, fmt.Sprintf("cut %d", n), expect, in[:n], nil)
	}
	for i := range in {
		expect := "open"
		switch {
		case i == 0:
			expect = "format"
		case i < 17:
			expect = "unknown_key"
		}
		changed := bytes.Clone(in)
		changed[i] ^= 1 << (i % 8)
		w.add(v, fmt.Sprintf("flip %d.%d", i, i%8), expect, changed, nil)
	}
	w.add(v, "trailing byte", "open", append(bytes.Clone(in), 0), nil)
	w.add(v, "twice", "open", slices.Concat(in, in), nil)
	w.add(v, "plaintext", "format", []byte("ada@example.com"), nil)
	w.add(v, "record in hex", "format", []byte(`\x`+hex.EncodeToString(in)), nil)
	w.add(v, "a stream", "format", append([]byte{0xf7}, in[1:]...), nil)
}

// stored are columns of a subject and of its tenant, with the rows that open them.
func (w *columnWriter) stored() {
	store := memstore.New()
	key := hex.EncodeToString(vectorKey(0))
	tn := vectorRing(w.t, w.o.kek(key), "acme-prod", store).Tenant("acme")
	ctx := w.t.Context()
	bound := func(parts ...string) envelope.Binding { return envelope.Bind(parts...) }
	own, err := tn.Subject("ada").Seal(ctx, []byte("\x01Ada"), bound("users", "own"))
	require.NoError(w.t, err)
	padded, err := tn.Subject("ada").Seal(ctx, []byte("\x81Ada\x80\x00\x00\x00"), bound("users", "value", "7"))
	require.NoError(w.t, err)
	_, err = tn.Subject("bob").Seal(ctx, []byte("x"), bound("x"))
	require.NoError(w.t, err)
	ofTenant, err := tn.Seal(ctx, []byte("\x0142"), bound("users", "value", "7"))
	require.NoError(w.t, err)
	list, err := store.List(ctx, "", "", 1000)
	require.NoError(w.t, err)
	rows := map[string]string{}
	for _, r := range list {
		if r.Key != "fleet" {
			rows[r.Key] = string(r.Value)
		}
	}
	of := func(subject string, parts ...string) vectors.Vector {
		return vectors.Vector{
			Kind: "column", LocalKey: key, KeyID: columnKeyID, Parts: vectorParts(parts...),
			Stored: &vectors.Stored{Deployment: "acme-prod", Tenant: "acme", Subject: subject, Rows: maps.Clone(rows)},
		}
	}
	w.add(of("ada", "users", "own"), "stored, bound to its subject", "ok", own, []byte("\x01Ada"))
	w.add(of("ada", "users", "value", "7"), "stored, of a subject, bound to its row", "ok", padded, []byte("\x01Ada"))
	w.add(of("", "users", "value", "7"), "stored, of the tenant", "ok", ofTenant, []byte("\x0142"))
	w.add(of("bob", "users", "own"), "stored, of another subject", "wrong_scope", own, nil)
	w.add(of("bob", "users", "value", "7"), "stored, of another subject, bound to its row", "wrong_scope", padded, nil)
	w.add(of("ada", "users", "own"), "stored, from a column that is bound to its row", "open", padded, nil)
	w.add(of("ada", "users", "value", "7"), "stored, from a column that is bound to its subject", "open", own, nil)
	w.add(of("ada", "users", "value", "8"), "stored, of a subject, in another row", "open", padded, nil)
	w.add(of("ada", "users", "value", "7"), "stored, from a column of the tenant", "wrong_scope", ofTenant, nil)
	w.add(of("", "users", "value", "7"), "stored, from a column of a subject", "wrong_scope", padded, nil)
}

// tokens are what the formula gives, as long as the plans of the test's table say, or whole.
func (w *columnWriter) tokens() {
	for _, c := range []struct {
		name             string
		key              byte
		parts            []string
		normalizer, text string
		n                int64
	}{
		{"e-mail", 1, []string{"users", "email", "email_eq"}, "email/v1", "ada@example.com", 16},
		{"e-mail beyond ASCII", 1, []string{"users", "email", "email_eq"}, "email/v1", "jürgen@müller.example", 16},
		{"e-mail under another key", 2, []string{"users", "email", "email_eq"}, "email/v1", "ada@example.com", 16},
		{"words", 1, []string{"users", "name", "name_eq"}, "casefold/v1", "ada strasse", 8},
		{"prefix", 1, []string{"users", "name", "name_ab"}, "casefold/v1", "éda", 1},
		{"phone", 1, []string{"users", "phone", "phone_eq"}, "phone/v1", "+4930123456", 2},
		{"bytes as they are", 1, []string{"users", "code", "code_eq"}, "exact/v1", " A\x00\xff", 16},
		{"whole", 1, []string{"orders", "email", "email_eq"}, "email/v1", "ada@example.com", 32},
		{"of another column", 1, []string{"orders", "mail", "email_eq"}, "email/v1", "ada@example.com", 32},
		{"of another index", 1, []string{"orders", "email", "email_ab"}, "email/v1", "ada@example.com", 32},
		{"of other boundaries", 1, []string{"orderse", "mail", "email_eq"}, "email/v1", "ada@example.com", 32},
		{"of another normalizer", 1, []string{"orders", "email", "email_eq"}, "casefold/v1", "ada@example.com", 32},
		{"of one byte", 1, []string{"orders", "email", "email_eq"}, "exact/v1", "0", 1},
		{"of a long value", 1, []string{"orders", "email", "email_eq"}, "exact/v1", strings.Repeat("x", 4096), 32},
	} {
		v := vectors.Vector{Kind: "token", Keyed: &vectors.Keyed{Key: hex.EncodeToString(vectorKey(c.key))}, Parts: vectorParts(c.parts...), Range: []int64{0, c.n}}
		var info [][]byte
		for _, part := range c.parts {
			info = append(info, []byte(part))
		}
		key := derive.Key((*[derive.Size]byte)(vectorKey(c.key)), "index", info...)
		in := []byte(c.normalizer + "\x00" + c.text)
		mac := hmac.New(sha256.New, key[:])
		mac.Write(in)
		w.add(v, "token, "+c.name, "ok", in, mac.Sum(nil)[:c.n])
	}
}
