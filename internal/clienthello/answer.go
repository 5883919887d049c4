package clienthello

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
)

// Answer is what a server says to a Hello. What it names may not be what was offered: some servers are like that.
type Answer struct {
	Outcome Outcome

	// Of a server that agreed.
	Version  uint16
	Suite    uint16
	Group    tls.CurveID // 0 without an elliptic curve or hybrid: RSA or finite fields
	Retry    bool        // a HelloRetryRequest: how a TLS 1.3 server names a group
	Protocol string      // before TLS 1.3, which hides it; "" for none

	// Alert is why, of a server that refused.
	Alert tls.AlertError
}

// Outcome is how a server took a Hello.
type Outcome string

// The outcomes.
const (
	Agreed  Outcome = "agreed"  // to a version, a suite and a group where the suite has one
	Refused Outcome = "refused" // by an alert
	Closed  Outcome = "closed"  // the connection, without a word. That may be its way to refuse, or a failure.
)

// ErrNotTLS says that what came is no answer of a TLS server, or more than one can be.
var ErrNotTLS = errors.New("not an answer of a TLS server")

// maxAnswer is how many bytes are read of a server. A flight of TLS 1.2 has its certificates, for which crypto/tls allows as much.
const maxAnswer = 256 << 10

// readAnswer reads from r until all of the answer that is in the clear was seen.
func readAnswer(r io.Reader) (Answer, error) {
	r = io.LimitReader(r, maxAnswer)
	var answer, warned Answer
	var messages []byte
	for first := true; ; first = false {
		kind, body, err := readRecord(r)
		switch {
		case errors.Is(err, io.EOF) && warned.Outcome != "":
			return warned, nil
		case errors.Is(err, io.EOF) && first:
			return Answer{Outcome: Closed}, nil
		case errors.Is(err, io.EOF):
			return Answer{}, malformed("it ends after %d bytes of handshake messages, or has more than %d bytes", len(messages), maxAnswer)
		case err != nil:
			return Answer{}, err
		case kind == recordAlert && len(body) == 2:
			warned = Answer{Outcome: Refused, Alert: tls.AlertError(body[1])}
			if body[0] == alertWarning && body[1] != alertCloseNotify {
				continue // such as unrecognized_name, after which the server may go on
			}
			return warned, nil
		case kind != recordHandshake:
			return Answer{}, malformed("record of type %d and %d bytes", kind, len(body))
		}
		messages = append(messages, body...)
		done := false
		for !done && err == nil {
			var message []byte
			if kind, message, messages = cutMessage(messages); message == nil {
				break
			}
			done, err = answer.take(kind, message)
		}
		if done || err != nil {
			return answer, err
		}
	}
}

// take adds what a handshake message says, and whether there is nothing more to wait for.
func (a *Answer) take(kind byte, message []byte) (done bool, err error) {
	switch hello := a.Version != 0; {
	case kind == typeServerHello && !hello:
		err = a.takeServerHello(message)
		done = a.Version >= tls.VersionTLS13 // the rest is encrypted
	case kind == typeServerKeyExchange && hello:
		a.Group = groupOf(message, a.Version)
		done = true
	case kind == typeServerHelloDone && hello:
		done = true
	case !hello:
		err = malformed("handshake message of type %d", kind)
	}
	if err != nil {
		*a = Answer{}
		return false, err
	}
	if done {
		a.Outcome = Agreed
	}
	return done, nil
}

// retryRandom is the random of a ServerHello that is a HelloRetryRequest (RFC 8446 section 4.1.3).
var retryRandom = sha256.Sum256([]byte("HelloRetryRequest"))

// takeServerHello adds what a ServerHello says.
func (a *Answer) takeServerHello(message []byte) error {
	c := cursor{rest: message}
	a.Version = c.u16()
	a.Retry = bytes.Equal(c.bytes(32), retryRandom[:])
	c.vector8() // session
	a.Suite = c.u16()
	c.u8() // compression
	if len(c.rest) > 0 {
		extensions := cursor{rest: c.vector16()}
		for len(extensions.rest) > 0 {
			id := extensions.u16()
			e := cursor{rest: extensions.vector16()}
			a.takeExtension(id, &e)
			extensions.bad = extensions.bad || e.bad
		}
		c.bad = c.bad || extensions.bad
	}
	switch {
	case c.bad || len(c.rest) > 0:
		return malformed("a ServerHello of %d bytes", len(message))
	case a.Version < versionSSL30 || a.Version > tls.VersionTLS13:
		return malformed("version %#04x", a.Version)
	case a.Retry && a.Version != tls.VersionTLS13:
		return malformed("HelloRetryRequest of version %#04x", a.Version)
	}
	return nil
}

// takeExtension adds what an extension of a ServerHello says.
func (a *Answer) takeExtension(id uint16, c *cursor) {
	switch id {
	case extSupportedVersions:
		a.Version = c.u16()
	case extKeyShare:
		a.Group = tls.CurveID(c.u16())
	case extALPN:
		c.u16() // length of the list, of one
		a.Protocol = string(c.vector8())
	}
}

// groupOf returns the group that a ServerKeyExchange names, 0 for none: with finite fields it begins with the length of the prime instead, and can't be as long as it would have to be then.
func groupOf(message []byte, version uint16) tls.CurveID {
	c := cursor{rest: message}
	named := c.u8() == 3 // named_curve (RFC 8422 section 5.4)
	group := c.u16()
	c.vector8() // point
	if len(c.rest) > 0 {
		if version >= tls.VersionTLS12 {
			c.u16() // signature algorithm
		}
		c.vector16() // signature
	}
	if !named || c.bad || len(c.rest) > 0 {
		return 0
	}
	return tls.CurveID(group)
}
