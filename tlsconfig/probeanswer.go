package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/holdfast-go/holdfast/internal/clienthello"
)

// refusing says whether an alert is about what was offered, and not, perhaps, about how much the endpoint has to do.
func refusing(alert string) bool {
	for _, a := range []tls.AlertError{40, 47, 70, 71, 86, 109, 112, 116, 120} { // RFC 8446 section 6, RFC 7507 section 2, RFC 7301 section 3.2
		if alert == a.Error() {
			return true
		}
	}
	return false
}

// answered says whether an error of a handshake is what the endpoint said, or what crypto/tls makes of it.
func answered(err error) bool {
	var network net.Error
	switch {
	case isAlert(err):
		return refusing(bare(err).Error())
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return false
	}
	return true
}

// isAlert says whether an error is an alert of the other side.
func isAlert(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error" // as crypto/tls says it
}

// isTimeout says whether a deadline has passed.
func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// peaceful returns nil for the end of a connection.
func peaceful(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// bare returns an error without the addresses that package net puts before it.
func bare(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("no address: %s", brief(dns.Err))
	case errors.As(err, &op):
		return op.Err
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	}
	return err
}

// offered says whether an answer is to what was offered.
func offered(h clienthello.Hello, a clienthello.Answer) bool {
	version, suite := false, false
	for _, v := range h.Versions {
		// Without the extension for it a server may answer with any version below.
		version = version || v == a.Version || v < tls.VersionTLS13 && a.Version < v
	}
	for _, id := range h.Suites {
		suite = suite || id == a.Suite
	}
	group := a.Group == 0
	for _, id := range h.Groups {
		group = group || id == a.Group
	}
	return version && suite && group
}
