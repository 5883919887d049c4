package tlsconfig

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNoTicketsOfTLS12: tickets are for hellos that lead to TLS 1.3, and not for those that crypto/tls takes for such by their legacy version alone.
func TestNoTicketsOfTLS12(t *testing.T) {
	s := &Server{ruling: newRuling(Recommended(), nil, nil)}
	s.tickets = newTestTickets(t, nil, time.Hour)
	s.now.Store(&generation{config: &tls.Config{}})
	for name, c := range map[string]struct {
		versions   []uint16
		extensions []uint16
		want       bool
	}{
		"TLS 1.3":                 {[]uint16{tls.VersionTLS13, tls.VersionTLS12}, []uint16{extensionSupportedVersions}, true},
		"TLS 1.2":                 {[]uint16{tls.VersionTLS12}, []uint16{extensionSupportedVersions}, false},
		"TLS 1.2 and before":      {[]uint16{tls.VersionTLS12, tls.VersionTLS11}, nil, false},
		"a made-up 1.3":           {[]uint16{tls.VersionTLS13, tls.VersionTLS12}, []uint16{0}, false},
		"a version from tomorrow": {[]uint16{0x0305, tls.VersionTLS12}, []uint16{extensionSupportedVersions}, false},
	} {
		_, config, err := s.meet(&tls.ClientHelloInfo{SupportedVersions: c.versions, Extensions: c.extensions})
		require.NoError(t, err)
		require.Equal(t, c.want, !config.SessionTicketsDisabled && config.WrapSession != nil && config.UnwrapSession != nil, name)
	}
	conn, _, err := s.meet(&tls.ClientHelloInfo{SupportedVersions: []uint16{tls.VersionTLS13}, Extensions: []uint16{extensionSupportedVersions}})
	require.NoError(t, err)
	ticket, err := conn.wrap(tls.ConnectionState{Version: tls.VersionTLS12}, &tls.SessionState{})
	require.NoError(t, err)
	require.Equal(t, useless(), ticket)
}
