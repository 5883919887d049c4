package storetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

func oddKeys(t testing.TB, h Harness) {
	long := strings.Repeat("k", envelope.MaxRowKey)
	keys := []string{
		long, long[1:], long[1:] + "l", strings.Repeat("\xff", envelope.MaxRowKey), strings.Repeat("\x00", envelope.MaxRowKey),
		"\x00", "\x00\x00", "a\x00", "a\x00b", "a", "\x01", "\x7f", "\x80", "\xff", "\xc3\x28", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"'", "''", "\"", "`", "\\", "\\x61", "\\'", "';--", "$1", "?", "%s", ":key", "NULL", "null", "\n", "\r\n", "\t",
		"caf\u00e9", "cafe\u0301", "Cafe", "cafe", "CAFE", "\u212b", "\u00c5", "A\u030a", "\ufb01", "fi", "I", "i", "\u0131", "\u0130",
		" ", "  ", "a ", " a", "a\u00a0", "a\u200b", "\ufeffa", "\u202ea", "0", "00", "0.0", "1e3", "1000", "-0",
		"\U0001f511", "\U0001f511\ufe0f", "\U0001f469\u200d\U0001f4bb", "../../etc", "/", "//", ".",
	}
	rows := map[string]envelope.Row{}
	for _, key := range keys {
		rows[key] = put(t, h.Store, key, "value of "+key)
	}
	for _, key := range keys {
		apply(t, h.Store, changed(rows[key], "new value of "+key))
	}
	for _, key := range keys {
		holds(t, h.Store, key, "new value of "+key)
	}
	listed := pages(t, h.Store, "", 10, func(string) {})
	require.ElementsMatch(t, keys, listed)
}

func oddValues(t testing.TB, h Harness) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for key, value := range map[string]string{
		"largest":       strings.Repeat("\xa5\x00\xff\x5a", envelope.MaxRowValue/4),
		"largest zeros": string(make([]byte, envelope.MaxRowValue)),
		"every byte":    string(every),
		"NUL":           "\x00",
		"ends in NUL":   "a\x00",
		"begins in NUL": "\x00a",
		"not UTF-8":     "\xff\xfe\xc3\x28",
		"hex":           "\\x6162",
		"quotes":        `'"` + "`",
		"line end":      "\r\n",
		"space":         " a ",
		"number":        "1",
	} {
		t.Log(key)
		r := put(t, h.Store, key, value)
		apply(t, h.Store, changed(r, "short"))
		r = holds(t, h.Store, key, "short")
		apply(t, h.Store, changed(r, value))
		holds(t, h.Store, key, value)
	}
	for key, value := range map[string][]byte{"nil": nil, "empty": {}} {
		apply(t, h.Store, envelope.Change{Row: envelope.Row{Key: key, Value: value}})
		r := holds(t, h.Store, key, "")
		r.Value = value
		apply(t, h.Store, envelope.Change{Row: r})
		conflicts(t, h.Store, changed(r, "late"))
		holds(t, h.Store, key, "")
	}
}
