package kafkaseal_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// way is what is done to a record on its way out and in.
type way struct {
	name string
	out  func(ctx context.Context, r *kgo.Record) (*kgo.Record, error)
	in   func(ctx context.Context, r *kgo.Record) error
}

// ways returns them, all for the topic "orders".
func ways(b *testing.B) (plain, keyring, full, writeOnly way) {
	b.Helper()
	rig := newRig(b)
	acme := rig.ring.Tenant("acme")
	of := func(name string, o message.TopicOptions) way {
		topic := newTopic(b, rig.ring, "orders", o)
		open := kafkaseal.OpenTopic(topic)
		return way{
			name, func(ctx context.Context, r *kgo.Record) (*kgo.Record, error) {
				return kafkaseal.Seal(ctx, topic, acme, r)
			},
			func(ctx context.Context, r *kgo.Record) error { _, err := open(ctx, r); return err },
		}
	}
	key := newKey(b, kmstest.NewFake("reader"))
	pub, err := message.NewPublisher(key, "orders", nil)
	require.NoError(b, err)
	b.Cleanup(func() { pub.Close() })
	sub, err := message.NewSubscriber(key, nil)
	require.NoError(b, err)
	b.Cleanup(func() { sub.Close() })
	writer, err := kafkaseal.NewWriter(newClient(b, newCluster(b, "orders", "orders.keys").ListenAddrs()), pub)
	require.NoError(b, err)
	_, announced, err := pub.Seal(b.Context(), message.Record{Value: []byte("x")})
	require.NoError(b, err)
	_, err = sub.Open(b.Context(), message.Record{Topic: "orders", Value: announced})
	require.ErrorIs(b, err, message.ErrKeyMessage)
	with := kafkaseal.OpenWith(sub)
	return way{"plain", func(_ context.Context, r *kgo.Record) (*kgo.Record, error) { return r, nil }, func(context.Context, *kgo.Record) error { return nil }},
		of("keyring", message.TopicOptions{}),
		of("full", message.TopicOptions{Sender: "shop", TokenKeys: true, Pad: true}),
		way{"writeonly", writer.Seal, func(ctx context.Context, r *kgo.Record) error { _, err := with(ctx, r); return err }}
}

func benchRecord(size int) *kgo.Record {
	return &kgo.Record{Topic: "orders", Key: []byte("0198c0de-7e57-7000-8000-00000000002a"), Value: make([]byte, size)}
}

const benchTurn = 1000 // records that are produced together, so that a turn is not all waiting

// BenchmarkBroker takes records from a client over kfake to another, by turns as they are and sealed. The ratio is how much of the records a second remains with sealing; allocations are of client, broker and sealing together.
func BenchmarkBroker(b *testing.B) {
	plain, keyring, full, writeOnly := ways(b)
	for _, sealing := range []way{keyring, full, writeOnly} {
		for _, size := range []int{100, 1024} {
			b.Run(fmt.Sprintf("way=%s/size=%d", sealing.name, size), func(b *testing.B) { benchBroker(b, plain, sealing, size) })
		}
	}
}

func benchBroker(b *testing.B, plain, sealing way, size int) {
	addrs := newCluster(b, "orders").ListenAddrs()
	producer := newClient(b, addrs, kgo.ProducerBatchCompression(kgo.NoCompression())) // of which plaintext alone would gain
	consumer := newClient(b, addrs, kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.FetchMaxWait(100*time.Millisecond))
	turn := func(w way) (time.Duration, uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		records := make([]*kgo.Record, benchTurn)
		for i := range records {
			r, err := w.out(b.Context(), benchRecord(size))
			if err != nil {
				b.Fatal(err)
			}
			records[i] = r
		}
		if err := producer.ProduceSync(b.Context(), records...).FirstErr(); err != nil {
			b.Fatal(err)
		}
		for came := 0; came < benchTurn; {
			fetches := consumer.PollFetches(b.Context())
			if err := fetches.Err(); err != nil {
				b.Fatal(err)
			}
			for _, r := range fetches.Records() {
				if err := w.in(b.Context(), r); err != nil {
					b.Fatal(err)
				}
				came++
			}
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		return took, after.Mallocs - before.Mallocs
	}
	var spent [2]time.Duration
	var allocs [2]uint64
	turns := 0
	for b.Loop() {
		for i, w := range []way{plain, sealing} {
			took, n := turn(w)
			spent[i] += took
			allocs[i] += n
		}
		turns++
	}
	n := float64(turns * benchTurn)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(n/spent[0].Seconds(), "plain/s")
	b.ReportMetric(n/spent[1].Seconds(), "sealed/s")
	b.ReportMetric(float64(spent[0])/float64(spent[1]), "ratio")
	b.ReportMetric(float64(allocs[0])/n, "plain-allocs")
	b.ReportMetric(float64(allocs[1])/n, "sealed-allocs")
}

// BenchmarkSealOpen is what sealing and opening take alone.
func BenchmarkSealOpen(b *testing.B) {
	_, keyring, full, writeOnly := ways(b)
	for _, w := range []way{keyring, full, writeOnly} {
		for _, size := range []int{100, 1024} {
			r := benchRecord(size)
			sealed, err := w.out(b.Context(), r)
			require.NoError(b, err)
			run := func(op string, one func() error) {
				b.Run(fmt.Sprintf("way=%s/op=%s/size=%d", w.name, op, size), func(b *testing.B) {
					b.SetBytes(int64(size))
					b.ReportAllocs()
					for b.Loop() {
						if err := one(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			run("seal", func() error { _, err := w.out(b.Context(), r); return err })
			run("open", func() error { return w.in(b.Context(), sealed) })
		}
	}
}
