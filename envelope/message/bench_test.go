package message_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// BenchmarkMessage pairs messages with the bare record of the same tenant: AppendSeal and AppendOpen into a new slice.
func BenchmarkMessage(b *testing.B) {
	ring := envelopetest.New(b, nil)
	acme, ctx := ring.Tenant("acme"), b.Context()
	key, place := []byte("0198c0de-7e57-7000-8000-00000000002a"), envelope.Bind("message", "orders", "", "")
	for _, size := range []int{100, 1024} {
		value := make([]byte, size)
		record, err := acme.Seal(ctx, value, place)
		require.NoError(b, err)
		run := func(name string, one func() error) {
			b.Run(fmt.Sprintf("%s/size=%d", name, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if err := one(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("op=seal/form=record", func() error { _, err := acme.Seal(ctx, value, place); return err })
		run("op=open/form=record", func() error { _, err := acme.Open(ctx, record, place); return err })
		for name, o := range map[string]*message.TopicOptions{
			"plain": nil,
			"full":  {Sender: "shop", TokenKeys: true, Pad: true},
		} {
			topic := mustTopic(b, ring, "orders", o)
			r := message.Record{Value: value}
			got := message.Record{}
			if o != nil {
				r.Key = key
				got.Key, err = topic.KeyToken(ctx, acme, key)
				require.NoError(b, err)
			}
			got.Value = mustSeal(b, topic, acme, r)
			run("op=seal/form="+name, func() error { _, err := topic.Seal(ctx, acme, r); return err })
			run("op=open/form="+name, func() error { _, err := topic.Open(ctx, acme, got); return err })
		}
		k := fakeKey(b, kmstest.NewFake("k"))
		d, s := newDevice(b, k, nil), mustSubscriber(b, k, nil)
		payload := d.publish(b, string(value), s)
		run("op=seal/form=write-only", func() error { _, _, err := d.Seal(ctx, message.Record{Value: value}); return err })
		run("op=open/form=write-only", func() error {
			_, err := s.Open(ctx, message.Record{Topic: "fleet/7/pos", Value: payload})
			return err
		})
	}
}

// BenchmarkSubscriberState reports the memory of one publisher's key at a consumer, once its messages were opened.
func BenchmarkSubscriberState(b *testing.B) {
	k := fakeKey(b, kmstest.NewFake("k"))
	const n = 1000
	for b.Loop() {
		s := mustSubscriber(b, k, nil)
		type pair struct{ key, payload []byte }
		var sent []pair
		for range n {
			payload, key := newDevice(b, k, nil).seal(b, "x")
			sent = append(sent, pair{key, payload})
		}
		before := heap()
		for _, p := range sent {
			s.Open(b.Context(), message.Record{Topic: "fleet/7/pos", Value: p.key})
			opened(b, s, p.payload)
		}
		b.ReportMetric(float64(heap()-before)/n, "bytes/key")
		opened(b, s, sent[0].payload)
	}
}

// TestAllocations holds the promise of the plain form: the payload, and the value.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ring := envelopetest.New(t, nil)
	acme, ctx := ring.Tenant("acme"), t.Context()
	topic := mustTopic(t, ring, "orders", nil)
	to := envelope.Scope(acme)
	r := message.Record{Value: make([]byte, 100)}
	got := message.Record{Value: mustSeal(t, topic, acme, r)}
	sealing := testing.AllocsPerRun(100, func() { topic.Seal(ctx, to, r) })
	opening := testing.AllocsPerRun(100, func() { topic.Open(ctx, acme, got) })
	require.LessOrEqual(t, sealing, 1.0)
	require.LessOrEqual(t, opening, 1.0)
}
