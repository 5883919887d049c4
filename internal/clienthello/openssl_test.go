package clienthello_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/clienthello"
)

// serveOpenSSL has `openssl s_server` run until the test ends, and returns where it listens.
func serveOpenSSL(t *testing.T, args ...string) string {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("missing component: openssl")
	}
	file := filepath.Join(t.TempDir(), "server.pem")
	rs := certificates()[1]
	key, err := x509.MarshalPKCS8PrivateKey(rs.PrivateKey)
	require.NoError(t, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rs.Certificate[0]})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	require.NoError(t, os.WriteFile(file, text, 0o600))

	command := exec.CommandContext(t.Context(), openssl, append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", file, "-key", file}, args...)...)
	command.Env = []string{"OPENSSL_CONF=" + os.DevNull} // that of the system may raise the least version
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	stdin, err := command.StdinPipe() // it ends when this does
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		stdin.Close()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			return address
		}
	}
	t.Fatal("openssl s_server does not listen")
	return ""
}

// Suites that crypto/tls has not got.
const (
	dheAES128GCM = 0x009e // TLS_DHE_RSA_WITH_AES_128_GCM_SHA256
	dheAES256CBC = 0x0039 // TLS_DHE_RSA_WITH_AES_256_CBC_SHA
	camellia     = 0x0041 // TLS_RSA_WITH_CAMELLIA_128_CBC_SHA
	aes128CCM    = 0x1304 // TLS_AES_128_CCM_SHA256
)

func TestProbeOpenSSL(t *testing.T) {
	x448 := tls.CurveID(30)
	ffdhe2048 := tls.CurveID(256)
	old := serveOpenSSL(t, "-cipher", "ALL:@SECLEVEL=0", "-ciphersuites", "TLS_AES_256_GCM_SHA384:TLS_AES_128_CCM_SHA256", "-groups", "P-256:X448:ffdhe2048")
	strict := serveOpenSSL(t, "-tls1_3", "-groups", "P-521:P-384")
	both := []tls.CurveID{tls.CurveP384, tls.CurveP521}
	for _, c := range []struct {
		name   string
		server string
		hello  clienthello.Hello
		want   clienthello.Answer
	}{
		{"TLS 1.3, P-256", old, clienthello.Hello{Versions: only13, Suites: []uint16{tls.TLS_AES_256_GCM_SHA384}, Groups: []tls.CurveID{tls.CurveP256}}, agreed(tls.VersionTLS13, tls.TLS_AES_256_GCM_SHA384, tls.CurveP256)},
		{"TLS 1.3, X448, CCM", old, clienthello.Hello{Versions: only13, Suites: []uint16{aes128CCM}, Groups: []tls.CurveID{x448}}, agreed(tls.VersionTLS13, aes128CCM, x448)},
		{"TLS 1.3, finite field", old, clienthello.Hello{Versions: only13, Suites: []uint16{aes128CCM}, Groups: []tls.CurveID{ffdhe2048}}, agreed(tls.VersionTLS13, aes128CCM, ffdhe2048)},
		{"TLS 1.3, suite that is off", old, clienthello.Hello{Versions: only13, Suites: []uint16{tls.TLS_AES_128_GCM_SHA256}, Groups: []tls.CurveID{x448}}, refused(handshakeFailure)},
		{"TLS 1.3, group that is off", old, clienthello.Hello{Versions: only13, Suites: []uint16{aes128CCM}, Groups: []tls.CurveID{tls.X25519}}, refused(handshakeFailure)},
		{"TLS 1.3, unknown hybrid", old, clienthello.Hello{Versions: only13, Suites: []uint16{aes128CCM}, Groups: []tls.CurveID{tls.X25519MLKEM768}}, refused(handshakeFailure)},
		{"TLS 1.2, DHE", old, clienthello.Hello{Versions: only12, Suites: []uint16{dheAES128GCM}}, agreed(tls.VersionTLS12, dheAES128GCM, 0)},
		{"TLS 1.2, ECDHE", old, clienthello.Hello{Versions: only12, Suites: []uint16{ecdhe}, Groups: []tls.CurveID{tls.CurveP256}}, agreed(tls.VersionTLS12, ecdhe, tls.CurveP256)},
		{"TLS 1.2, X448", old, clienthello.Hello{Versions: only12, Suites: []uint16{ecdhe}, Groups: []tls.CurveID{x448}}, agreed(tls.VersionTLS12, ecdhe, x448)},
		{"TLS 1.2, Camellia", old, clienthello.Hello{Versions: only12, Suites: []uint16{camellia}}, agreed(tls.VersionTLS12, camellia, 0)},
		{"TLS 1.1, DHE, CBC", old, clienthello.Hello{Versions: []uint16{tls.VersionTLS11}, Suites: []uint16{dheAES256CBC}}, agreed(tls.VersionTLS11, dheAES256CBC, 0)},
		{"TLS 1.0, ECDHE, CBC", old, clienthello.Hello{Versions: []uint16{tls.VersionTLS10}, Suites: []uint16{ecdheCBC}, Groups: []tls.CurveID{tls.CurveP256}}, agreed(tls.VersionTLS10, ecdheCBC, tls.CurveP256)},
		{"SSL 3.0", old, clienthello.Hello{Versions: []uint16{ssl30}, Suites: []uint16{dheAES256CBC}}, refused(handshakeFailure)}, // SSL 3.0 has no alert for versions
		{"its choice of groups, not ours", strict, clienthello.Hello{Versions: only13, Suites: []uint16{tls.TLS_AES_128_GCM_SHA256}, Groups: both}, agreed(tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, tls.CurveP521)},
		{"TLS 1.2 where TLS 1.3 is demanded", strict, clienthello.Hello{Versions: only12, Suites: []uint16{ecdhe}, Groups: both}, refused(protocolVersion)},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, probe(t, c.server, c.hello))
		})
	}
}
