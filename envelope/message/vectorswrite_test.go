package message_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

var update = flag.Bool("update", false, "write "+vectorFile+" anew")

// TestUpdateMessageVectors writes the vectors. Their classes follow from the rules of FORMAT.md, and the second reader in examples/reader-node has to agree.
func TestUpdateMessageVectors(t *testing.T) {
	vectors.BeginUpdate(t, *update, 11)
	bubble.Test(t, func(t *testing.T) { // rows and stamps hold times
		w := &vectorWriter{t: t, o: newVectorOpener(t)}
		w.forms()
		w.badForms()
		w.topics()
		w.places()
		w.damage()
		w.notSealed()
		w.stored()
		w.tokens()
		w.keyMessages()
		w.badKeyMessages()
		w.announced()
		w.windows()
		w.write()
	})
}

type vectorWriter struct {
	t    *testing.T
	o    *vectorOpener
	list []messageVector
}

// add adds v, which must do what it expects; an out of nil means that it must fail.
func (w *vectorWriter) add(v messageVector, name, expect string, in, out []byte) {
	w.t.Helper()
	v.Name, v.Expect, v.In, v.Out = name, expect, hex.EncodeToString(in), nil
	if out != nil {
		v.Out = vectors.Hex(out)
	}
	got, class := w.o.run(v)
	require.Equal(w.t, expect, class, name)
	require.Equal(w.t, hex.EncodeToString(out), hex.EncodeToString(got), name)
	w.list = append(w.list, v)
}

// write writes the file, one line a vector.
func (w *vectorWriter) write() {
	var lines []string
	for _, v := range w.list {
		line, err := json.Marshal(v)
		require.NoError(w.t, err)
		lines = append(lines, string(line))
	}
	require.NoError(w.t, os.WriteFile(vectorFile, []byte(`{"format":"holdfast vectors v1","vectors":[`+"\n"+strings.Join(lines, ",\n")+"\n]}\n"), 0o644))
}

// at is a payload under the data key that counts from 1, at a place.
func at(p Place) messageVector {
	return messageVector{vectors.Vector{Kind: "payload", DataKey: hex.EncodeToString(vectorKey(1))}, &p}
}

// seal returns the payload of any plaintext at the place of v.
func (w *vectorWriter) seal(v messageVector, plaintext string) []byte {
	return vectorSeal(vectorKey(1), []byte(plaintext), vectorBinding(v.Place))
}

// topics are payloads that a Topic made.
func (w *vectorWriter) topics() {
	ring, tn := w.o.tenant("data", hex.EncodeToString(vectorKey(1)))
	now := time.UnixMilli(1_795_000_000_123)
	for _, c := range []struct {
		name string
		o    message.TopicOptions
		r    message.Record
	}{
		{"plain", message.TopicOptions{}, message.Record{Value: []byte("21.5")}},
		{"of an empty value", message.TopicOptions{}, message.Record{Value: []byte{}}},
		{"with a key", message.TopicOptions{}, message.Record{Key: []byte("7"), Value: []byte("21.5")}},
		{"with an empty key", message.TopicOptions{}, message.Record{Key: []byte{}, Value: []byte("21.5")}},
		{"stamped", message.TopicOptions{Sender: "shop"}, message.Record{Value: []byte("21.5"), Time: now}},
		{"padded", message.TopicOptions{Pad: true}, message.Record{Value: []byte("21.5 degrees Celsius")}},
		{"stamped, padded and with headers", message.TopicOptions{Sender: "shop", Pad: true, Headers: []string{"type", "schema"}}, message.Record{
			Key: []byte("7"), Value: []byte("21.5"), Time: now,
			Headers: []message.Header{{Key: "schema", Value: []byte("4")}, {Key: "trace", Value: []byte{0xff}}},
		}},
	} {
		topic := mustTopic(w.t, ring, "orders", &c.o)
		payload := mustSeal(w.t, topic, tn, c.r)
		m, err := topic.Open(w.t.Context(), tn, message.Record{Key: c.r.Key, Value: payload, Headers: c.r.Headers})
		require.NoError(w.t, err)
		p := Place{Topic: "orders", Bound: c.o.Headers}
		if c.r.Key != nil {
			p.RecordKey = vectors.Hex(c.r.Key)
		}
		for _, h := range c.r.Headers {
			p.Headers = append(p.Headers, [2]string{h.Key, hex.EncodeToString(h.Value)})
		}
		w.add(at(p), "made by a Topic, "+c.name, "ok", payload, vectorPlaintext(m, c.r.Key))
	}
}

// damage is every truncation, and a bit of every byte.
func (w *vectorWriter) damage() {
	v := at(Place{Topic: "orders", RecordKey: vectors.Hex([]byte("7"))})
	in := w.seal(v, "\x0021.5")
	w.add(v, "whole", "ok", in, []byte("\x0021.5"))
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
			expect = "not_sealed" // F4
		case i < 17:
			expect = "unknown_key"
		}
		changed := bytes.Clone(in)
		changed[i] ^= 1 << (i % 8)
		w.add(v, fmt.Sprintf("flip %d.%d", i, i%8), expect, changed, nil)
	}
	w.add(v, "trailing byte", "open", append(bytes.Clone(in), 0), nil)
	w.add(v, "twice", "open", append(bytes.Clone(in), in...), nil)
}

// notSealed are payloads that no one sealed, or as something else.
func (w *vectorWriter) notSealed() {
	v := at(Place{Topic: "orders"})
	for _, c := range []struct{ name, in string }{
		{"nothing", ""},
		{"text", "21.5"},
		{"JSON", `{"t":21.5}`},
		{"zeros", strings.Repeat("\x00", 100)},
		{"first byte f4", "\xf4" + strings.Repeat("x", 100)},
		{"first byte f9", "\xf9" + strings.Repeat("x", 100)},
		{"first byte ff", "\xff"},
		{"payload in hex", hex.EncodeToString(w.seal(v, "\x0021.5"))},
	} {
		w.add(v, "not sealed, "+c.name, "not_sealed", []byte(c.in), nil)
	}
	for _, c := range []struct{ name, in string }{
		{"a portable message", "\xf6\x01\x00\x40"},
		{"a stream", "\xf7" + strings.Repeat("x", 100)},
		{"a key message", "\xf8\x01"},
		{"the state of a window", "\xf8\x02"},
		{"f8 alone", "\xf8"},
	} {
		w.add(v, "sealed as something else, "+c.name, "format", []byte(c.in), nil)
	}
}

// stored are payloads for a tenant and its subjects, with the rows that open them.
func (w *vectorWriter) stored() {
	store := memstore.New()
	key := hex.EncodeToString(vectorKey(0))
	ring := vectorRing(w.t, w.o.kek(vectorKeyID, key), "acme-prod", store)
	topic := mustTopic(w.t, ring, "orders", nil)
	acme, other := ring.Tenant("acme"), ring.Tenant("other")
	seal := func(to envelope.Scope) []byte { return mustSeal(w.t, topic, to, message.Record{Value: []byte("21.5")}) }
	ofTenant, ofAda, ofBob, ofCleo, ofOther := seal(acme), seal(acme.Subject("ada")), seal(acme.Subject("bob")), seal(acme.Subject("cleo")), seal(other)
	ofOthers := seal(other.Subject("ada"))
	_, err := acme.Subject("bob").Erase(w.t.Context(), envelope.Erasure{Ref: "r"})
	require.NoError(w.t, err)
	require.NoError(w.t, acme.Subject("cleo").Disable(w.t.Context(), "r"))
	list, err := store.List(w.t.Context(), "", "", 1000)
	require.NoError(w.t, err)
	rows := map[string]string{}
	for _, r := range list {
		if r.Key != "fleet" {
			rows[r.Key] = string(r.Value)
		}
	}
	without := func(names ...string) messageVector {
		left := maps.Clone(rows)
		for _, name := range names {
			require.Contains(w.t, left, name)
			delete(left, name)
		}
		v := at(Place{Topic: "orders"})
		v.DataKey, v.LocalKey, v.KeyID = "", key, vectorKeyID
		v.Stored = &vectors.Stored{Deployment: "acme-prod", Tenant: "acme", Rows: left}
		return v
	}
	value := []byte("\x0021.5")
	idRow := func(payload []byte) string { return "id/" + hex.EncodeToString(payload[1:17]) }
	moved := without()
	moved.Topic = "bills"
	w.add(without(), "stored, of the tenant", "ok", ofTenant, value)
	w.add(without(), "stored, of a subject", "ok", ofAda, value)
	w.add(without(), "stored, of an erased subject", "erased", ofBob, nil)
	w.add(without(), "stored, of a disabled subject", "disabled", ofCleo, nil)
	w.add(without(), "stored, of another tenant", "wrong_scope", ofOther, nil)
	w.add(without(), "stored, of another tenant's subject", "wrong_scope", ofOthers, nil)
	w.add(without(idRow(ofOther)), "stored, of another tenant, whose id row is hidden", "unknown_key", ofOther, nil)
	w.add(without("tenant/acme/lookup/0000000001"), "stored, of a subject, without the lookup key", "ok", ofAda, value)
	w.add(without("tenant/acme/data/0000000001"), "stored, of the tenant, whose key is hidden", "unknown_key", ofTenant, nil)
	w.add(without("tenant/acme/wrap/0000000001"), "stored, of a subject, whose wrap key is hidden", "open", ofAda, nil)
	w.add(moved, "stored, of a subject, at another topic", "open", ofAda, nil)
	w.add(moved, "stored, of an erased subject, at another topic", "erased", ofBob, nil)
}
