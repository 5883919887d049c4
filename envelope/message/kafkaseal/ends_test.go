package kafkaseal_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
)

// TestGroupErrors: what the client can't get over by joining again ends Run.
func TestGroupErrors(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.GroupAuthorizationFailed, kerr.FencedInstanceID, kerr.InvalidSessionTimeout, kerr.InconsistentGroupProtocol} {
		t.Run(code.Message, func(t *testing.T) {
			cluster := newCluster(t, "orders")
			cluster.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
				resp.ErrorCode = code.Code
				return resp, nil, true
			})
			consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
				Open:   func(context.Context, *kgo.Record) (message.Message, error) { return message.Message{}, nil },
				Handle: func(context.Context, *kgo.Record, message.Message) error { return nil },
				Aside:  func(context.Context, *kgo.Record, error) error { return nil },
			}, nil)
			require.NoError(t, err)
			require.ErrorIs(t, consumer.Run(t.Context(), kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders")), code)
		})
	}
}

// mute is a network that takes what is sent and brings no answer, once silent is closed.
type mute struct {
	net.Conn
	silent chan struct{}
}

func (m mute) over() bool {
	select {
	case <-m.silent:
		return true
	default:
		return false
	}
}

func (m mute) dial(ctx context.Context, network, host string) (net.Conn, error) {
	if m.over() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c, err := new(net.Dialer).DialContext(ctx, network, host)
	return mute{c, m.silent}, err
}

func (m mute) Write(p []byte) (int, error) {
	if m.over() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

// TestEndSilentNetwork: Run ends though the broker does not answer any more. Without a bound of its own kgo waits for more than a minute, which is more than a supervisor does.
func TestEndSilentNetwork(t *testing.T) {
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{})
	r.produce(t, newClient(t, r.addrs), topic, r.ring.Tenant("acme"), "1")
	m := mute{silent: make(chan struct{})}
	consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open:   kafkaseal.OpenTopic(topic),
		Handle: func(context.Context, *kgo.Record, message.Message) error { close(m.silent); return nil },
		Aside:  func(_ context.Context, _ *kgo.Record, err error) error { return err },
	}, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- consumer.Run(ctx, kgo.SeedBrokers(r.addrs...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Dialer(m.dial))
	}()
	<-m.silent
	cancel()
	select {
	case err := <-done:
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "committing what was done")
	case <-time.After(45 * time.Second):
		t.Fatal("Run does not end")
	}
}
