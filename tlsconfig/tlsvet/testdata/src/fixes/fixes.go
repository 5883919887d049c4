package fixes

import (
	"crypto/tls"
	"io"
	"net/http"
	"time"
)

func configs(w io.Writer) []*tls.Config {
	return []*tls.Config{
		{InsecureSkipVerify: true},                     // want `trap1: `
		{MinVersion: tls.VersionTLS10},                 // want `trap14: `
		{ClientAuth: tls.RequestClientCert},            // want `trap10: `
		{Renegotiation: tls.RenegotiateFreelyAsClient}, // want `trap23: `
		{KeyLogWriter: w},                              // want `trap24: `
		{CipherSuites: []uint16{}},                     // want `trap19: `
		{CurvePreferences: []tls.CurveID{tls.X25519}},  // want `trap16: `
	}
}

func web(c *tls.Config) (*http.Server, *http.Transport) {
	return &http.Server{Addr: ":1"}, // want `trap32: `
		&http.Transport{TLSClientConfig: c, TLSHandshakeTimeout: time.Second} // want `trap30: `
}
