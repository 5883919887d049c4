package message_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
)

// tokens are what the formula gives.
func (w *vectorWriter) tokens() {
	for _, c := range []struct {
		name       string
		first      byte
		topic, key string
	}{
		{"key", 1, "orders", "7"},
		{"another key", 1, "orders", "8"},
		{"empty key", 1, "orders", ""},
		{"key that is no UTF-8", 1, "orders", "\x00\xff"},
		{"another topic", 1, "bills", "7"},
		{"another lookup key", 2, "orders", "7"},
		{"long key", 1, "orders", strings.Repeat("x", 4096)},
	} {
		key := derive.Key((*[derive.Size]byte)(vectorKey(c.first)), "index", []byte("message key"), []byte(c.topic))
		mac := hmac.New(sha256.New, key[:])
		mac.Write([]byte(c.key))
		v := messageVector{Vector: vectors.Vector{
			Kind: "token", Keyed: &vectors.Keyed{Key: hex.EncodeToString(vectorKey(c.first))}, Range: []int64{0, 32},
			Parts: []string{hex.EncodeToString([]byte("message key")), hex.EncodeToString([]byte(c.topic))},
		}}
		w.add(v, "token of a "+c.name, "ok", []byte(c.key), mac.Sum(nil))
	}
}

var vectorOwn = kms.Context{"deployment": "acme-prod", "tenant": "acme"} // context of the publishers

// announcing is the vector of a key message.
func announcing(own kms.Context) messageVector {
	return messageVector{Vector: vectors.Vector{Kind: "key message", LocalKey: hex.EncodeToString(vectorKey(0)), KeyID: vectorKeyID, Context: own}}
}

func (w *vectorWriter) recipient() *kms.Key {
	return w.o.kek(vectorKeyID, hex.EncodeToString(vectorKey(0)))
}

// announcedKey is how a key message announces a key: with its commitment, and wrapped under a full context.
func (w *vectorWriter) announcedKey(commitment, key []byte, full kms.Context) []byte {
	w.t.Helper()
	wrapped, err := w.recipient().Wrap(reserved.Allow(w.t.Context()), key, full)
	require.NoError(w.t, err)
	return w.announcedAs(commitment, wrapped)
}

func (w *vectorWriter) announcedAs(commitment []byte, wrapped kms.Wrapped) []byte {
	b, err := wrapped.AppendBinary(nil)
	require.NoError(w.t, err)
	return slices.Concat(commitment, binary.BigEndian.AppendUint16(nil, uint16(len(b))), b)
}

// good is announcedKey by the rules.
func (w *vectorWriter) good(topic string, first byte) []byte {
	commitment := derive.Commitment((*[derive.Size]byte)(vectorKey(first)))
	return w.announcedKey(commitment[:], vectorKey(first), vectorContext(vectorOwn, topic, commitment[:]))
}

// vectorKeyMessage is a key message, made by hand from FORMAT.md section 11.
func vectorKeyMessage(topic string, count byte, keys ...[]byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0xf8, 1}, uint16(len(topic)))
	return slices.Concat(b, []byte(topic), []byte{count}, slices.Concat(keys...))
}

// keyMessages are those that announce what they say.
func (w *vectorWriter) keyMessages() {
	v := announcing(vectorOwn)
	one, two := w.good("orders", 5), w.good("orders", 6)
	w.add(v, "key message of one key", "ok", vectorKeyMessage("orders", 1, one), vectorKey(5))
	w.add(v, "key message of two keys", "ok", vectorKeyMessage("orders", 2, one, two), slices.Concat(vectorKey(5), vectorKey(6)))
	w.add(v, "key message of a topic with levels", "ok", vectorKeyMessage("plant/7/é", 1, w.good("plant/7/é", 5)), vectorKey(5))
	w.add(v, "key message whose second key does not open", "ok", vectorKeyMessage("orders", 2, one, w.good("bills", 6)), vectorKey(5))
	commitment := derive.Commitment((*[derive.Size]byte)(vectorKey(5)))
	bare := w.announcedKey(commitment[:], vectorKey(5), vectorContext(nil, "orders", commitment[:]))
	w.add(announcing(nil), "key message without a context of the publisher's", "ok", vectorKeyMessage("orders", 1, bare), vectorKey(5))
	second := w.o.kek("43434343434343434343434343434343", hex.EncodeToString(vectorKey(40)))
	both, err := kms.AnyOf([]*kms.Key{second, w.recipient()}, nil)
	require.NoError(w.t, err)
	wrapped, err := both.Wrap(reserved.Allow(w.t.Context()), vectorKey(5), vectorContext(vectorOwn, "orders", commitment[:]))
	require.NoError(w.t, err)
	list := vectorKeyMessage("orders", 1, w.announcedAs(commitment[:], wrapped))
	w.add(v, "key message to two recipients", "ok", list, vectorKey(5))
	other := v
	other.LocalKey, other.KeyID = hex.EncodeToString(vectorKey(40)), second.Ref().KeyID
	w.add(other, "key message to two recipients, the other one", "ok", list, vectorKey(5))
	require.NoError(w.t, both.Close())
	other.KeyID = "44444444444444444444444444444444"
	w.add(other, "key message to other recipients", "open", list, nil)
	other.KeyID = vectorKeyID
	w.add(other, "key message under another version of the key", "open", vectorKeyMessage("orders", 1, one), nil)
}

// badKeyMessages break a rule, or announce what they don't have.
func (w *vectorWriter) badKeyMessages() {
	v := announcing(vectorOwn)
	one, two := w.good("orders", 5), w.good("orders", 6)
	whole := vectorKeyMessage("orders", 1, one)
	for n := 2; n < len(whole); n++ {
		w.add(v, fmt.Sprintf("key message cut %d", n), "format", whole[:n], nil)
	}
	commitment := derive.Commitment((*[derive.Size]byte)(vectorKey(5)))
	foreign := derive.Commitment((*[derive.Size]byte)(vectorKey(6)))
	full := vectorContext(vectorOwn, "orders", commitment[:])
	changed := func(name, value string) []byte {
		other := vectorContext(vectorOwn, "orders", commitment[:])
		other[name] = value
		return w.announcedKey(commitment[:], vectorKey(5), other)
	}
	halfForeign := slices.Concat(commitment[:16], foreign[16:])
	longer := func(key []byte) []byte { // a byte behind Wrapped, inside its length
		b := append(bytes.Clone(key), 0)
		binary.BigEndian.PutUint16(b[32:], uint16(len(b)-34))
		return b
	}
	as := func(provider, id, version string, blob []byte) []byte {
		return w.announcedAs(commitment[:], kms.Wrapped{Ref: kms.Ref{Provider: provider, KeyID: id}, Version: version, Blob: blob})
	}
	raw := func(b ...byte) []byte {
		return slices.Concat(commitment[:], binary.BigEndian.AppendUint16(nil, uint16(len(b))), b)
	}
	for _, c := range []struct {
		name, expect, topic string
		count               byte
		keys                [][]byte
	}{
		{"of no key", "format", "orders", 0, nil},
		{"of three keys", "format", "orders", 3, [][]byte{one, two, w.good("orders", 7)}},
		{"that counts one of two keys", "format", "orders", 1, [][]byte{one, two}},
		{"that counts two of one key", "format", "orders", 2, [][]byte{one}},
		{"with a trailing byte", "format", "orders", 1, [][]byte{one, {0}}},
		{"of one key twice", "format", "orders", 2, [][]byte{one, one}},
		{"of two keys of one id", "format", "orders", 2, [][]byte{one, w.announcedKey(halfForeign, vectorKey(6), vectorContext(vectorOwn, "orders", halfForeign))}},
		{"with a byte behind a wrapped key", "format", "orders", 1, [][]byte{longer(one)}},
		{"without a wrapped key", "format", "orders", 1, [][]byte{raw()}},
		{"without a provider", "format", "orders", 1, [][]byte{raw(0, 0, 0, 0, 0, 1, 'x')}},
		{"with an empty blob", "format", "orders", 1, [][]byte{raw(1, 'x', 0, 0, 0, 0, 0)}},
		{"of no topic", "format", "", 1, [][]byte{w.good("", 5)}},
		{"of a filter", "format", "orders/#", 1, [][]byte{w.good("orders/#", 5)}},
		{"of another filter", "format", "+/orders", 1, [][]byte{w.good("+/orders", 5)}},
		{"of a topic with NUL", "format", "or\x00ders", 1, [][]byte{w.good("or\x00ders", 5)}},
		{"of a topic that is no UTF-8", "format", "or\xffders", 1, [][]byte{w.good("or\xffders", 5)}},
		{"of another topic", "open", "bills", 1, [][]byte{one}},
		{"with another's commitment", "open", "orders", 1, [][]byte{w.announcedKey(foreign[:], vectorKey(5), vectorContext(vectorOwn, "orders", foreign[:]))}},
		{"with half of another's commitment", "open", "orders", 1, [][]byte{w.announcedKey(halfForeign, vectorKey(5), vectorContext(vectorOwn, "orders", halfForeign))}},
		{"with another's commitment outside", "open", "orders", 1, [][]byte{slices.Concat(foreign[:], one[32:])}},
		{"whose first key is of another topic", "open", "orders", 2, [][]byte{w.good("bills", 5), two}},
		{"whose second key is cut", "format", "orders", 2, [][]byte{one, two[:len(two)-1]}},
		{"of a short key", "open", "orders", 1, [][]byte{w.announcedKey(commitment[:], vectorKey(5)[:31], full)}},
		{"of a long key", "open", "orders", 1, [][]byte{w.announcedKey(commitment[:], append(vectorKey(5), 0), full)}},
		{"for another purpose", "open", "orders", 1, [][]byte{changed("holdfast:purpose", "message")}},
		{"for another commitment", "open", "orders", 1, [][]byte{changed("holdfast:commitment", hex.EncodeToString(foreign[:]))}},
		{"for another tenant", "open", "orders", 1, [][]byte{changed("tenant", "other")}},
		{"with more context", "open", "orders", 1, [][]byte{changed("more", "")}},
		{"of another provider", "open", "orders", 1, [][]byte{as("hpke", vectorKeyID, "1", []byte("x"))}},
		{"of another key of the provider", "open", "orders", 1, [][]byte{as("local", "43434343434343434343434343434343", "1", one[len(one)-72:])}},
		{"to a list of nobody", "open", "orders", 1, [][]byte{as("any", "", "", []byte{0})}},
		{"to a list that is cut", "open", "orders", 1, [][]byte{as("any", "", "", []byte{1, 0, 9, 1})}},
		{"to a list with a key id", "open", "orders", 1, [][]byte{as("any", "x", "", one[34:])}},
		{"with a short blob", "open", "orders", 1, [][]byte{as("local", vectorKeyID, "1", one[len(one)-39:])}},
	} {
		w.add(v, "key message "+c.name, c.expect, vectorKeyMessage(c.topic, c.count, c.keys...), nil)
	}
	flipped := vectorKeyMessage("orders", 1, bytes.Clone(one))
	flipped[len(flipped)-1] ^= 1
	w.add(v, "key message with a changed blob", "open", flipped, nil)
	v.Context = kms.Context{"deployment": "acme-prod"}
	w.add(v, "key message with less context", "open", vectorKeyMessage("orders", 1, one), nil)
}

// announced are payloads under announced keys.
func (w *vectorWriter) announced() {
	p, err := message.NewPublisher(w.recipient(), "plant/7", &message.PublisherOptions{Context: vectorOwn, Sender: "pump", Headers: []string{"type"}, Pad: true})
	require.NoError(w.t, err)
	r := message.Record{Key: []byte("7"), Value: []byte("21.5"), Headers: []message.Header{{Key: "type", Value: []byte("t")}}, Time: time.UnixMilli(1_795_000_000_123)}
	payload, announcement, err := p.Seal(w.t.Context(), r)
	require.NoError(w.t, err)
	place := func(topic string, announcement []byte) messageVector {
		v := announcing(vectorOwn)
		v.Kind = "payload"
		v.Place = &Place{Topic: topic, Announced: hex.EncodeToString(announcement)}
		return v
	}
	v := place("plant/7", announcement)
	v.RecordKey, v.Bound, v.Headers = vectors.Hex(r.Key), []string{"type"}, [][2]string{{"type", "74"}}
	s := w.o.subscriber(v)
	_, err = s.Open(w.t.Context(), message.Record{Value: announcement})
	require.ErrorIs(w.t, err, message.ErrKeyMessage)
	r.Topic, r.Value = "plant/7", payload
	m, err := s.Open(w.t.Context(), r)
	require.NoError(w.t, err)
	w.add(v, "announced, made by a Publisher", "ok", payload, vectorPlaintext(m, r.Key))

	two := vectorKeyMessage("orders", 2, w.good("orders", 5), w.good("orders", 6))
	v = place("orders", two)
	seal := func(first byte, plaintext string) []byte {
		return vectorSeal(vectorKey(first), []byte(plaintext), vectorBinding(&Place{Topic: "orders"}))
	}
	w.add(v, "announced, under the current key", "ok", seal(5, "\x0021.5"), []byte("\x0021.5"))
	w.add(v, "announced, under the key before", "ok", seal(6, "\x0021.5"), []byte("\x0021.5"))
	w.add(v, "not announced", "unknown_key", seal(7, "\x0021.5"), nil)
	w.add(v, "announced, of an unknown form", "format", seal(5, "\x0421.5"), nil)
	w.add(v, "announced, with a trailing byte", "open", append(seal(5, "\x0021.5"), 0), nil)
	w.add(place("bills", two), "announced, at another topic", "open", seal(5, "\x0021.5"), nil)
	w.add(place("bills", two), "announced for another topic", "open", vectorSeal(vectorKey(5), []byte("\x0021.5"), vectorBinding(&Place{Topic: "bills"})), nil)
	half := vectorKeyMessage("orders", 2, w.good("orders", 5), w.good("bills", 6))
	w.add(place("orders", half), "announced, beside a key that does not open", "ok", seal(5, "\x0021.5"), []byte("\x0021.5"))
	w.add(place("orders", half), "announced, by a key that does not open", "unknown_key", seal(6, "\x0021.5"), nil)
	for n, in := 0, seal(5, "\x0021.5"); n < len(in); n++ {
		expect := "open"
		switch {
		case n == 0:
			expect = "not_sealed"
		case n < envelope.RecordOverhead:
			expect = "truncated"
		}
		w.add(v, fmt.Sprintf("announced, cut %d", n), expect, in[:n], nil)
	}
	w.add(v, "announced, a stream", "format", append([]byte{0xf7}, make([]byte, 100)...), nil)
	w.add(v, "announced, the state of a window", "format", append([]byte{0xf8, 2}, make([]byte, 100)...), nil)
	w.add(v, "announced, text", "not_sealed", []byte(strings.Repeat("x", 100)), nil)
}
