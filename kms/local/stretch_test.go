package local

import (
	"bytes"
	"crypto/fips140"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

const rightPassphrase = "correct horse battery staple"

func passphrase(s string) *Options {
	return &Options{Passphrase: func() ([]byte, error) { return []byte(s), nil }}
}

func TestPassphrase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.json")
	given := []byte(rightPassphrase)
	asked := 0
	f, err := Create(path, &Options{Passphrase: func() ([]byte, error) { asked++; return given, nil }})
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, make([]byte, len(given)), given, "cleared after use")
	w := wrap(t, f, "secret")
	require.NoError(t, f.Rotate(t.Context()))
	require.Equal(t, 1, asked)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(b), `"key":`)

	again, err := Open(path, passphrase(rightPassphrase))
	require.NoError(t, err)
	defer again.Close()
	w.opens(t, again)
	require.NoError(t, again.Rotate(t.Context()))
	wrap(t, again, "third").opens(t, f)

	for _, tc := range []struct {
		name string
		o    *Options
		want error
	}{
		{"wrong", passphrase("wrong"), kms.ErrAccessDenied},
		{"missing", nil, kms.ErrAccessDenied},
		{"empty", passphrase(""), kms.ErrInvalid},
		{"huge", passphrase(string(make([]byte, 4097))), kms.ErrInvalid},
		{"not to be had", &Options{Passphrase: func() ([]byte, error) { return nil, io.ErrUnexpectedEOF }}, io.ErrUnexpectedEOF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, err := Open(path, tc.o)
			require.ErrorIs(t, err, tc.want)
			require.Nil(t, f)
		})
	}

	plain := newTestFile(t)
	_, err = Open(plain.d.path, passphrase(rightPassphrase))
	require.ErrorIs(t, err, kms.ErrInvalid)

	require.NoError(t, f.Destroy(t.Context()))
	for _, o := range []*Options{nil, passphrase(rightPassphrase)} {
		gone, err := Open(path, o)
		require.NoError(t, err, "a tombstone has nothing to protect")
		w.fails(t, gone, kms.ErrDestroyed)
		require.NoError(t, gone.Close())
	}
}

// TestSealedVersionsStayInPlace moves sealed versions between numbers and files under one stretched passphrase.
func TestSealedVersionsStayInPlace(t *testing.T) {
	s := &stretch{KDF: pbkdf2ID, Salt: make([]byte, 16), Iterations: minPBKDFIterations}
	kek, err := s.key(passphrase(rightPassphrase).Passphrase)
	require.NoError(t, err)
	c, other := newContents(s), newContents(s)
	c.rotate(kek)
	c.rotate(kek)
	other.rotate(kek)
	_, err = c.wrappingKey(1, kek)
	require.NoError(t, err)

	swapped := *c
	swapped.Versions = []version{c.Versions[1], c.Versions[0]}
	swapped.Versions[0].Number, swapped.Versions[1].Number = 1, 2
	_, err = swapped.wrappingKey(1, kek)
	require.ErrorIs(t, err, kms.ErrAccessDenied)

	moved := *c
	moved.Versions = other.Versions
	_, err = moved.wrappingKey(1, kek)
	require.ErrorIs(t, err, kms.ErrAccessDenied)
}

func TestStretchDefaults(t *testing.T) {
	s := newStretch()
	require.NoError(t, s.check())
	require.Len(t, s.Salt, 32)
	require.NotEqual(t, s.Salt, newStretch().Salt)
	s.Salt = nil
	if fips140.Enabled() {
		require.Equal(t, &stretch{KDF: "pbkdf2-hmac-sha256", Iterations: 600_000}, s)
	} else {
		require.Equal(t, &stretch{KDF: "argon2id", Time: 3, MemoryKiB: 65536, Threads: 4}, s)
	}
}

func TestStretchBounds(t *testing.T) {
	salt := bytes.Repeat([]byte{1}, 16)
	argon := func(time, memory uint32, threads uint8) *stretch {
		return &stretch{KDF: argon2id, Salt: salt, Time: time, MemoryKiB: memory, Threads: threads}
	}
	pbkdf := func(n uint32) *stretch { return &stretch{KDF: pbkdf2ID, Salt: salt, Iterations: n} }
	for _, s := range []*stretch{argon(1, 8, 1), argon(16, 1<<20, 16), pbkdf(100_000), pbkdf(10_000_000)} {
		require.NoError(t, s.check())
	}
	for name, s := range map[string]*stretch{
		"unknown":            {KDF: "scrypt", Salt: salt, Iterations: 600_000},
		"no passes":          argon(0, 65536, 4),
		"too many passes":    argon(17, 65536, 4),
		"too little memory":  argon(3, 31, 4),
		"too much memory":    argon(3, 1<<20+1, 4),
		"no lanes":           argon(3, 65536, 0),
		"too many lanes":     argon(3, 65536, 17),
		"too few iterations": pbkdf(99_999),
		"too many":           pbkdf(10_000_001),
		"short salt":         {KDF: pbkdf2ID, Salt: salt[:15], Iterations: 600_000},
		"long salt":          {KDF: pbkdf2ID, Salt: make([]byte, 65), Iterations: 600_000},
		"mixed":              {KDF: pbkdf2ID, Salt: salt, Iterations: 600_000, Time: 3},
		"mixed too":          {KDF: argon2id, Salt: salt, Time: 3, MemoryKiB: 65536, Threads: 4, Iterations: 1},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, s.check(), kms.ErrInvalid)
			b := sample(t, func(c *contents) {
				c.Passphrase = s
				for i := range c.Versions {
					c.Versions[i].Key, c.Versions[i].Sealed = nil, make([]byte, 72)
				}
			})
			_, err := parse(b)
			require.ErrorIs(t, err, kms.ErrInvalid)
		})
	}
}

// TestRedaction looks for keys and passphrases in what prints.
func TestRedaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.json")
	o := passphrase("canary passphrase")
	plain := newTestFile(t)
	f, err := Create(path, o)
	require.NoError(t, err)
	defer f.Close()
	_, wrong := Open(path, passphrase("canary wrong"))
	require.Error(t, wrong)
	_, damaged := parse(sample(t, func(c *contents) { c.Versions[1].Key = c.Versions[1].Key[1:] }))
	require.Error(t, damaged)

	b, err := os.ReadFile(plain.d.path)
	require.NoError(t, err)
	c, err := parse(b)
	require.NoError(t, err)
	key := c.Versions[0].Key
	raw, err := c.wrappingKey(1, nil)
	require.NoError(t, err)
	var out bytes.Buffer
	for _, v := range []any{
		plain, *plain, plain.d, plain.Key(), f, f.d, o, *o, wrong, damaged, errors.Join(wrong),
		struct{ F *File }{plain},
		[]*File{plain},
		map[string]*File{"k": plain},
		plain.d.versions,
	} {
		fmt.Fprintf(&out, "%v %+v %#v %s %x %q\n", v, v, v, v, v, v)
	}
	for _, secret := range [][]byte{key, raw.Bytes(), []byte("canary")} {
		for _, form := range []string{"%s", "%x", "%X", "%v", "%q"} {
			text := fmt.Sprintf(form, secret[:6])
			require.NotContains(t, out.String(), text[1:len(text)-1])
		}
	}
}
