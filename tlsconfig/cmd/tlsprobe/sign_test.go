package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// signLab is a directory with a pair of keys.
type signLab struct {
	dir, key, pub, out string
	public             ed25519.PublicKey
}

func newSignLab(t *testing.T) *signLab {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	l := &signLab{dir: t.TempDir(), public: public}
	l.key, l.pub, l.out = filepath.Join(l.dir, "key.pem"), filepath.Join(l.dir, "public.pem"), filepath.Join(l.dir, "policy.signed")
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	l.write(t, l.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	der, err = x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	l.write(t, l.pub, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return l
}

func (l *signLab) write(t *testing.T, path string, content []byte) {
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

// run calls sign.
func run(args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = sign(args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// TestSign: what is signed is what tlsconfig reads, and what is shown.
func TestSign(t *testing.T) {
	l := newSignLab(t)
	own := filepath.Join(l.dir, "own.json")
	l.write(t, own, []byte(`{"name": "acme", "base": "mozilla-modern-6.0", "certificate_days": 47}`))
	code, out, errs := run("-key", l.key, "-version", "3", "-policy", own, "-report", "pq-required-2026", "-expires", "336h", "-o", l.out)
	require.Zero(t, code, errs)
	require.Empty(t, errs)
	require.Contains(t, out, "acme")
	require.Contains(t, out, "pq-required-2026")
	file, err := os.ReadFile(l.out)
	require.NoError(t, err)
	d, err := tlsconfig.ParseSignedPolicy(file, l.public)
	require.NoError(t, err)
	require.EqualValues(t, 3, d.Version)
	require.Equal(t, "acme", d.Policy.Name())
	require.Equal(t, tlsconfig.PostQuantumRequired(), *d.ReportOnly)
	require.Equal(t, 336*time.Hour, d.Expires.Sub(d.NotBefore))
	if runtime.GOOS != "windows" {
		info, err := os.Stat(l.out)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o644), info.Mode().Perm())
	}
	left, err := filepath.Glob(l.out + ".*")
	require.NoError(t, err)
	require.Empty(t, left)

	code, shown, errs := run("-check", l.out, "-public", l.pub)
	require.Zero(t, code, errs)
	require.Contains(t, shown, "acme")

	for _, version := range []string{"2", "3"} { // it never goes back
		code, _, errs = run("-key", l.key, "-version", version, "-policy", own, "-expires", "336h", "-o", l.out)
		require.Equal(t, 1, code)
		require.Contains(t, errs, "has version 3")
	}
	same, err := os.ReadFile(l.out)
	require.NoError(t, err)
	require.Equal(t, file, same)
	code, _, errs = run("-key", l.key, "-version", "4", "-policy", "recommended-2026", "-not-before", "2099-01-01T00:00:00Z", "-expires", "2099-02-01T00:00:00Z", "-o", l.out)
	require.Zero(t, code, errs)
	code, shown, errs = run("-check", l.out, "-public", l.pub)
	require.Equal(t, 1, code)
	require.Contains(t, shown, "2099-01-01T00:00:00Z")
	require.Contains(t, errs, "has not come")
}

// TestSignRefuses: nothing is written where something is wrong.
func TestSignRefuses(t *testing.T) {
	l := newSignLab(t)
	l.write(t, filepath.Join(l.dir, "bad.json"), []byte(`{"name": "x", "min_version": "1.1"}`))
	other := newSignLab(t)
	for name, c := range map[string]struct {
		code int
		args []string
	}{
		"nothing":              {2, nil},
		"unknown flag":         {2, []string{"-mode", "report"}},
		"no policy":            {2, []string{"-key", l.key, "-version", "1", "-expires", "1h", "-o", l.out}},
		"no expiry":            {2, []string{"-key", l.key, "-version", "1", "-policy", "mozilla-modern-6.0", "-o", l.out}},
		"no version":           {2, []string{"-key", l.key, "-policy", "mozilla-modern-6.0", "-expires", "1h", "-o", l.out}},
		"both":                 {2, []string{"-key", l.key, "-version", "1", "-policy", "mozilla-modern-6.0", "-expires", "1h", "-o", l.out, "-check", l.out, "-public", l.pub}},
		"an argument":          {2, []string{"-check", l.out, "-public", l.pub, "x"}},
		"no such profile":      {1, []string{"-key", l.key, "-version", "1", "-policy", "modern", "-expires", "1h", "-o", l.out}},
		"a bad policy":         {1, []string{"-key", l.key, "-version", "1", "-policy", filepath.Join(l.dir, "bad.json"), "-expires", "1h", "-o", l.out}},
		"a public key to sign": {1, []string{"-key", l.pub, "-version", "1", "-policy", "mozilla-modern-6.0", "-expires", "1h", "-o", l.out}},
		"over already":         {1, []string{"-key", l.key, "-version", "1", "-policy", "mozilla-modern-6.0", "-expires", "2020-01-01T00:00:00Z", "-o", l.out}},
		"no time":              {1, []string{"-key", l.key, "-version", "1", "-policy", "mozilla-modern-6.0", "-expires", "soon", "-o", l.out}},
		"before it begins":     {1, []string{"-key", l.key, "-version", "1", "-policy", "mozilla-modern-6.0", "-not-before", "2099-01-01T00:00:00Z", "-expires", "2098-01-01T00:00:00Z", "-o", l.out}},
		"no directory":         {1, []string{"-key", l.key, "-version", "1", "-policy", "mozilla-modern-6.0", "-expires", "1h", "-o", filepath.Join(l.dir, "none", "x")}},
		"nothing to check":     {1, []string{"-check", l.out, "-public", l.pub}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(c.args...)
			require.Equal(t, c.code, code, errs)
			require.Empty(t, out)
			require.NotEmpty(t, errs)
			require.NoFileExists(t, l.out)
		})
	}
	code, _, errs := run("-key", l.key, "-version", "1", "-policy", "mozilla-modern-6.0", "-expires", "1h", "-o", l.out)
	require.Zero(t, code, errs)
	code, out, _ := run("-check", l.out, "-public", other.pub)
	require.Equal(t, 1, code)
	require.Empty(t, out)
}

// TestSignWithOpenSSL: keys of openssl are taken as they are.
func TestSignWithOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("missing component: openssl")
	}
	l := newSignLab(t)
	for _, args := range [][]string{
		{"genpkey", "-algorithm", "ed25519", "-out", l.key},
		{"pkey", "-in", l.key, "-pubout", "-out", l.pub},
	} {
		out, err := exec.Command(openssl, args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	code, _, errs := run("-key", l.key, "-version", "1", "-policy", "mozilla-modern-6.0", "-expires", "1h", "-o", l.out)
	require.Zero(t, code, errs)
	code, _, errs = run("-check", l.out, "-public", l.pub)
	require.Zero(t, code, errs)
}

func TestCommand(t *testing.T) {
	for _, args := range [][]string{nil, {"sign"}, {"-key", "key.pem"}} {
		var out, errs bytes.Buffer
		require.Equal(t, 2, command(t.Context(), args, &out, &errs), "%q", args)
		require.Empty(t, out.String())
		require.Contains(t, errs.String(), "usage: tlsprobe ")
	}
	var out, errs bytes.Buffer
	require.Equal(t, 0, command(t.Context(), []string{"sign", "-h"}, &out, &errs))
}
