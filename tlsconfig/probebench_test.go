package tlsconfig_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// BenchmarkProbe is for one endpoint on loopback, that of a server with a kind of config.
func BenchmarkProbe(b *testing.B) {
	s := newServed(b)
	for _, c := range []struct {
		name   string
		config *tls.Config
	}{
		{"modern", s.modern()},
		{"default", &tls.Config{Certificates: []tls.Certificate{s.server}}},
		{"old", &tls.Config{Certificates: []tls.Certificate{s.server}, MinVersion: tls.VersionTLS10, CipherSuites: allSuites()}},
	} {
		b.Run("kind="+c.name, func(b *testing.B) {
			e := s.endpoint(quietHTTP(b, c.config, withHSTS("max-age=1")))
			connections := 0
			for b.Loop() {
				r, err := tlsconfig.Probe(b.Context(), tlsconfig.Policy{}, e)
				require.NoError(b, err)
				connections = r.Facts[0].Connections
			}
			b.ReportMetric(float64(connections), "connections/op")
		})
	}
}
