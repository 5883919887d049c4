package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/debug"
	"github.com/mochi-mqtt/server/v2/hooks/storage/bolt"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// broker is one that the demo can look into.
type broker interface {
	address() string
	reload() error                                          // says that it has a new certificate
	files(ctx context.Context, text string) ([]byte, error) // that it keeps, once text is in them
	logs() []byte
	close() error
}

// mochi is a broker in this process. It keeps all that it has in a file, and logs all that it sees.
type mochi struct {
	server *mqtt.Server
	tls    *tlsconfig.Server
	addr   string
	file   string
	log    *lines
}

func startMochi(ctx context.Context, p *pki, seen *watch) (_ *mochi, err error) {
	b := &mochi{file: filepath.Join(p.dir, "broker.db"), log: &lines{}}
	b.tls, err = tlsconfig.NewServer(ctx, tlsconfig.Files(p.file(host), p.file(host)), &tlsconfig.ServerOptions{
		Policy:    tlsconfig.InternalMTLS(),
		Clients:   &tlsconfig.Clients{Roots: tlsconfig.RootFiles(p.roots()), Allow: tlsconfig.SPIFFE(domain + "*")},
		Protocols: []string{"mqtt"},
		Observer:  seen.one(),
	})
	if err != nil {
		return nil, err
	}
	l, err := tls.Listen("tcp", net.JoinHostPort(host, "0"), b.tls.Config())
	if err != nil {
		b.tls.Close()
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	b.addr = net.JoinHostPort(host, port)
	log := slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.server = mqtt.New(&mqtt.Options{Logger: log})
	for _, add := range []func() error{
		func() error { return b.server.AddHook(&gate{}, nil) },
		func() error { return b.server.AddHook(new(bolt.Hook), &bolt.Options{Path: b.file}) },
		func() error { return b.server.AddHook(new(debug.Hook), &debug.Options{ShowPacketData: true}) },
		func() error { return b.server.AddListener(listeners.NewNet("mqtts", l)) },
		b.server.Serve,
	} {
		if err := add(); err != nil {
			l.Close()
			b.close()
			return nil, err
		}
	}
	return b, nil
}

func (b *mochi) address() string { return b.addr }
func (b *mochi) reload() error   { return nil } // tlsconfig follows the files
func (b *mochi) logs() []byte    { return b.log.bytes() }

func (b *mochi) files(context.Context, string) ([]byte, error) { return os.ReadFile(b.file) } // it writes before it acknowledges

func (b *mochi) close() error {
	err := b.server.Close()
	b.server.Listeners.ClientsWg.Wait()
	b.tls.Close()
	return err
}

// gate lets clients in under the name that their certificate has, and each to its own topics.
type gate struct{ mqtt.HookBase }

// mayWrite is where clients may publish. The consumer may subscribe, and nobody else.
var mayWrite = map[string]string{device7: "devices/7/", gateway: "acme/"}

// ID names the hook.
func (*gate) ID() string { return "gate" }

// Provides says what the hook decides.
func (*gate) Provides(b byte) bool { return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck }

// OnConnectAuthenticate implements mqtt.Hook.
func (g *gate) OnConnectAuthenticate(c *mqtt.Client, _ packets.Packet) bool {
	conn, ok := c.Net.Conn.(*tls.Conn)
	if !ok {
		return false
	}
	state := conn.ConnectionState()
	peer, ok := tlsconfig.Peer(&state)
	ok = ok && peer.SPIFFE == domain+c.ID
	g.Log.Info("client", "id", c.ID, "allowed", ok, "certificate", peer.Serial)
	return ok
}

// OnACLCheck implements mqtt.Hook.
func (*gate) OnACLCheck(c *mqtt.Client, topic string, write bool) bool {
	own, writes := mayWrite[c.ID]
	return write && writes && strings.HasPrefix(topic, own) || !write && c.ID == consumer
}

// lines is a log in memory.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}
