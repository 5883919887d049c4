package judges_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// endpointLab is what foreign servers need: certificates of both kinds, in files.
type endpointLab struct {
	dir              string
	ca               *tlsconfigtest.CA
	ecdsa, rsa       tls.Certificate
	ecdsaCert, ecKey string
	rsaCert, rsaKey  string
}

func newEndpointLab(t *testing.T) *endpointLab {
	ca := tlsconfigtest.NewCA(t, nil)
	l := &endpointLab{dir: t.TempDir(), ca: ca}
	leaf := func(key tlsconfigtest.Key) tls.Certificate {
		return ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"localhost"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Server: true, Key: key})
	}
	l.ecdsa, l.rsa = leaf(tlsconfigtest.KeyP256), leaf(tlsconfigtest.KeyRSA2048)
	l.ecdsaCert, l.ecKey = tlsconfigtest.WritePair(t, l.sub(t, "ecdsa"), l.ecdsa)
	l.rsaCert, l.rsaKey = tlsconfigtest.WritePair(t, l.sub(t, "rsa"), l.rsa)
	return l
}

func (l *endpointLab) sub(t *testing.T, name string) string {
	dir := filepath.Join(l.dir, name)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	return dir
}

// foreign is a server to probe.
type foreign struct {
	name  string
	start func(t *testing.T, l *endpointLab) (address string)
	alone bool // it listens on all addresses, and is started where there is only loopback
}

// foreigners are the servers that a probe is compared on.
var foreigners = []foreign{
	{name: "go default", start: goServer(func(l *endpointLab) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{l.ecdsa}} })},
	{name: "go old", start: goServer(func(l *endpointLab) *tls.Config {
		var all []uint16
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			all = append(all, s.ID)
		}
		return &tls.Config{Certificates: []tls.Certificate{l.rsa}, MinVersion: tls.VersionTLS10, CipherSuites: all}
	})},
	{name: "go modern", start: goServer(func(l *endpointLab) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{l.ecdsa}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP384}}
	})},
	{name: "openssl default", start: opensslServer(false)},
	{name: "openssl all", start: opensslServer(true, "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")},
	{name: "openssl 1.2 by its own order", start: opensslServer(false, "-tls1_2", "-serverpref", "-cipher", "ECDHE+AESGCM:DHE+AESGCM", "-groups", "P-256:X25519:P-384")},
	{name: "openssl CCM", start: opensslServer(true, "-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_256_GCM_SHA384", "-groups", "P-521:ffdhe2048")},
	{name: "nginx modern", start: nginx("TLSv1.3", "HIGH")},
	{name: "nginx old", start: nginx("TLSv1 TLSv1.1 TLSv1.2", "ALL:!PSK:!SRP:@SECLEVEL=0")},
	{name: "gnutls normal", alone: true, start: gnutls("NORMAL")},
	{name: "gnutls old", alone: true, start: gnutls("NORMAL:+VERS-TLS1.0:+VERS-TLS1.1:+DHE-RSA:+3DES-CBC:+CAMELLIA-128-CBC:+CAMELLIA-256-CBC:+AES-128-CCM:+SHA1")},
	{name: "gnutls PFS 1.2", alone: true, start: gnutls("PFS:-VERS-TLS1.3")},
}

// goServer serves a config.
func goServer(config func(l *endpointLab) *tls.Config) func(*testing.T, *endpointLab) string {
	return func(t *testing.T, l *endpointLab) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		h := &http.Server{TLSConfig: config(l), ErrorLog: discard}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = h.ServeTLS(listener, "", "")
		}()
		t.Cleanup(func() {
			h.Close()
			<-done
		})
		return listener.Addr().String()
	}
}

// opensslServer serves by `openssl s_server`, with both kinds of certificate or the ECDSA one.
func opensslServer(both bool, args ...string) func(*testing.T, *endpointLab) string {
	return func(t *testing.T, l *endpointLab) string {
		program := find(t, "openssl")
		return started(t, program, func(address string) []string {
			all := append([]string{"s_server", "-accept", address, "-cert", l.ecdsaCert, "-key", l.ecKey, "-www", "-quiet"}, args...)
			if both {
				all = append(all, "-dcert", l.rsaCert, "-dkey", l.rsaKey)
			}
			return all
		})
	}
}

// nginx serves by nginx, with an RSA certificate.
func nginx(protocols, ciphers string) func(*testing.T, *endpointLab) string {
	return func(t *testing.T, l *endpointLab) string {
		program := find(t, "nginx")
		dir := l.sub(t, "nginx")
		return started(t, program, func(address string) []string {
			file := filepath.Join(dir, "nginx.conf")
			config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 512; }
http {
	access_log off; client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	server {
		listen %[2]s ssl http2; server_name localhost; ssl_certificate %[3]s; ssl_certificate_key %[4]s; ssl_protocols %[5]s; ssl_ciphers %[6]s;
		location / { add_header Strict-Transport-Security "max-age=63072000" always; return 204; }
	}
}
`, dir, address, l.rsaCert, l.rsaKey, protocols, ciphers)
			require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
			return []string{"-e", filepath.Join(dir, "error.log"), "-c", file}
		})
	}
}

// gnutls serves by gnutls-serv, with both kinds of certificate. It listens on all addresses.
func gnutls(priority string) func(*testing.T, *endpointLab) string {
	return func(t *testing.T, l *endpointLab) string {
		program := find(t, "gnutls-serv")
		return started(t, program, func(address string) []string {
			_, port, _ := net.SplitHostPort(address)
			return []string{
				"--http", "--quiet", "--port", port, "--priority", priority,
				"--x509certfile", l.ecdsaCert, "--x509keyfile", l.ecKey, "--x509certfile", l.rsaCert, "--x509keyfile", l.rsaKey,
			}
		})
	}
}

// started starts a server on a port of loopback that is free, and returns when it answers there.
func started(t *testing.T, program string, args func(address string) []string) string {
	t.Helper()
	var said string
	for range 5 { // somebody else may take the port
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := l.Addr().String()
		l.Close()
		log, err := os.CreateTemp(t.TempDir(), "log")
		require.NoError(t, err)
		command := exec.CommandContext(t.Context(), program, args(address)...)
		command.Stdout, command.Stderr = log, log
		command.Env = append(os.Environ(), "OPENSSL_CONF="+os.DevNull)
		command.WaitDelay = time.Second
		require.NoError(t, command.Start())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = command.Wait()
		}()
		t.Cleanup(func() {
			_ = command.Process.Kill()
			<-ended
			log.Close()
		})
		if answers(address, ended) {
			return address
		}
		text, _ := os.ReadFile(log.Name())
		said = string(text)
	}
	t.Fatalf("%s does not serve: %s", program, said)
	return ""
}

// answers waits until somebody listens at address. It is false if the server ends before.
func answers(address string, ended <-chan struct{}) bool {
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			select {
			case <-ended: // it was somebody else
				return false
			default:
				return true
			}
		}
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// onlyLoopback is set in a process whose network is loopback and nothing else.
const onlyLoopback = "HOLDFAST_ONLY_LOOPBACK"

// inOwnNetwork runs the test that is running once more, in a process with a network of its own.
func inOwnNetwork(t *testing.T) {
	unshare := find(t, "unshare")
	find(t, "ip")
	if exec.CommandContext(t.Context(), unshare, "--map-root-user", "--net", "true").Run() != nil {
		t.Skip("missing component: a system where unshare may make a network")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	name := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	command := exec.CommandContext(t.Context(), unshare, "--map-root-user", "--net", "sh", "-c", `ip link set lo up && exec "$0" "$@"`, self, "-test.run="+name, "-test.v")
	command.Env = append(os.Environ(), onlyLoopback+"=1")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	if _, missing, ok := strings.Cut(string(out), "missing component: "); ok {
		missing, _, _ = strings.Cut(missing, "\n")
		t.Skip("missing component: " + missing)
	}
	require.Contains(t, string(out), "--- PASS: "+t.Name(), "nothing was run")
}
