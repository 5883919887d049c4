package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// flags are those of a good call, and more, of which the last counts.
func (l *signLab) flags(more ...string) []string {
	return append([]string{"-key", l.key, "-version", "7", "-policy", "mozilla-modern-6.0", "-expires", "1h", "-o", l.out}, more...)
}

// read returns a file, and what it says if it is a policy file.
func (l *signLab) read(t *testing.T) ([]byte, tlsconfig.PolicyDocument) {
	text, err := os.ReadFile(l.out)
	require.NoError(t, err)
	d, _ := tlsconfig.ParseSignedPolicy(text, l.public)
	return text, d
}

// TestSignKeepsWhatIsThere: nothing is written over that is not a policy file, least of all the private key.
func TestSignKeepsWhatIsThere(t *testing.T) {
	for name, content := range map[string]string{
		"empty":             "",
		"text":              "notes\n",
		"JSON":              `{"format": "something else", "signed": "e30="}`,
		"a policy":          `{"name": "x", "base": "recommended-2026"}`,
		"half of a file":    `{"format": "holdfast tls policy 1", "signed": "e30`,
		"nothing signed":    `{"format": "holdfast tls policy 1", "signed": ""}`,
		"other names":       `{"FORMAT": "holdfast tls policy 1", "key": "", "SIGNED": "eyJ2ZXJzaW9uIjogMX0=", "signature": ""}`,
		"more in it":        `{"format": "holdfast tls policy 1", "key": "", "signed": "eyJ2ZXJzaW9uIjogMX0=", "signature": "", "notes": "years of work"}`,
		"no version":        `{"format": "holdfast tls policy 1", "key": "", "signed": "e30=", "signature": ""}`,
		"no base64 in it":   `{"format": "holdfast tls policy 1", "signed": "!"}`,
		"a private key":     "key",
		"too large to read": strings.Repeat(" ", maxSignInput+1),
	} {
		t.Run(name, func(t *testing.T) {
			l := newSignLab(t)
			if content == "key" {
				l.out = l.key
			} else {
				l.write(t, l.out, []byte(content))
			}
			was, _ := l.read(t)
			code, out, errs := run(l.flags()...)
			require.Equal(t, 1, code)
			require.Empty(t, out)
			require.NotContains(t, errs, "notes")
			is, _ := l.read(t)
			require.True(t, bytes.Equal(was, is))
			require.NoFileExists(t, l.out+".new")
		})
	}
}

// TestSignKeepsLinks: a link is neither followed nor replaced, wherever it leads.
func TestSignKeepsLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	l := newSignLab(t)
	code, _, errs := run(l.flags("-version", "1")...)
	require.Zero(t, code, errs)
	link := filepath.Join(l.dir, "link")
	require.NoError(t, os.Symlink(l.out, link))
	code, _, _ = run(l.flags("-o", link)...)
	require.Equal(t, 1, code)
	_, d := l.read(t)
	require.EqualValues(t, 1, d.Version)
	_, err := os.Readlink(link)
	require.NoError(t, err)
	code, _, _ = run(l.flags("-o", l.dir)...)
	require.Equal(t, 1, code)
}

// TestSignGoesForward: also over a file that another key has signed, as while keys change.
func TestSignGoesForward(t *testing.T) {
	l, next := newSignLab(t), newSignLab(t)
	code, _, errs := run(l.flags()...)
	require.Zero(t, code, errs)
	next.out = l.out
	for _, version := range []string{"1", "6", "7"} {
		for _, lab := range []*signLab{l, next} {
			code, _, errs = run(lab.flags("-version", version)...)
			require.Equal(t, 1, code)
			require.Contains(t, errs, "has version 7")
		}
	}
	code, _, errs = run(next.flags("-version", "8")...)
	require.Zero(t, code, errs)
	_, d := next.read(t)
	require.EqualValues(t, 8, d.Version)
}

// TestSignKeepsThePolicy: to report one policy does not end another without a word.
func TestSignKeepsThePolicy(t *testing.T) {
	l := newSignLab(t)
	report := func(version string, more ...string) (int, string, string) {
		return run(append([]string{"-key", l.key, "-version", version, "-report", "pq-required-2026", "-expires", "1h", "-o", l.out}, more...)...)
	}
	code, out, errs := report("1") // there was none
	require.Zero(t, code, errs)
	require.Contains(t, out, "policy       none")
	code, _, errs = run(l.flags()...)
	require.Zero(t, code, errs)
	code, out, errs = report("8")
	require.Equal(t, 1, code)
	require.Empty(t, out)
	require.Contains(t, errs, "-policy")
	_, d := l.read(t)
	require.EqualValues(t, 7, d.Version)
	code, out, errs = report("8", "-policy", "mozilla-modern-6.0")
	require.Zero(t, code, errs)
	require.NotContains(t, out, "none")
}

// TestSignVersion: digits are decimal, whatever they begin with.
func TestSignVersion(t *testing.T) {
	l := newSignLab(t)
	code, _, errs := run(l.flags("-version", "010")...)
	require.Zero(t, code, errs)
	_, d := l.read(t)
	require.EqualValues(t, 10, d.Version)
	for _, version := range []string{"0x20", "0b11", "0o17", "1_000", "-1", "+11", "", "11.0", "18446744073709551616"} {
		code, _, errs = run(l.flags("-version", version)...)
		require.Equal(t, 2, code, "%q: %s", version, errs)
	}
	code, _, _ = run(l.flags("-version", "9007199254740992")...) // 2^53
	require.Equal(t, 1, code)
	require.NoFileExists(t, l.out+".new")
}

// TestSignAtOnce: of several who write one version, one does, and nobody sees half of it.
func TestSignAtOnce(t *testing.T) {
	l := newSignLab(t)
	var signers sync.WaitGroup
	var signed atomic.Int64
	for range 8 {
		signers.Go(func() {
			if code, _, _ := run(l.flags()...); code == 0 {
				signed.Add(1)
			}
		})
	}
	signers.Wait()
	require.EqualValues(t, 1, signed.Load())
	_, d := l.read(t)
	require.EqualValues(t, 7, d.Version)
	require.NoFileExists(t, l.out+".new")

	done, err := openOutput(l.out)
	require.NoError(t, err)
	was, _ := l.read(t)
	require.NoError(t, done.write(was))
	l.write(t, l.out+".new", []byte("of another who writes"))
	done.close()
	code, _, errs := run(l.flags("-version", "8")...)
	require.Equal(t, 1, code)
	require.Contains(t, errs, ".new")
	require.FileExists(t, l.out+".new")
}
