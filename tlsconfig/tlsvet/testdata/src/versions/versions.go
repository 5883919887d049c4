package versions

import (
	"crypto/tls"
	"net/http"
	"time"
)

// Trap 14.
func versions() []*tls.Config {
	const old = tls.VersionTLS11
	return []*tls.Config{
		{MinVersion: tls.VersionTLS10}, // want `trap14: MinVersion is TLS 1.0`
		{MaxVersion: tls.VersionTLS11}, // want `trap14: MaxVersion is TLS 1.1`
		{MinVersion: old},              // want `trap14: MinVersion is TLS 1.1`
		{MinVersion: asked("1.0")},     // want `trap14: MinVersion can be TLS 1.0`
		{MinVersion: tls.VersionTLS12},
		{MinVersion: 0},
		{MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS13},
	}
}

func asked(version string) uint16 {
	if version == "1.0" {
		return tls.VersionTLS10
	}
	return tls.VersionTLS12
}

// Trap 16.
func groups(more []tls.CurveID) []*tls.Config {
	return []*tls.Config{
		{CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}}, // want `trap16: CurvePreferences has no`
		{CurvePreferences: []tls.CurveID{
			tls.X25519MLKEM768,
			tls.CurveP521, // want `trap16: group P-521`
		}},
		{CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519}},
		{CurvePreferences: append([]tls.CurveID{tls.X25519}, more...)},
		{CurvePreferences: nil},
	}
}

// Traps 18, 19 and 22.
func suites() []*tls.Config {
	var all, named []uint16
	for _, s := range tls.InsecureCipherSuites() { // want `trap22: insecure suites`
		all = append(all, s.ID)
	}
	for _, s := range tls.CipherSuites() {
		named = append(named, s.ID)
	}
	return []*tls.Config{
		{CipherSuites: all},
		{CipherSuites: named},
		{CipherSuites: []uint16{}}, // want `trap19: `
		{CipherSuites: nil},
		{CipherSuites: []uint16{
			tls.TLS_AES_128_GCM_SHA256, // want `trap18: `
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_RSA_WITH_AES_128_CBC_SHA, // want `trap22: the policy`
		}},
	}
}

// Trap 20.
func strong() []*http.Server {
	bad := &tls.Config{CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}} // want `trap20: `
	good := &tls.Config{MinVersion: tls.VersionTLS13, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}}
	_ = &tls.Config{CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}} // it serves no HTTP
	return []*http.Server{
		{TLSConfig: bad, ReadHeaderTimeout: time.Second},
		{TLSConfig: good, ReadHeaderTimeout: time.Second},
	}
}
