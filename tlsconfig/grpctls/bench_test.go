package grpctls_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// pairs are both sides' credentials, with sessions or without: ours, and those of gRPC with the same certificates.
func pairs(b *testing.B, resume bool) map[string][2]credentials.TransportCredentials {
	r := newRig(b)
	server := r.newServer(b, &tlsconfig.ServerOptions{Clients: r.clients(), Policy: tlsconfig.MozillaModern(), Tickets: &tlsconfig.Tickets{Disabled: !resume}})
	client := r.newClient(b, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(r.client), Policy: tlsconfig.MozillaModern()})
	sessions := tls.NewLRUClientSessionCache(8)
	return map[string][2]credentials.TransportCredentials{
		"grpctls": {serverCreds(b, server), clientCreds(b, client)},
		"NewTLS": {
			credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{r.server}, ClientCAs: r.ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: !resume}),
			credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{r.client}, RootCAs: r.ca.Pool(), ClientSessionCache: sessions, MinVersion: tls.VersionTLS13}),
		},
	}
}

// BenchmarkCall is a call on a connection that is there.
func BenchmarkCall(b *testing.B) {
	for name, creds := range pairs(b, true) {
		b.Run(name, func(b *testing.B) {
			l := listen(b)
			serve(b, creds[0], l)
			conn, err := dial(l.Addr().String(), creds[1])
			require.NoError(b, err)
			defer conn.Close()
			client := grpc_health_v1.NewHealthClient(conn)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Check(b.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkConnect is a call on a new connection, whose handshake resumes a session or is a full one.
func BenchmarkConnect(b *testing.B) {
	for _, handshake := range []string{"resumed", "full"} {
		for name, creds := range pairs(b, handshake == "resumed") {
			b.Run("handshake="+handshake+"/"+name, func(b *testing.B) {
				l := listen(b)
				serve(b, creds[0], l)
				b.ReportAllocs()
				for b.Loop() {
					if err := check(b.Context(), l.Addr().String(), creds[1]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
