package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// link is a client's connection to the broker, made anew when it is lost.
type link struct {
	*autopaho.ConnectionManager
	tls     *tlsconfig.Client
	brokers chan string // serial number of the certificate that the broker has shown at each connection
}

// dial connects. up is called at each connection.
func dial(ctx context.Context, p *pki, addr, name string, seen *watch, receive func(paho.PublishReceived) (bool, error), up func(*autopaho.ConnectionManager)) (*link, error) {
	client, err := tlsconfig.NewClient(ctx, tlsconfig.RootFiles(p.roots()), &tlsconfig.ClientOptions{
		Policy:   tlsconfig.InternalMTLS(),
		Identity: tlsconfig.Files(p.file(name), p.file(name)),
		Observer: seen.one(),
	})
	if err != nil {
		return nil, err
	}
	l := &link{tls: client, brokers: make(chan string, 100)}
	failed := make(chan error, 1)
	config := autopaho.ClientConfig{
		ServerUrls:            []*url.URL{{Scheme: "mqtts", Host: addr}},
		KeepAlive:             30,
		SessionExpiryInterval: 3600, // the broker keeps what comes while we are away
		ReconnectBackoff:      autopaho.NewConstantBackoff(100 * time.Millisecond),
		AttemptConnection:     l.attempt, // so that each has roots and certificate of its moment
		OnConnectError: func(err error) {
			select {
			case failed <- err:
			default:
			}
		},
		ClientConfig: paho.ClientConfig{ClientID: name, EnableManualAcknowledgment: true},
	}
	if receive != nil {
		config.OnPublishReceived = []func(paho.PublishReceived) (bool, error){receive}
	}
	if up != nil {
		config.OnConnectionUp = func(c *autopaho.ConnectionManager, _ *paho.Connack) { up(c) }
	}
	if l.ConnectionManager, err = autopaho.NewConnection(ctx, config); err == nil {
		here, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err = l.AwaitConnection(here); err == nil {
			return l, nil
		}
		select {
		case why := <-failed:
			err = errors.Join(err, why)
		default:
		}
		_ = l.Disconnect(context.WithoutCancel(ctx))
	}
	client.Close()
	return nil, err
}

func (l *link) attempt(ctx context.Context, _ autopaho.ClientConfig, u *url.URL) (net.Conn, error) {
	conn, err := l.tls.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	state := conn.(*tls.Conn).ConnectionState()
	broker, _ := tlsconfig.Peer(&state)
	select {
	case l.brokers <- broker.Serial:
	default: // nobody asks so late
	}
	return packets.NewThreadSafeConn(conn), nil
}

// subscribe tries more than once: mochi v2.7.9 refuses a SUBSCRIBE whose packet id is that of a message under way to the client, though MQTT counts the two apart.
func subscribe(ctx context.Context, c *autopaho.ConnectionManager, to ...paho.SubscribeOptions) (err error) {
	for range 10 {
		if _, err = c.Subscribe(ctx, &paho.Subscribe{Subscriptions: to}); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (l *link) close(ctx context.Context) error {
	defer l.tls.Close()
	return l.Disconnect(context.WithoutCancel(ctx)) // also when ctx has ended
}

// watch counts on its Observers to tell when new certificates are taken.
type watch struct {
	observers int
	news      chan tlsconfig.Event
}

// one returns an Observer for one more server or client.
func (w *watch) one() tlsconfig.Observer {
	w.observers++
	return w
}

// Observe implements tlsconfig.Observer.
func (w *watch) Observe(e tlsconfig.Event) {
	if e.Kind == tlsconfig.KindCertificate {
		select {
		case w.news <- e:
		default: // an Observer holds up nobody
		}
	}
}

// taken waits until all servers and clients have taken a new certificate.
func (w *watch) taken(ctx context.Context) error {
	for range w.observers {
		select {
		case e := <-w.news:
			if e.Err != nil {
				return e.Err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
