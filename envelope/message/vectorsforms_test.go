package message_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

const (
	vectorStamp = "\x04shop" + "\x01\x02\x03\x04\x05\x06\x07\x08" + "\x00\x00\x00\x00\x00\x00\x00\x09" + "\x00\x00\x01\xa1\xec\xe5\x9a\x7b"
	vectorInner = "\x00\x017" // the key "7"
)

// forms are plaintexts that open, each with what it is without its padding.
func (w *vectorWriter) forms() {
	v := at(Place{Topic: "orders"})
	for _, c := range []struct{ name, plaintext string }{
		{"plain", "\x0021.5"},
		{"empty value", "\x00"},
		{"value of 80 and zeros", "\x00\x80\x00\x00"},
		{"key inside", "\x01" + vectorInner + "21.5"},
		{"empty key inside", "\x01\x00\x0021.5"},
		{"key inside that is no UTF-8", "\x01\x00\x02\x00\xff21.5"},
		{"key inside, empty value", "\x01" + vectorInner},
		{"long key inside", "\x01\x01\x2c" + strings.Repeat("k", 300) + "21.5"},
		{"stamp", "\x02" + vectorStamp + "21.5"},
		{"stamp, empty value", "\x02" + vectorStamp},
		{"stamp without a name", "\x02\x00" + vectorStamp[5:] + "21.5"},
		{"stamp with the longest name", "\x02\xff" + strings.Repeat("n", 255) + vectorStamp[5:] + "21.5"},
		{"stamp with the greatest number", "\x02" + vectorStamp[:13] + strings.Repeat("\xff", 8) + vectorStamp[21:] + "21.5"},
		{"stamp before 1970", "\x02" + vectorStamp[:21] + strings.Repeat("\xff", 8) + "21.5"},
		{"key and stamp", "\x03" + vectorInner + vectorStamp + "21.5"},
	} {
		w.add(v, "form, "+c.name, "ok", w.seal(v, c.plaintext), []byte(c.plaintext))
	}
	for _, c := range []struct{ name, plaintext, out string }{
		{"an empty value", "\x80\x80", "\x00"},
		{"no zeros", "\x80aaaaaa\x80", "\x00aaaaaa"},
		{"one zero", "\x80aaaaaaa\x80\x00", "\x00aaaaaaa"},
		{"a value of 80 and zeros", "\x80\x80\x00\x80\x00\x80\x00\x80\x80\x00", "\x00\x80\x00\x80\x00\x80\x00\x80"},
		{"a longer value", "\x80" + strings.Repeat("x", 250) + "\x80" + strings.Repeat("\x00", 4), "\x00" + strings.Repeat("x", 250)},
		{"a key", "\x81" + vectorInner + "21.5\x80\x00", "\x01" + vectorInner + "21.5"},
		{"a stamp", "\x82" + vectorStamp + "21.5\x80\x00", "\x02" + vectorStamp + "21.5"},
		{"key and stamp", "\x83" + vectorInner + vectorStamp + "21.5\x80\x00\x00", "\x03" + vectorInner + vectorStamp + "21.5"},
		{"nothing but a key of zeros", "\x81\x00\x01\x00\x80", "\x01\x00\x01\x00"},
	} {
		w.add(v, "padded, "+c.name, "ok", w.seal(v, c.plaintext), []byte(c.out))
	}
	token := at(Place{Topic: "orders", RecordKey: vectors.Hex(vectorKey(9))})
	w.add(token, "form, key inside, and a token outside", "ok", w.seal(token, "\x01"+vectorInner+"21.5"), []byte("\x01"+vectorInner+"21.5"))
}

// badForms are authentic, and break a rule of the plaintext.
func (w *vectorWriter) badForms() {
	v := at(Place{Topic: "orders"})
	bad := func(name, plaintext string) { w.add(v, name, "format", w.seal(v, plaintext), nil) }
	bad("form, none", "")
	for _, form := range []byte{0x04, 0x08, 0x10, 0x20, 0x40, 0x7f, 0x84, 0xff} {
		bad(fmt.Sprintf("form %02x", form), string(form)+vectorInner+vectorStamp+"21.5")
	}
	full := "\x03" + vectorInner + vectorStamp
	for n := 1; n < len(full); n++ {
		bad(fmt.Sprintf("key and stamp cut %d", n), full[:n])
	}
	for _, c := range []struct{ name, plaintext string }{
		{"nothing", "\x80"},
		{"missing", "\x8021.5"},
		{"zeros alone", "\x80\x00\x00\x00"},
		{"without 80", "\x80aaaaaa\x00"},
		{"that ends in something else", "\x80aaaa\x80\x00\x01"},
		{"to 9 where it takes 8", "\x80aaaaaa\x80\x00"},
		{"to 9 where it takes 10", "\x80aaaaaaa\x80"},
		{"to 10 where it takes 8", "\x80aaaaaa\x80\x00\x00"},
		{"to 16 where it takes 6", "\x8021.5\x80" + strings.Repeat("\x00", 10)},
		{"to 255 where it takes 256", "\x80" + strings.Repeat("x", 250) + "\x80\x00\x00\x00"},
		{"to 272 where it takes 256", "\x80" + strings.Repeat("x", 250) + "\x80" + strings.Repeat("\x00", 20)},
		{"within the length of a key", "\x81\x00\x80"},
		{"within a key", "\x81\x00\x02k\x80"},
		{"within a stamp", "\x82" + vectorStamp[:28] + "\x80"},
	} {
		bad("padding, "+c.name, c.plaintext)
	}
}

// vectorBinding returns the parts of a place's binding, made by hand from FORMAT.md section 11.
func vectorBinding(p *Place) []string {
	key, all := "", []byte(nil)
	if p.RecordKey != nil {
		raw, _ := hex.DecodeString(*p.RecordKey)
		key = "k" + string(raw)
	}
	names := slices.Clone(p.Bound)
	slices.Sort(names)
	for _, name := range names {
		one := [][]byte{[]byte(name)}
		for _, h := range p.Headers {
			if raw, _ := hex.DecodeString(h[1]); h[0] == name {
				one = append(one, raw)
			}
		}
		all = derive.AppendParts(all, derive.AppendParts(nil, one...))
	}
	return []string{"message", p.Topic, key, string(all)}
}

// places are where a payload opens, and where it does not.
func (w *vectorWriter) places() {
	key := func(s string) *string { return vectors.Hex([]byte(s)) }
	one := func(name, value string) [2]string { return [2]string{name, hex.EncodeToString([]byte(value))} }
	bound := func(hs ...[2]string) Place {
		return Place{Topic: "orders", RecordKey: key("7"), Bound: []string{"type", "a"}, Headers: hs}
	}
	places := []struct {
		name  string
		place Place
		same  int // as the one with this index, or -1
	}{
		{"no key", Place{Topic: "orders"}, -1},
		{"another topic", Place{Topic: "Orders"}, -1},
		{"a topic with levels", Place{Topic: "plant/7/temperature"}, -1},
		{"a topic beyond ASCII", Place{Topic: "höhe/é"}, -1},
		{"an empty key", Place{Topic: "orders", RecordKey: key("")}, -1},
		{"a key", Place{Topic: "orders", RecordKey: key("7")}, -1},
		{"another key", Place{Topic: "orders", RecordKey: key("k7")}, -1},
		{"a key that is no UTF-8", Place{Topic: "orders", RecordKey: key("\x00\xff")}, -1},
		{"a key where the topic ends in it", Place{Topic: "ordersk7"}, -1},
		{"headers that are not bound", Place{Topic: "orders", RecordKey: key("7"), Headers: [][2]string{one("type", "x")}}, 5},
		{"bound headers, both absent", bound(), -1},
		{"bound headers, one absent", bound(one("type", "x")), -1},
		{"bound headers, the other absent", bound(one("a", "x")), -1},
		{"bound headers, one empty", bound(one("type", "")), -1},
		{"bound headers, both", bound(one("type", "x"), one("a", "y")), -1},
		{"bound headers, both in other order", bound(one("a", "y"), one("type", "x")), 14},
		{"bound headers, named in other order", Place{Topic: "orders", RecordKey: key("7"), Bound: []string{"a", "type"}, Headers: [][2]string{one("a", "y"), one("type", "x")}}, 14},
		{"bound headers, and others", bound(one("b", "z"), one("type", "x"), one("A", "z"), one("a", "y")), 14},
		{"bound headers, values exchanged", bound(one("type", "y"), one("a", "x")), -1},
		{"bound headers, one twice", bound(one("type", "x"), one("a", "y"), one("type", "z")), -1},
		{"bound headers, one twice in other order", bound(one("type", "z"), one("a", "y"), one("type", "x")), -1},
		{"bound headers, one twice alike", bound(one("type", "x"), one("a", "y"), one("type", "x")), -1},
		{"bound headers, one that is no UTF-8", bound(one("type", "\x00\xff")), -1},
		{"bound headers, another name", Place{Topic: "orders", RecordKey: key("7"), Bound: []string{"a", "typf"}}, -1},
		{"one bound header, absent", Place{Topic: "orders", Bound: []string{"type"}}, -1},
	}
	sealed := make([][]byte, len(places))
	for i, p := range places {
		v := at(p.place)
		sealed[i] = w.seal(v, "\x0021.5")
		w.add(v, "place, "+p.name, "ok", sealed[i], []byte("\x0021.5"))
	}
	for i, p := range places {
		for j, other := range places {
			same := i == j || p.same == j || other.same == i || p.same >= 0 && p.same == other.same
			switch {
			case i == j:
			case same:
				w.add(at(p.place), fmt.Sprintf("place, %s, sealed at %s", p.name, other.name), "ok", sealed[j], []byte("\x0021.5"))
			case i == 0 || i == 5 || i == 14: // the others would say little more
				w.add(at(p.place), fmt.Sprintf("place, %s, sealed at %s", p.name, other.name), "open", sealed[j], nil)
			}
		}
	}
	v := at(Place{Topic: "orders"})
	for _, c := range []struct {
		name  string
		parts []string
	}{
		{"three parts", []string{"message", "orders", ""}},
		{"five parts", []string{"message", "orders", "", "", ""}},
		{"another first part", []string{"column", "orders", "", ""}},
	} {
		w.add(v, "place, bound to "+c.name, "open", vectorSeal(vectorKey(1), []byte("\x0021.5"), c.parts), nil)
	}
	v.DataKey = hex.EncodeToString(vectorKey(2))
	w.add(v, "under another key", "unknown_key", sealed[0], nil)
	require.Greater(w.t, len(w.list), 100)
}
