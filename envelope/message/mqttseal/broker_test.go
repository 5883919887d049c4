package mqttseal_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/hooks/debug"
	"github.com/mochi-mqtt/server/v2/hooks/storage/bolt"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/stretchr/testify/require"
)

// broker is one that runs for a test.
type broker struct {
	addr string
	logs *lines
	// files makes it write what it keeps, and returns that.
	files func(t *testing.T) []byte
}

// eachBroker runs a test with every broker that is there.
func eachBroker(t *testing.T, f func(t *testing.T, b *broker)) {
	t.Helper()
	t.Run("mochi", func(t *testing.T) { f(t, startMochi(t, true)) })
	t.Run("mosquitto", func(t *testing.T) { f(t, startMosquitto(t)) })
}

// startMochi starts a broker in this process, which tells and keeps all it knows if asked to.
func startMochi(t testing.TB, keep bool) *broker {
	t.Helper()
	b := &broker{logs: &lines{}}
	level := slog.LevelError
	if keep {
		level = slog.LevelDebug
	}
	server := mqtt.New(&mqtt.Options{Logger: slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: level}))})
	require.NoError(t, server.AddHook(new(auth.AllowHook), nil))
	if keep {
		file := filepath.Join(t.TempDir(), "bolt")
		require.NoError(t, server.AddHook(new(bolt.Hook), &bolt.Options{Path: file}))
		require.NoError(t, server.AddHook(new(debug.Hook), &debug.Options{ShowPacketData: true}))
		b.files = func(t *testing.T) []byte {
			text, err := os.ReadFile(file) // each change is a transaction of its own, and on disk
			require.NoError(t, err)
			return text
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b.addr = l.Addr().String()
	require.NoError(t, server.AddListener(listeners.NewNet("tcp", l)))
	require.NoError(t, server.Serve())
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		server.Listeners.ClientsWg.Wait()
	})
	return b
}

// client is a connection to a broker.
type client struct {
	*paho.Client
	conn net.Conn
}

// session says what kind of connection it is.
type session struct {
	id      string
	lasting bool // the broker keeps what comes while the client is away
	manual  bool // acknowledgements
	receive func(paho.PublishReceived) (bool, error)
}

func (b *broker) connect(t testing.TB, s session) *client {
	t.Helper()
	conn, err := net.Dial("tcp", b.addr)
	require.NoError(t, err)
	config := paho.ClientConfig{ClientID: s.id, Conn: conn, EnableManualAcknowledgment: s.manual}
	if s.receive != nil {
		config.OnPublishReceived = []func(paho.PublishReceived) (bool, error){s.receive}
	}
	c := &client{paho.NewClient(config), conn}
	connect := &paho.Connect{ClientID: s.id, CleanStart: !s.lasting, KeepAlive: 30}
	if s.lasting {
		connect.Properties = &paho.ConnectProperties{SessionExpiryInterval: new(uint32(3600))}
	}
	_, err = c.Connect(context.Background(), connect)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = c.Disconnect(&paho.Disconnect{}) // it may be gone
		c.conn.Close()
		<-c.Done()
	})
	return c
}

// kill ends a connection without a word.
func (c *client) kill() {
	c.conn.Close()
	<-c.Done()
}

// subscribe tries more than once: mochi v2.7.9 refuses a SUBSCRIBE whose packet id is that of a message under way to the client, though MQTT counts the two apart.
func (c *client) subscribe(t testing.TB, subscriptions ...paho.SubscribeOptions) {
	t.Helper()
	var err error
	for range 10 {
		if _, err = c.Subscribe(context.Background(), &paho.Subscribe{Subscriptions: subscriptions}); err == nil {
			return
		}
	}
	require.NoError(t, err)
}

func (c *client) publish(t testing.TB, p *paho.Publish) {
	t.Helper()
	_, err := c.Publish(context.Background(), p)
	require.NoError(t, err)
}

// collect subscribes to a filter, and returns what comes.
func (b *broker) collect(t testing.TB, id, filter string) <-chan *paho.Publish {
	t.Helper()
	came := make(chan *paho.Publish, 100)
	c := b.connect(t, session{id: id, receive: func(r paho.PublishReceived) (bool, error) {
		came <- r.Packet
		return true, nil
	}})
	c.subscribe(t, paho.SubscribeOptions{Topic: filter, QoS: 1})
	return came
}
