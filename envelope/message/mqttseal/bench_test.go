package mqttseal_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
)

// way is what is done to a message on its way out and in.
type way struct {
	name string
	out  func(b *testing.B, p *paho.Publish) *paho.Publish
	in   func(b *testing.B, p *paho.Publish)
}

func ways(b *testing.B) (plain, keyring, writeOnly way) {
	b.Helper()
	ring, keys := newRing(b), newPair(b)
	acme, topic := ring.Tenant("acme"), newTopic(b, ring, readings, nil)
	pub, sub := keys.publisher(b, readings, nil), keys.subscriber(b, nil)
	_, key, err := pub.Seal(b.Context(), message.Record{Value: []byte("x")})
	require.NoError(b, err)
	_, err = sub.Open(b.Context(), message.Record{Topic: readings, Value: key})
	require.ErrorIs(b, err, message.ErrKeyMessage)
	pub.Announced(key)
	must := func(b *testing.B, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	plain = way{"plain", func(_ *testing.B, p *paho.Publish) *paho.Publish { return p }, func(*testing.B, *paho.Publish) {}}
	keyring = way{"keyring", func(b *testing.B, p *paho.Publish) *paho.Publish {
		sealed, err := mqttseal.Seal(b.Context(), topic, acme, p)
		must(b, err)
		return sealed
	}, func(b *testing.B, p *paho.Publish) {
		_, err := mqttseal.Open(b.Context(), topic, acme, p)
		must(b, err)
	}}
	writeOnly = way{"writeonly", func(b *testing.B, p *paho.Publish) *paho.Publish {
		payload, _, err := pub.Seal(b.Context(), message.Record{Value: p.Payload})
		must(b, err)
		sealed := *p
		sealed.Payload = payload
		return &sealed
	}, func(b *testing.B, p *paho.Publish) {
		_, err := mqttseal.OpenWith(b.Context(), sub, p)
		must(b, err)
	}}
	return plain, keyring, writeOnly
}

// BenchmarkBroker takes a message from a client over mochi to another, by turns as it is and sealed. The ratio is how much of the messages a second remains with sealing.
func BenchmarkBroker(b *testing.B) {
	plain, keyring, writeOnly := ways(b)
	for _, sealing := range []way{keyring, writeOnly} {
		for qos := range byte(2) {
			for _, size := range []int{100, 1024} {
				b.Run(fmt.Sprintf("way=%s/qos=%d/size=%d", sealing.name, qos, size), func(b *testing.B) {
					benchBroker(b, plain, sealing, &paho.Publish{Topic: readings, QoS: qos, Payload: make([]byte, size)})
				})
			}
		}
	}
}

const batch = 200 // messages under way at once, so that a turn is not all waiting

func benchBroker(b *testing.B, plain, sealing way, p *paho.Publish) {
	broker := startMochi(b, false)
	var now atomic.Pointer[way]
	came := make(chan struct{}, batch)
	broker.connect(b, session{id: "consumer", receive: func(r paho.PublishReceived) (bool, error) {
		now.Load().in(b, r.Packet)
		came <- struct{}{}
		return true, nil
	}}).subscribe(b, paho.SubscribeOptions{Topic: p.Topic, QoS: p.QoS})
	producer := broker.connect(b, session{id: "producer"})
	var spent [2]time.Duration
	turns := 0
	for b.Loop() {
		for i, w := range []way{plain, sealing} {
			now.Store(&w)
			start := time.Now()
			for range batch {
				if _, err := producer.Publish(b.Context(), w.out(b, p)); err != nil {
					b.Fatal(err)
				}
			}
			for range batch {
				<-came
			}
			spent[i] += time.Since(start)
		}
		turns++
	}
	n := float64(turns * batch)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(n/spent[0].Seconds(), "plain/s")
	b.ReportMetric(n/spent[1].Seconds(), "sealed/s")
	b.ReportMetric(float64(spent[0])/float64(spent[1]), "ratio")
}

// BenchmarkSealOpen is what sealing and opening take alone.
func BenchmarkSealOpen(b *testing.B) {
	_, keyring, writeOnly := ways(b)
	for _, w := range []way{keyring, writeOnly} {
		for _, size := range []int{100, 1024} {
			p := &paho.Publish{Topic: readings, Payload: make([]byte, size)}
			sealed := w.out(b, p)
			b.Run(fmt.Sprintf("way=%s/op=seal/size=%d", w.name, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					w.out(b, p)
				}
			})
			b.Run(fmt.Sprintf("way=%s/op=open/size=%d", w.name, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					w.in(b, sealed)
				}
			})
		}
	}
}
