package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/boltstore"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/kms/local"
)

func TestSealAndOpen(t *testing.T) {
	d := newDesk(t)
	sealed, note := d.run(done, plaintext+"\n", d.args("seal", nil, "-init")...)
	require.Regexp(t, `^enc:v1:[A-Za-z0-9_-]+\n$`, sealed)
	require.Contains(t, note, `"config"`)
	for in, want := range map[string]string{
		plaintext: plaintext, plaintext + "\n": plaintext, plaintext + "\r\n": plaintext, plaintext + "\n\n": plaintext + "\n",
		" hunter2 ": " hunter2 ", "a\nb\n": "a\nb", "\x00\xffhunter2\r": "\x00\xffhunter2\r",
	} {
		sealed, note := d.run(done, in, d.args("seal", nil)...)
		require.Empty(t, note)
		opened, _ := d.run(done, sealed, d.args("open", nil)...)
		require.Equal(t, want, opened)
	}
	d.requireNoSecret()

	// The service resolves it.
	f, err := local.Open(filepath.Join(d.dir, "key.json"), nil)
	require.NoError(t, err)
	defer f.Close()
	store, err := boltstore.Open(d.flags["store"], nil)
	require.NoError(t, err)
	defer store.Close()
	ring, err := envelope.NewKeyring("acme-prod", store, envelope.SingleRoot(f.Key()), nil)
	require.NoError(t, err)
	defer ring.Close()
	var cfg struct {
		Primary struct {
			DSN secret.Text `secret:"db"`
		} `secret:"primary"`
	}
	cfg.Primary.DSN = secret.NewText(sealed)
	require.NoError(t, secret.Resolve(t.Context(), ring.Tenant("config"), &cfg))
	require.Equal(t, plaintext, cfg.Primary.DSN.Reveal())

	// Which has the store to itself.
	_, said := d.run(failed, sealed, d.args("open", nil)...)
	require.Contains(t, said, "service")
}

func TestSealRefuses(t *testing.T) {
	d := newDesk(t)
	for name, c := range map[string]struct {
		stdin  string
		change map[string]string
		more   []string
	}{
		"no store":          {stdin: plaintext},
		"nothing":           {more: []string{"-init"}},
		"an empty line":     {stdin: "\n", more: []string{"-init"}},
		"too much":          {stdin: strings.Repeat("hunter2", 20_000), more: []string{"-init"}},
		"no such scheme":    {stdin: plaintext, change: map[string]string{"key": "vault:///x"}, more: []string{"-init"}},
		"key in a query":    {stdin: plaintext, change: map[string]string{"key": d.flags["key"] + "?hunter2"}, more: []string{"-init"}},
		"no folder of key":  {stdin: plaintext, change: map[string]string{"key": uri("local", filepath.Join(d.dir, "no", "key"))}, more: []string{"-init"}},
		"no passphrase":     {stdin: plaintext, more: []string{"-init", "-passphrase-file", filepath.Join(d.dir, "none")}},
		"passphrase of AWS": {stdin: plaintext, change: map[string]string{"key": "awskms:///alias/a"}, more: []string{"-init", "-passphrase-file", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := d.in(t)
			d.run(failed, c.stdin, d.args("seal", c.change, c.more...)...)
			require.NotContains(t, d.files(), "key.json")
			require.NotContains(t, d.files(), "keys.db")
		})
	}
	sealed := d.seal()
	key, err := os.ReadFile(filepath.Join(d.dir, "key.json"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		stdin  string
		change map[string]string
		more   []string
	}{
		"the store exists":      {stdin: plaintext, more: []string{"-init"}},
		"sealed already":        {stdin: sealed},
		"printed":               {stdin: "[secret]\n"},
		"another store":         {stdin: plaintext, change: map[string]string{"store": d.flags["store"] + "2"}},
		"another key":           {stdin: plaintext, change: map[string]string{"key": d.flags["key"] + "2"}},
		"another deployment":    {stdin: plaintext, change: map[string]string{"deployment": "acme-test"}},
		"no place":              {stdin: plaintext, change: map[string]string{"place": "My DB"}},
		"a folder as the store": {stdin: plaintext, change: map[string]string{"store": d.dir}},
	} {
		t.Run(name, func(t *testing.T) {
			d := d.in(t)
			before := d.files()
			d.run(failed, c.stdin, d.args("seal", c.change, c.more...)...)
			require.Equal(t, before, d.files())
		})
	}
	same, err := os.ReadFile(filepath.Join(d.dir, "key.json"))
	require.NoError(t, err)
	require.Equal(t, key, same)

	// -init keeps a key file that is there, for a store that is not.
	other := map[string]string{"store": d.flags["store"] + "2"}
	sealed, _ = d.run(done, plaintext, d.args("seal", other, "-init")...)
	d.run(done, sealed, d.args("open", other)...)
	d.requireNoSecret()
}

func TestOpenRefuses(t *testing.T) {
	d := newDesk(t)
	sealed := d.seal()
	for name, c := range map[string]struct {
		stdin  string
		change map[string]string
	}{
		"another place":      {sealed, map[string]string{"place": "primary/smtp"}},
		"another tenant":     {sealed, map[string]string{"tenant": "other"}},
		"another deployment": {sealed, map[string]string{"deployment": "acme-test"}},
		"another store":      {sealed, map[string]string{"store": d.flags["store"] + "2"}},
		"another key":        {sealed, map[string]string{"key": d.flags["key"] + "2"}},
		"plaintext":          {plaintext, nil},
		"nothing":            {"", nil},
		"changed":            {sealed[:60] + "AAAA" + sealed[64:], nil},
		"cut":                {sealed[:60], nil},
		"two":                {sealed + sealed, nil},
		"too much":           {strings.Repeat(sealed, 2000), nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := d.in(t)
			before := d.files()
			d.run(failed, c.stdin, d.args("open", c.change)...)
			require.Equal(t, before, d.files(), "open makes nothing")
		})
	}
	opened, _ := d.run(done, "\n "+sealed, d.args("open", nil)...)
	require.Equal(t, plaintext, opened)
	store, err := boltstore.Open(d.flags["store"], nil)
	require.NoError(t, err)
	defer store.Close()
	rows, err := store.List(t.Context(), "tenant/other", "", 10)
	require.NoError(t, err)
	require.Empty(t, rows, "open makes no key")
}
