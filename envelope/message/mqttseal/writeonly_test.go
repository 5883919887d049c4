package mqttseal_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
)

// What a Conn is in earnest.
var (
	_ mqttseal.Conn = (*paho.Client)(nil)
	_ mqttseal.Conn = (*autopaho.ConnectionManager)(nil)
)

const readings = "devices/7/readings"

// inbox is an Inbox that runs, and what came out of it.
type inbox struct {
	*mqttseal.Inbox
	handled chan string
	aside   chan error
	stop    func() error
}

func runInbox(t testing.TB, open func(ctx context.Context, p *paho.Publish) (message.Message, error), o *mqttseal.InboxOptions) *inbox {
	t.Helper()
	i := &inbox{handled: make(chan string, 1000), aside: make(chan error, 1000)}
	b, err := mqttseal.NewInbox(mqttseal.InboxFuncs{
		Open: open,
		Handle: func(_ context.Context, _ *paho.Publish, m message.Message) error {
			i.handled <- string(m.Value)
			return nil
		},
		Aside: func(_ context.Context, _ *paho.Publish, err error) error {
			i.aside <- err
			return nil
		},
	}, o)
	require.NoError(t, err)
	i.Inbox = b
	i.stop = goes(t, b.Run)
	return i
}

func with(sub *message.Subscriber) func(ctx context.Context, p *paho.Publish) (message.Message, error) {
	return func(ctx context.Context, p *paho.Publish) (message.Message, error) {
		return mqttseal.OpenWith(ctx, sub, p)
	}
}

// device is a Writer that is connected, and the connection.
func device(t testing.TB, b *broker, pub *message.Publisher, o *mqttseal.WriterOptions) (*mqttseal.Writer, *client) {
	t.Helper()
	c := b.connect(t, session{id: "device-7"})
	w, err := mqttseal.NewWriter(c, pub, "device-7", o)
	require.NoError(t, err)
	return w, c
}

func write(t testing.TB, w *mqttseal.Writer, text string) {
	t.Helper()
	p := &paho.Publish{Topic: readings, QoS: 1, Payload: []byte(text)}
	_, err := w.Publish(context.Background(), p)
	require.NoError(t, err)
	require.Equal(t, text, string(p.Payload))
}

func TestWriteOnly(t *testing.T) { eachBroker(t, testWriteOnly) }

// testWriteOnly has a consumer that is there, and one that comes late and knows the key by the retained key message alone.
func testWriteOnly(t *testing.T, b *broker) {
	keys := newPair(t)
	here := runInbox(t, with(keys.subscriber(t, nil)), nil)
	consumer := b.connect(t, session{id: "here", manual: true, receive: here.Receive})
	consumer.subscribe(t, mqttseal.Subscriptions("devices/+/readings", 1)...)
	w, _ := device(t, b, keys.publisher(t, readings, nil), nil)
	write(t, w, "1")
	write(t, w, "2")
	require.Equal(t, "1", next(t, here.handled))
	require.Equal(t, "2", next(t, here.handled))

	late := runInbox(t, with(keys.subscriber(t, nil)), nil)
	b.connect(t, session{id: "late", receive: late.Receive}).subscribe(t, mqttseal.Subscriptions("devices/+/readings", 1)...)
	write(t, w, "3")
	require.Equal(t, "3", next(t, late.handled))
	require.Equal(t, "3", next(t, here.handled))
	require.Empty(t, here.aside)
	require.Empty(t, late.aside)
}

func TestMissedKey(t *testing.T) { eachBroker(t, testMissedKey) }

// testMissedKey publishes payloads before their key message: they wait, and are handled in their order when it comes. Another device is not held up by them.
func testMissedKey(t *testing.T, b *broker) {
	keys := newPair(t)
	in := runInbox(t, with(keys.subscriber(t, nil)), nil)
	consumer := b.connect(t, session{id: "consumer", manual: true, receive: in.Receive})
	consumer.subscribe(t, mqttseal.Subscriptions("devices/+/readings", 1)...)
	pub := keys.publisher(t, readings, nil)
	w, c := device(t, b, pub, nil)
	var want []string
	for i := range 9 {
		text := fmt.Sprint(i)
		payload, key, err := pub.Seal(t.Context(), message.Record{Value: []byte(text)})
		require.NoError(t, err)
		require.NotEmpty(t, key) // and it is not published
		c.publish(t, &paho.Publish{Topic: readings, QoS: 1, Payload: payload})
		want = append(want, text)
	}
	other := keys.publisher(t, "devices/8/readings", nil)
	on, err := mqttseal.NewWriter(c, other, "device-8", nil)
	require.NoError(t, err)
	_, err = on.Publish(t.Context(), &paho.Publish{Topic: "devices/8/readings", QoS: 1, Payload: []byte("of 8")})
	require.NoError(t, err)
	require.Equal(t, "of 8", next(t, in.handled))
	require.Eventually(t, func() bool { return in.Waiting() == len(want) }, patience, pause)

	write(t, w, "9") // brings the key message
	for _, text := range append(want, "9") {
		require.Equal(t, text, next(t, in.handled))
	}
	require.Zero(t, in.Waiting())
	require.Empty(t, in.aside)
}

func TestManyWait(t *testing.T) { eachBroker(t, testManyWait) }

// testManyWait has more payloads wait than Mosquitto has under way to a client. The key message gets through all the same.
func testManyWait(t *testing.T, b *broker) {
	keys := newPair(t)
	in := runInbox(t, with(keys.subscriber(t, nil)), nil)
	b.connect(t, session{id: "consumer", manual: true, receive: in.Receive}).subscribe(t, mqttseal.Subscriptions(readings, 1)...)
	pub := keys.publisher(t, readings, nil)
	w, c := device(t, b, pub, nil)
	const many, underWay = 50, 20
	for i := range many {
		payload, _, err := pub.Seal(t.Context(), message.Record{Value: []byte(fmt.Sprint(i))})
		require.NoError(t, err)
		c.publish(t, &paho.Publish{Topic: readings, QoS: 1, Payload: payload})
	}
	require.Eventually(t, func() bool { return in.Waiting() >= underWay }, patience, pause)
	write(t, w, fmt.Sprint(many))
	for i := range many + 1 {
		require.Equal(t, fmt.Sprint(i), next(t, in.handled))
	}
	require.Empty(t, in.aside)
}

func TestRestart(t *testing.T) { eachBroker(t, testRestart) }

// testRestart has a device publish while no consumer is there, and start anew: with what it saved all that it has published opens, and without only what is new.
func testRestart(t *testing.T, b *broker) {
	for _, saves := range []bool{true, false} {
		t.Run(fmt.Sprintf("saves=%v", saves), func(t *testing.T) {
			keys := newPair(t)
			id := fmt.Sprintf("consumer-%v", saves)
			away := b.connect(t, session{id: id, lasting: true})
			away.subscribe(t, mqttseal.Subscriptions(readings, 1)...)
			away.kill()
			var saved []byte
			save := func(_ context.Context, key []byte) error {
				if saves {
					saved = key
				}
				return nil
			}
			for _, text := range []string{"before", "after"} {
				w, c := device(t, b, keys.publisher(t, readings, &message.PublisherOptions{Last: saved}), &mqttseal.WriterOptions{Save: save})
				write(t, w, text)
				c.publish(t, &paho.Publish{Topic: "done", QoS: 1, Payload: []byte(control)}) // mochi acknowledges before it distributes: now it has
				require.NoError(t, c.Disconnect(&paho.Disconnect{}))
			}
			in := runInbox(t, with(keys.subscriber(t, &message.SubscriberOptions{UnknownKeyFor: -1})), nil)
			if saves {
				in = runInbox(t, with(keys.subscriber(t, nil)), nil)
			}
			// What the broker has for the session may come before the retained key.
			back := b.connect(t, session{id: id, lasting: true, manual: true, receive: in.Receive})
			back.subscribe(t, mqttseal.Subscriptions(readings, 1)...)
			if saves {
				got := []string{next(t, in.handled), next(t, in.handled)}
				require.ElementsMatch(t, []string{"before", "after"}, got)
				require.Empty(t, in.aside)
				return
			}
			require.Error(t, next(t, in.aside)) // nobody announces the key of what came before
		})
	}
}

func TestSubscriptions(t *testing.T) {
	tests := []struct{ filter, keys string }{
		{"devices/7/readings", "devices/7/readings/keys/+"},
		{"devices/+/readings", "devices/+/readings/keys/+"},
		{"$share/group/devices/+/readings", "devices/+/readings/keys/+"},
		{"devices/#", ""},
	}
	for _, tt := range tests {
		all := mqttseal.Subscriptions(tt.filter, 1)
		require.Equal(t, paho.SubscribeOptions{Topic: tt.filter, QoS: 1}, all[len(all)-1], tt.filter)
		if tt.keys == "" {
			require.Len(t, all, 1)
			continue
		}
		require.Equal(t, paho.SubscribeOptions{Topic: tt.keys}, all[0])
	}
}
