package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// Snapshot returns a config for one connection to a server: roots and identity of this moment, with the standard verification of serverName, a DNS name or an address without a port. Take a new one for each connection. With a name
// that is neither every handshake fails.
func (c *Client) Snapshot(serverName string) *tls.Config {
	generation := c.now.Load()
	config := generation.config.Clone()
	config.RootCAs = config.RootCAs.Clone() // it is the caller's now
	config.VerifyConnection = func(cs tls.ConnectionState) error { return c.verify(generation, cs, false) }
	name, err := parseServerName(serverName)
	if err != nil {
		config.VerifyConnection = func(tls.ConnectionState) error { return err }
		name = "invalid." // RFC 6761 section 6.4: no certificate is for it
	}
	config.ServerName = name
	return config
}

// parseServerName returns a name as crypto/tls verifies it.
func parseServerName(name string) (string, error) {
	trimmed := strings.TrimSuffix(name, ".")
	address := trimmed
	if inside, ok := strings.CutPrefix(trimmed, "["); ok {
		address, ok = strings.CutSuffix(inside, "]")
		if !ok {
			address = ""
		}
	}
	if addr, err := netip.ParseAddr(address); err == nil {
		return addr.WithZone("").Unmap().String(), nil
	}
	if _, err := canonicalDNS(trimmed); err != nil || strings.HasPrefix(trimmed, "*") {
		return "", invalid("server name %.100q: want a DNS name or an address, without a port", name)
	}
	return trimmed, nil
}

// Handshake does the handshake of a connection to the server with this name, a DNS name or an address without a port, within ctx and 10 s. protocols are the application protocols (ALPN) to ask for, the preferred first; without any there is none. It closes raw where it fails, with a *Refusal or what crypto/tls says: see [ReasonOf].
func (c *Client) Handshake(ctx context.Context, raw net.Conn, serverName string, protocols ...string) (*tls.Conn, error) {
	name, err := parseServerName(serverName)
	if err == nil && c.over.Load() {
		err = ErrClosed
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	generation := c.now.Load()
	config := generation.config.Clone()
	config.ServerName, config.NextProtos = name, protocols
	config.VerifyConnection = func(cs tls.ConnectionState) error { return c.verify(generation, cs, true) }
	conn := tls.Client(c.track(raw, generation, func() {}), config)
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.Close()
		c.failed(err)
		return nil, err
	}
	cs := conn.ConnectionState()
	c.agreed(&cs, true)
	return conn, nil
}

// failed tells of a handshake that did not end well, unless verify has.
func (c *Client) failed(err error) {
	var refusal *Refusal
	if !errors.As(err, &refusal) && !errors.Is(err, ErrClosed) {
		c.tell(Event{Kind: KindRefused, Reason: ReasonOf(err)})
	}
}

// DialContext connects to addr, a host and port, and does the handshake, in 10 s where ctx says nothing shorter. What it returns is a *tls.Conn.
func (c *Client) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, invalid("address %.100q: %w", addr, err)
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn, err := c.Handshake(ctx, raw, host)
	if err != nil {
		return nil, err // not a net.Conn that holds a nil *tls.Conn
	}
	return conn, nil
}
