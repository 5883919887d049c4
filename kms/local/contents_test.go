package local

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// sample returns the bytes of a key file with two versions.
func sample(t testing.TB, spoil func(*contents)) []byte {
	c := newContents(nil)
	c.rotate(nil)
	c.rotate(nil)
	if spoil != nil {
		spoil(c)
	}
	b, err := c.encode()
	require.NoError(t, err)
	return b
}

func TestParse(t *testing.T) {
	b := sample(t, nil)
	c, err := parse(b)
	require.NoError(t, err)
	again, err := c.encode()
	require.NoError(t, err)
	require.Equal(t, string(b), string(again))

	var dense bytes.Buffer
	require.NoError(t, json.Compact(&dense, b))
	_, err = parse(dense.Bytes())
	require.NoError(t, err, "white space is free")
}

func TestParseTruncated(t *testing.T) {
	b := sample(t, nil)
	for n := range len(b) - 1 { // the last is a newline
		c, err := parse(b[:n])
		require.ErrorIs(t, err, kms.ErrInvalid, "first %d bytes", n)
		require.Nil(t, c)
	}
}

// TestParseFlipped shows that a damaged file may fail to open, but never opens with another key.
func TestParseFlipped(t *testing.T) {
	b := sample(t, nil)
	c, err := parse(b)
	require.NoError(t, err)
	want, err := c.wrappingKey(1, nil)
	require.NoError(t, err)
	opened := 0
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			c, err := parse(b)
			if err == nil {
				got, err := c.wrappingKey(1, nil)
				if err == nil {
					require.True(t, want.Equal(got), "bit %d of byte %d", bit, i)
					opened++
				}
			}
			b[i] ^= 1 << bit
		}
	}
	require.Less(t, opened, len(b)*8/5, "most damage is noticed")
}

func TestParseRefuses(t *testing.T) {
	text := string(sample(t, nil))
	replace := func(old, new string) string {
		require.Contains(t, text, old)
		return strings.Replace(text, old, new, 1)
	}
	spoilt := func(spoil func(*contents)) string { return string(sample(t, spoil)) }
	for _, tc := range []struct{ name, in string }{
		{"nothing", ""},
		{"no object", "[]"},
		{"null", "null"},
		{"trailing data", text + "{}"},
		{"another format", replace(formatName, "another key file")},
		{"format version 0", replace(`"format_version": 1`, `"format_version": 0`)},
		{"newer", replace(`"format_version": 1`, `"format_version": 2`)},
		{"unknown field", replace(`"state"`, `"extra": 1, "state"`)},
		{"unknown field in a version", replace(`"number"`, `"extra": 1, "number"`)},
		{"repeated field", replace(`"state"`, `"state": "disabled", "state"`)},
		{"other case", replace(`"state"`, `"State"`)},
		{"unknown state", replace(`"enabled"`, `"paused"`)},
		{"short key id", spoilt(func(c *contents) { c.KeyID = c.KeyID[2:] })},
		{"upper-case key id", spoilt(func(c *contents) { c.KeyID = strings.Repeat("AB", 16) })},
		{"no versions", spoilt(func(c *contents) { c.Versions, c.Current = nil, 0 })},
		{"version missing", spoilt(func(c *contents) { c.Versions = c.Versions[1:] })},
		{"version repeated", spoilt(func(c *contents) { c.Versions[1].Number = 1 })},
		{"current is not the last", spoilt(func(c *contents) { c.Current = 1 })},
		{"short key", spoilt(func(c *contents) { c.Versions[0].Key = c.Versions[0].Key[1:] })},
		{"no key", spoilt(func(c *contents) { c.Versions[0].Key = nil })},
		{"sealed without passphrase", spoilt(func(c *contents) { c.Versions[0].Sealed = make([]byte, 72) })},
		{"plain with passphrase", spoilt(func(c *contents) { c.Passphrase = newStretch() })},
		{"bad id", spoilt(func(c *contents) { c.Versions[0].ID = "x" })},
		{"local time", spoilt(func(c *contents) { c.Versions[0].Created = now().In(time.FixedZone("", 3600)) })},
		{"destroyed with keys", spoilt(func(c *contents) { c.State, c.DestroyedAt = destroyed, now() })},
		{"destroyed at no time", spoilt(func(c *contents) { c.destroy(); c.DestroyedAt = time.Time{} })},
		{"enabled yet destroyed at", spoilt(func(c *contents) { c.DestroyedAt = now() })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := parse([]byte(tc.in))
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Nil(t, c)
		})
	}
	_, err := parse([]byte(replace(`"format_version": 1`, `"format_version": 2, "new_field": 1`)))
	require.ErrorContains(t, err, "upgrade", "a newer file is told apart before its fields are read")
}

func TestForeignKeyInPlace(t *testing.T) {
	b := sample(t, func(c *contents) { c.Versions[0].Key, c.Versions[1].Key = c.Versions[1].Key, c.Versions[0].Key })
	path := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	f, err := Open(path, nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Nil(t, f)
}

func TestTooManyVersions(t *testing.T) {
	c := newContents(nil)
	c.rotate(nil)
	for len(c.Versions) < 10_000 {
		v := c.Versions[0]
		v.Number = uint32(len(c.Versions)) + 1
		c.Versions = append(c.Versions, v)
	}
	_, err := c.encode()
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// edit returns the file of f with a change.
func edit(t *testing.T, f *File, change func(*contents)) []byte {
	t.Helper()
	c, err := readFile(f.d.path)
	require.NoError(t, err)
	change(c)
	b, err := c.encode()
	require.NoError(t, err)
	return b
}

// TestFileReplaced covers files that are no successor of the one in use.
func TestFileReplaced(t *testing.T) {
	for name, replace := range map[string]func(t *testing.T, f *File, backup []byte) []byte{
		"by an older copy": func(_ *testing.T, _ *File, backup []byte) []byte { return backup },
		"by another key":   func(t *testing.T, _ *File, _ []byte) []byte { return sample(t, nil) },
		"by another history": func(t *testing.T, _ *File, backup []byte) []byte {
			c, err := parse(backup)
			require.NoError(t, err)
			c.rotate(nil)
			b, err := c.encode()
			require.NoError(t, err)
			return b
		},
		"by another name": func(t *testing.T, f *File, _ []byte) []byte {
			return edit(t, f, func(c *contents) { c.KeyID = newContents(nil).KeyID })
		},
		"by one with a passphrase": func(t *testing.T, f *File, _ []byte) []byte {
			return edit(t, f, func(c *contents) {
				c.Passphrase = newStretch()
				for i := range c.Versions {
					c.Versions[i].Key, c.Versions[i].Sealed = nil, make([]byte, 72)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newTestFile(t)
			backup, err := os.ReadFile(f.d.path)
			require.NoError(t, err)
			require.NoError(t, f.Rotate(t.Context()))
			w := wrap(t, f, "secret")
			replaced := replace(t, f, backup)
			require.NoError(t, os.WriteFile(f.d.path, replaced, 0o600))
			for _, err := range []error{f.Rotate(t.Context()), f.Disable(t.Context()), f.Destroy(t.Context())} {
				require.ErrorIs(t, err, kms.ErrInvalid)
			}
			left, err := os.ReadFile(f.d.path)
			require.NoError(t, err)
			require.Equal(t, string(replaced), string(left), "nothing was written")
			w.opens(t, f)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample(f, nil))
	f.Add(sample(f, func(c *contents) { c.destroy() }))
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, path := range files {
		b, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parse(b)
		if err != nil {
			require.ErrorIs(t, err, kms.ErrInvalid)
			return
		}
		again, err := c.encode()
		require.NoError(t, err)
		back, err := parse(again)
		require.NoError(t, err)
		third, err := back.encode()
		require.NoError(t, err)
		require.Equal(t, again, third)
	})
}
