package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// distant is a connection whose answers take a round trip.
type distant struct {
	net.Conn
	trip  time.Duration
	asked atomic.Bool
}

func (d *distant) Write(b []byte) (int, error) {
	d.asked.Store(true)
	return d.Conn.Write(b)
}

func (d *distant) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if d.asked.Swap(false) {
		time.Sleep(d.trip)
	}
	return n, err
}

// away returns a Dial for endpoints from which it takes a round trip to get an answer.
func away(trip time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		time.Sleep(trip)
		return &distant{Conn: c, trip: trip}, nil
	}
}

// BenchmarkProbe is for one endpoint, that of a server with a kind of config, on loopback or a round trip away.
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
		for _, trip := range []time.Duration{0, 40 * time.Millisecond} {
			b.Run("kind="+c.name+"/trip="+trip.String(), func(b *testing.B) {
				e := s.endpoint(quietHTTP(b, c.config, withHSTS("max-age=1")))
				e.Dial = away(trip)
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
}
