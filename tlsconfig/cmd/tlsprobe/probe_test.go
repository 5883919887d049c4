package main

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// probed is a server on loopback that the recommended policy allows and another may not, and a file with its CA.
func probed(t *testing.T) (address, roots string) {
	ca := tlsconfigtest.NewCA(t, nil)
	leaf := ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"api.example"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Server: true})
	roots = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(roots, ca.PEM(), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.CurveP256}},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	var wait sync.WaitGroup
	wait.Go(func() { _ = h.ServeTLS(l, "", "") })
	t.Cleanup(func() {
		h.Close()
		wait.Wait()
	})
	return l.Addr().String(), roots
}

// call calls the command.
func call(t *testing.T, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = command(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestProbe(t *testing.T) {
	address, roots := probed(t)
	own := filepath.Join(t.TempDir(), "own.json")
	require.NoError(t, os.WriteFile(own, []byte(`{"name": "acme", "base": "recommended-2026"}`), 0o600))
	for name, c := range map[string]struct {
		args []string
		code int
		out  string
	}{
		"recommended":          {[]string{address, "-roots", roots}, exitFine, `policy "recommended-2026": 0 violations`},
		"flags first":          {[]string{"-roots", roots, address}, exitFine, "trust: verified"},
		"flags between":        {[]string{address, "-roots", roots, address, "-name", "api.example"}, exitFine, " as api.example"},
		"after --":             {[]string{"-roots", roots, "--", address}, exitFine, "trust: verified"},
		"profile":              {[]string{address, "-roots", roots, "-policy", "pq-required-2026"}, exitViolation, "beyond the policy: P-256"},
		"file":                 {[]string{address, "-roots", roots, "-policy", own}, exitFine, `policy "acme"`},
		"another name":         {[]string{address, "-roots", roots, "-name", "wrong.example"}, exitViolation, "not wrong.example"},
		"violation and gone":   {[]string{address, gone(t), "-roots", roots, "-policy", "pq-required-2026"}, exitViolation, "beyond the policy"},
		"not there":            {[]string{gone(t), "-roots", roots}, exitUnknown, "not seen: all of it"},
		"protocols asked for":  {[]string{address, "-roots", roots, "-alpn", "acme-tls/1,h2"}, exitFine, "protocols: h2, http/1.1"},
		"one there, one not":   {[]string{address, gone(t), "-roots", roots}, exitUnknown, "trust: verified"},
		"no address":           {nil, exitUnknown, ""},
		"no port":              {[]string{"localhost"}, exitUnknown, ""},
		"no such flag":         {[]string{address, "-nothing"}, exitUnknown, ""},
		"no such policy":       {[]string{address, "-policy", "none"}, exitUnknown, ""},
		"empty policy":         {[]string{address, "-policy", ""}, exitUnknown, ""},
		"no such roots":        {[]string{address, "-roots", "none.pem"}, exitUnknown, ""},
		"a timeout of nothing": {[]string{address, "-timeout", "0s"}, exitUnknown, ""},
		"out of time":          {[]string{address, "-roots", roots, "-timeout", "1ns"}, exitUnknown, "1 endpoint not seen whole"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := call(t, c.args...)
			require.Equal(t, c.code, code, "%s%s", out, errs)
			require.Equal(t, c.out == "", out == "", out)
			require.Contains(t, out, c.out)
			require.Equal(t, code == exitUnknown || name == "violation and gone", errs != "", errs)
		})
	}
	code, _, errs := call(t, "-h")
	require.Equal(t, exitFine, code)
	require.Contains(t, errs, "usage: tlsprobe HOST:PORT")
}

// gone is an address where nobody listens.
func gone(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func TestProbeJSON(t *testing.T) {
	address, roots := probed(t)
	code, out, errs := call(t, address, "-json", "-roots", roots, "-policy", "pq-required-2026")
	require.Equal(t, exitViolation, code, errs)
	var r tlsconfig.Report
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.ErrorIs(t, r.Err(), tlsconfig.ErrViolation)
	require.Equal(t, []string{"TLS 1.3"}, r.Facts[0].Versions)
	require.Len(t, r.Facts[0].Suites13, map[bool]int{false: 3, true: 2}[fips140.Enabled()])
}

func TestProbeIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitUnknown, command(ctx, []string{"127.0.0.1:1"}, &stdout, &stderr))
	require.Contains(t, stdout.String(), "1 endpoint not seen whole")
}

// What is wrapped has the same words, in lines that are not longer than they must be.
func TestWrap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-zé]{1,30}`), 1, 60).Draw(t, "words")
		text := "  " + strings.Join(words, " ") + "\n"
		wrapped := wrap(text)
		require.Equal(t, words, strings.Fields(wrapped))
		for line := range strings.Lines(wrapped) {
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), wrapAt)
		}
	})
	long := strings.Repeat("x", 3*wrapAt)
	require.Equal(t, long+"\n", wrap(long))
}
