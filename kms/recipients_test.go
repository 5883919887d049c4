package kms

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func wrappedBy(provider, keyID, version, blob string) Wrapped {
	return Wrapped{Ref: Ref{Provider: provider, KeyID: keyID}, Version: version, Blob: []byte(blob)}
}

// listed is a list of recipients by the page: a count, and what stands between the lengths.
func listed(count int, recipients ...string) Wrapped {
	b := []byte{byte(count)}
	for _, one := range recipients {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(one))), one...)
	}
	return Wrapped{Ref: Ref{Provider: "any"}, Blob: b}
}

const (
	recipientA = "\x01a\x00\x01k\x02v1\x00\x02*+" // a:k, version v1
	recipientB = "\x01b\x00\x00\x00\x00\x01-"     // b:, no version
)

func TestRecipients(t *testing.T) {
	want := []Wrapped{wrappedBy("a", "k", "v1", "*+"), wrappedBy("b", "", "", "-")}
	w, err := wrapAny(want)
	require.NoError(t, err)
	require.Equal(t, listed(2, recipientA, recipientB), w)
	got, err := w.Recipients()
	require.NoError(t, err)
	require.Equal(t, want, got)
	clear(w.Blob)
	require.Equal(t, want, got, "what was parsed is a copy")

	// All others stand for themselves, whatever is in them.
	for _, w := range []Wrapped{want[0], wrappedBy("Any", "", "", "\x00"), wrappedBy("any ", "", "", "\x00"), {}} {
		got, err := w.Recipients()
		require.NoError(t, err)
		require.Equal(t, []Wrapped{w}, got)
	}
}

// TestRecipientsOrder has keys that a careless comparison takes for one.
func TestRecipientsOrder(t *testing.T) {
	want := []Wrapped{
		wrappedBy("p", ":k", "", "1"), wrappedBy("p:", "k", "", "1"), wrappedBy("p", "k", "", "1"), wrappedBy("P", "k", "", "1"),
		wrappedBy("ANY", "", "", "1"), wrappedBy("\xff", "k", "", "1"), wrappedBy("\xfe", "k", "", "1"), wrappedBy("p", "", "", "1"),
	}
	w, err := wrapAny(want)
	require.NoError(t, err)
	got, err := w.Recipients()
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestRecipientsRefuses(t *testing.T) {
	var many []string
	for i := range 17 {
		many = append(many, strings.Replace(recipientA, "k", string(rune('A'+i)), 1))
	}
	good := listed(2, recipientA, recipientB)
	spoilt := func(change func(*Wrapped)) Wrapped {
		w := good
		w.Blob = bytes.Clone(good.Blob)
		change(&w)
		return w
	}
	_, err := listed(16, many[:16]...).Recipients()
	require.NoError(t, err)
	for name, w := range map[string]Wrapped{
		"no blob":                  {Ref: Ref{Provider: "any"}},
		"blob too long":            listed(2, strings.Replace(recipientA, "\x00\x02*+", "\xff\xf0"+strings.Repeat("*", 0xFFF0), 1), recipientB),
		"none":                     listed(0),
		"none announced":           listed(0, recipientA),
		"17":                       listed(17, many...),
		"17 announced":             listed(17, many[:16]...),
		"255 announced":            listed(255, many...),
		"16 announced of 17":       listed(16, many...),
		"one more":                 listed(1, recipientA, recipientB),
		"one less":                 listed(3, recipientA, recipientB),
		"byte at the end":          spoilt(func(w *Wrapped) { w.Blob = append(w.Blob, 0) }),
		"key id":                   spoilt(func(w *Wrapped) { w.KeyID = "k" }),
		"version":                  spoilt(func(w *Wrapped) { w.Version = "1" }),
		"length short by one":      spoilt(func(w *Wrapped) { w.Blob[2]-- }),
		"length long by one":       spoilt(func(w *Wrapped) { w.Blob[2]++ }),
		"length far too long":      spoilt(func(w *Wrapped) { w.Blob[1] = 0xFF }),
		"last length short by one": spoilt(func(w *Wrapped) { w.Blob[4+len(recipientA)]-- }),
		"last length long by one":  spoilt(func(w *Wrapped) { w.Blob[4+len(recipientA)]++ }),
		"empty recipient":          listed(2, recipientA, ""),
		"byte after a recipient":   listed(2, recipientA+"\x00", recipientB),
		"byte after the last":      listed(2, recipientA, recipientB+"\x00"),
		"two in one":               listed(1, recipientA+recipientB),
		"no provider":              listed(1, "\x00\x00\x01k\x00\x00\x01*"),
		"no blob in one":           listed(1, "\x01a\x00\x01k\x00\x00\x00"),
		"nested":                   listed(1, "\x03any\x00\x00\x00\x00"+string(rune(2+len(recipientA)+1))+string(listed(1, recipientA).Blob)),
		"nested with a key id":     listed(2, recipientA, "\x03any\x00\x01k\x00\x00\x01*"),
		"twice":                    listed(2, recipientA, recipientA),
		"twice, other version":     listed(3, recipientA, recipientB, strings.Replace(recipientA, "v1", "v2", 1)),
	} {
		list, err := w.Recipients()
		require.ErrorIs(t, err, ErrInvalid, name)
		require.Nil(t, list, name)
		var typed *Error
		require.ErrorAs(t, err, &typed, name)
	}
	for n := range good.Blob {
		w := good
		w.Blob = good.Blob[:n]
		_, err := w.Recipients()
		require.ErrorIs(t, err, ErrInvalid, "first %d bytes", n)
	}
}

func TestWrapAnyLimits(t *testing.T) {
	const frame = 1 + 2 + (1 + 1) + (2 + 1) + 1 + 2 // count, length, provider a, key id k, no version, blob length
	largest := wrappedBy("a", "k", "", strings.Repeat("*", math.MaxUint16-frame))
	w, err := wrapAny([]Wrapped{largest})
	require.NoError(t, err)
	require.Len(t, w.Blob, math.MaxUint16)
	got, err := w.Recipients()
	require.NoError(t, err)
	require.Equal(t, []Wrapped{largest}, got)

	larger := largest
	larger.Blob = append(bytes.Clone(largest.Blob), '*')
	half := strings.Repeat("*", math.MaxUint16/2)
	for name, list := range map[string][]Wrapped{
		"none":             nil,
		"17":               slices.Repeat([]Wrapped{largest}, 17),
		"one byte more":    {larger},
		"two halves":       {wrappedBy("a", "k", "", half), wrappedBy("b", "k", "", half)},
		"over 16 bits":     {wrappedBy("a", strings.Repeat("k", math.MaxUint16), "", half)},
		"nested":           {w},
		"twice":            {wrappedBy("a", "k", "1", "*"), wrappedBy("a", "k", "2", "+")},
		"no provider":      {wrappedBy("", "k", "", "*")},
		"no blob":          {wrappedBy("a", "k", "", "")},
		"blob too long":    {wrappedBy("a", "k", "", strings.Repeat("*", math.MaxUint16+1))},
		"version too long": {wrappedBy("a", "k", strings.Repeat("v", math.MaxUint8+1), "*")},
	} {
		w, err := wrapAny(list)
		require.ErrorIs(t, err, ErrInvalid, name)
		require.Zero(t, w, name)
		require.NotContains(t, err.Error(), "kms:", name)
	}
	_, err = wrapAny([]Wrapped{larger})
	require.ErrorContains(t, err, "65536 bytes") // what the caller would need
}

// TestRecipientsModel wraps lists that often break a rule, and holds them to the page.
func TestRecipientsModel(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) Wrapped {
		w := wrappedBy(
			rapid.SampledFrom([]string{"a", "b", "cc", "local", "Any"}).Draw(t, "provider"),
			rapid.SampledFrom([]string{"", "k", "l", "0123456789", ":k", "\xff"}).Draw(t, "key id"),
			rapid.SampledFrom([]string{"", "1", "v2"}).Draw(t, "version"), "")
		if rapid.IntRange(0, 99).Draw(t, "nested") == 0 {
			w.Provider = "any"
		}
		w.Blob = bytes.Repeat([]byte{'*'}, rapid.SampledFrom([]int{1, 2, 72, 300, 300, 5000, 30000}).Draw(t, "blob"))
		return w
	})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(one, 0, 18).Draw(t, "list")
		good := len(list) >= 1 && len(list) <= 16
		refs := map[Ref]bool{}
		blob := []byte{byte(len(list))}
		for _, w := range list {
			good = good && w.Provider != "any" && !refs[w.Ref]
			refs[w.Ref] = true
			b, err := w.AppendBinary(nil)
			require.NoError(t, err)
			blob = append(append(blob, byte(len(b)>>8), byte(len(b))), b...)
		}
		good = good && len(blob) <= 65535
		w, err := wrapAny(list)
		if !good {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		require.NoError(t, err)
		require.Equal(t, Wrapped{Ref: Ref{Provider: "any"}, Blob: blob}, w)
		got, err := w.Recipients()
		require.NoError(t, err)
		require.Equal(t, list, got)
	})
}

func FuzzRecipients(f *testing.F) {
	f.Add(listed(1, recipientA).Blob)
	f.Add(listed(2, recipientA, recipientB).Blob)
	f.Add(listed(2, recipientA, recipientA).Blob)
	f.Add(listed(1, "\x03any\x00\x00\x00\x00\x01*").Blob)
	f.Add(listed(16, recipientA).Blob)
	f.Add(listed(0, recipientA).Blob)
	f.Add([]byte("\x10\xff\xff\x01a"))
	f.Fuzz(func(t *testing.T, blob []byte) {
		given := bytes.Clone(blob)
		list, err := Wrapped{Ref: Ref{Provider: "any"}, Blob: blob}.Recipients()
		require.True(t, bytes.Equal(given, blob), "the input was changed")
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			require.Nil(t, list)
			return
		}
		size := 0
		for _, w := range list {
			size += len(w.Provider) + len(w.KeyID) + len(w.Version) + len(w.Blob)
		}
		require.LessOrEqual(t, len(list), 16)
		require.Less(t, size, len(blob))
		again, err := wrapAny(list)
		require.NoError(t, err)
		require.True(t, bytes.Equal(blob, again.Blob), "%x is written again as %x", blob, again.Blob)
	})
}
