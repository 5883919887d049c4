package clienthello_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/clienthello"
)

const (
	ssl30 = 0x0300

	ecdhe    = tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	ecdheCBC = tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
)

var (
	only13 = []uint16{tls.VersionTLS13}
	only12 = []uint16{tls.VersionTLS12}
)

// probe asks the server at address.
func probe(t testing.TB, address string, h clienthello.Hello) clienthello.Answer {
	t.Helper()
	conn := dial(t, address)
	defer conn.Close()
	answer, err := clienthello.Probe(t.Context(), conn, h)
	require.NoError(t, err)
	return answer
}

func agreed(version, suite uint16, group tls.CurveID) clienthello.Answer {
	return clienthello.Answer{Outcome: clienthello.Agreed, Version: version, Suite: suite, Group: group, Retry: version == tls.VersionTLS13}
}

func refused(alert tls.AlertError) clienthello.Answer {
	return clienthello.Answer{Outcome: clienthello.Refused, Alert: alert}
}

// Alerts (RFC 8446 section 6).
const (
	handshakeFailure tls.AlertError = 40
	protocolVersion  tls.AlertError = 70
)

func TestProbe(t *testing.T) {
	needClassic(t)
	weak := &tls.Config{
		MinVersion:       tls.VersionTLS10,
		CipherSuites:     []uint16{ecdhe, ecdheCBC, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_RC4_128_SHA},
		CurvePreferences: []tls.CurveID{tls.CurveP256, tls.X25519, tls.SecP384r1MLKEM1024},
		NextProtos:       []string{"h2"},
	}
	groups := weak.CurvePreferences
	strict := &tls.Config{MinVersion: tls.VersionTLS13}
	protocol := agreed(tls.VersionTLS12, ecdhe, tls.CurveP256)
	protocol.Protocol = "h2"
	for _, c := range []struct {
		name   string
		config *tls.Config
		hello  clienthello.Hello
		want   clienthello.Answer
	}{
		{"TLS 1.3, P-256", weak, clienthello.Hello{Versions: only13, Suites: []uint16{tls.TLS_AES_256_GCM_SHA384}, Groups: []tls.CurveID{tls.CurveP256}}, agreed(tls.VersionTLS13, tls.TLS_AES_256_GCM_SHA384, tls.CurveP256)},
		{"TLS 1.3, hybrid", weak, clienthello.Hello{Versions: only13, Suites: []uint16{tls.TLS_CHACHA20_POLY1305_SHA256}, Groups: []tls.CurveID{tls.SecP384r1MLKEM1024}}, agreed(tls.VersionTLS13, tls.TLS_CHACHA20_POLY1305_SHA256, tls.SecP384r1MLKEM1024)},
		{"TLS 1.3, group that is off", weak, clienthello.Hello{Versions: only13, Suites: []uint16{tls.TLS_AES_128_GCM_SHA256}, Groups: []tls.CurveID{tls.X25519MLKEM768}}, refused(handshakeFailure)},
		{"TLS 1.3, suite of TLS 1.2", weak, clienthello.Hello{Versions: only13, Suites: []uint16{ecdhe}, Groups: groups}, refused(handshakeFailure)},
		{"TLS 1.3 or below", weak, clienthello.Hello{Versions: []uint16{tls.VersionTLS13, tls.VersionTLS12}, Suites: []uint16{ecdhe, tls.TLS_AES_128_GCM_SHA256}, Groups: []tls.CurveID{tls.X25519}}, agreed(tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, tls.X25519)},
		{"TLS 1.2, ECDHE", weak, clienthello.Hello{Versions: only12, Suites: []uint16{ecdhe}, Groups: []tls.CurveID{tls.CurveP384, tls.X25519}}, agreed(tls.VersionTLS12, ecdhe, tls.X25519)},
		{"TLS 1.2, ALPN", weak, clienthello.Hello{Versions: only12, Suites: []uint16{ecdhe}, Groups: []tls.CurveID{tls.CurveP256}, Protocols: []string{"http/1.1", "h2"}}, protocol},
		{"TLS 1.2, 3DES", weak, clienthello.Hello{Versions: only12, Suites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}}, agreed(tls.VersionTLS12, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, 0)},
		{"TLS 1.1, RC4", weak, clienthello.Hello{Versions: []uint16{tls.VersionTLS11}, Suites: []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}}, agreed(tls.VersionTLS11, tls.TLS_RSA_WITH_RC4_128_SHA, 0)},
		{"TLS 1.0, CBC", weak, clienthello.Hello{Versions: []uint16{tls.VersionTLS10}, Suites: []uint16{ecdheCBC}, Groups: groups}, agreed(tls.VersionTLS10, ecdheCBC, tls.CurveP256)},
		{"SSL 3.0", weak, clienthello.Hello{Versions: []uint16{ssl30}, Suites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}}, refused(protocolVersion)},
		{"TLS 1.2, suite that is off", weak, clienthello.Hello{Versions: only12, Suites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}, Groups: groups}, refused(handshakeFailure)},
		{"TLS 1.2 where TLS 1.3 is demanded", strict, clienthello.Hello{Versions: only12, Suites: []uint16{ecdhe}, Groups: groups}, refused(protocolVersion)},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, probe(t, serveTLS(t, c.config), c.hello))
		})
	}
}

func TestProbeInFIPSMode(t *testing.T) { // and out of it
	address := serveTLS(t, &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384, tls.SecP256r1MLKEM768}})
	for _, group := range []tls.CurveID{tls.CurveP384, tls.SecP256r1MLKEM768} {
		require.Equal(t, agreed(tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, group),
			probe(t, address, clienthello.Hello{Versions: only13, Suites: []uint16{tls.TLS_AES_128_GCM_SHA256}, Groups: []tls.CurveID{group}}))
	}
	require.Equal(t, agreed(tls.VersionTLS12, ecdhe, tls.CurveP384),
		probe(t, address, clienthello.Hello{Versions: only12, Suites: []uint16{ecdhe}, Groups: []tls.CurveID{tls.CurveP256, tls.CurveP384}}))
}

func TestHelloSaysWhatItIsGiven(t *testing.T) {
	h := clienthello.Hello{
		Versions:   []uint16{tls.VersionTLS13, tls.VersionTLS11},
		Suites:     []uint16{0x0a0a, tls.TLS_AES_128_GCM_SHA256},
		Groups:     []tls.CurveID{0x1a1a, tls.CurveP256},
		Protocols:  []string{"h2", "x"},
		ServerName: "server.example",
	}
	seen := make(chan *tls.ClientHelloInfo, 1)
	probe(t, serveTLS(t, &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		seen <- info
		return nil, nil
	}}), h)
	info := <-seen
	require.Equal(t, h, clienthello.Hello{info.SupportedVersions, info.CipherSuites, info.SupportedCurves, info.SupportedProtos, info.ServerName})
	require.NotEmpty(t, info.SignatureSchemes)
	require.Equal(t, []uint8{0}, info.SupportedPoints)
}

func TestProbeOfWhatIsNoTLSServer(t *testing.T) {
	hello := clienthello.Hello{Versions: only13, Suites: []uint16{tls.TLS_AES_128_GCM_SHA256}, Groups: []tls.CurveID{tls.CurveP256}}
	read := func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }

	require.Equal(t, clienthello.Answer{Outcome: clienthello.Closed}, probe(t, serve(t, read), hello))

	require.Equal(t, clienthello.Answer{Outcome: clienthello.Closed}, probe(t, serve(t, func(c net.Conn) {
		_ = c.(*net.TCPConn).SetLinger(0) // a reset
		_, _ = c.Read(make([]byte, 1))
	}), hello))

	_, err := clienthello.Probe(t.Context(), dial(t, serve(t, func(c net.Conn) {
		read(c)
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
	})), hello)
	require.ErrorIs(t, err, clienthello.ErrNotTLS)

	client, server := net.Pipe()
	server.Close()
	answer, err := clienthello.Probe(t.Context(), client, hello)
	require.NoError(t, err)
	require.Equal(t, clienthello.Answer{Outcome: clienthello.Closed}, answer)
}

func TestProbeEndsWithItsContext(t *testing.T) {
	hello := clienthello.Hello{Versions: only13, Suites: []uint16{tls.TLS_AES_128_GCM_SHA256}}
	t.Run("while it reads", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := clienthello.Probe(ctx, dial(t, serve(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			cancel()
			_, _ = io.Copy(io.Discard, c) // says nothing until the other side hangs up
		})), hello)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("while it writes", func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := clienthello.Probe(ctx, client, hello)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestHelloThatCannotBeSent(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	long := string(make([]byte, 256))
	for _, c := range []struct {
		name  string
		hello clienthello.Hello
	}{
		{"no version", clienthello.Hello{Suites: []uint16{1}}},
		{"unknown version", clienthello.Hello{Versions: []uint16{0x0305}, Suites: []uint16{1}}},
		{"SSL 2.0", clienthello.Hello{Versions: []uint16{0x0002}, Suites: []uint16{1}}},
		{"no suite", clienthello.Hello{Versions: only13}},
		{"too many suites", clienthello.Hello{Versions: only13, Suites: make([]uint16, 5000)}},
		{"too many groups", clienthello.Hello{Versions: only13, Suites: []uint16{1}, Groups: make([]tls.CurveID, 5000)}},
		{"too many versions", clienthello.Hello{Versions: slices.Repeat(only13, 128), Suites: []uint16{1}}},
		{"empty protocol", clienthello.Hello{Versions: only13, Suites: []uint16{1}, Protocols: []string{""}}},
		{"long protocol", clienthello.Hello{Versions: only13, Suites: []uint16{1}, Protocols: []string{long}}},
		{"too many protocols", clienthello.Hello{Versions: only13, Suites: []uint16{1}, Protocols: make([]string, 5000)}},
		{"long name", clienthello.Hello{Versions: only13, Suites: []uint16{1}, ServerName: long}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := clienthello.Probe(t.Context(), client, c.hello)
			require.Error(t, err)
		})
	}
}
