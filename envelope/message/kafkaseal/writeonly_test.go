package kafkaseal_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// fleet is a cluster with write-only producers, and the key of those who read.
type fleet struct {
	addrs []string
	fake  *kmstest.Fake
	key   *kms.Key
	c     *kgo.Client
}

func newFleet(t testing.TB) *fleet {
	t.Helper()
	f := &fleet{addrs: newCluster(t, "pos", "pos.keys").ListenAddrs(), fake: kmstest.NewFake("k")}
	f.key, f.c = newKey(t, f.fake), newClient(t, f.addrs)
	return f
}

func (f *fleet) writer(t testing.TB) *kafkaseal.Writer {
	t.Helper()
	pub, err := message.NewPublisher(f.key, "pos", &message.PublisherOptions{Sender: "truck"})
	require.NoError(t, err)
	t.Cleanup(func() { pub.Close() })
	w, err := kafkaseal.NewWriter(f.c, pub)
	require.NoError(t, err)
	return w
}

func (f *fleet) send(t testing.TB, w *kafkaseal.Writer, values ...string) {
	t.Helper()
	for _, v := range values {
		r, err := w.Seal(t.Context(), &kgo.Record{Key: []byte(v), Value: []byte(v)})
		require.NoError(t, err)
		require.NoError(t, f.c.ProduceSync(t.Context(), r).FirstErr())
	}
}

// subscriber returns one that has keys as they are read, and how many records of the key topic were passed over.
func (f *fleet) subscriber(t testing.TB, patience time.Duration) (s *message.Subscriber, skipped *atomic.Int64) {
	t.Helper()
	s, err := message.NewSubscriber(f.key, &message.SubscriberOptions{UnknownKeyFor: patience})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s, f.readKeys(t, s)
}

func (f *fleet) readKeys(t testing.TB, s *message.Subscriber) *atomic.Int64 {
	t.Helper()
	client := newClient(t, f.addrs, kgo.ConsumeTopics(kafkaseal.KeyTopic("pos")), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	done, skipped := make(chan error, 1), &atomic.Int64{}
	go func() {
		done <- kafkaseal.ReadKeys(ctx, client, s, func(*kgo.Record, error) { skipped.Add(1) })
	}()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
	return skipped
}

// TestWriteOnly: several producers and two processes that read, one from the start and one that comes late. What is no key message is passed over.
func TestWriteOnly(t *testing.T) {
	f := newFleet(t)
	first, second := f.writer(t), f.writer(t)
	s, _ := f.subscriber(t, time.Minute)
	in := consume(t, f.addrs, "g", kafkaseal.OpenWith(s), nil, "pos")
	f.send(t, first, "1", "2")
	require.NoError(t, f.c.ProduceSync(t.Context(), &kgo.Record{Topic: "pos.keys", Value: []byte("junk")}).FirstErr())
	require.NoError(t, f.c.ProduceSync(t.Context(), &kgo.Record{Topic: "pos.keys", Value: []byte{0xf8, 1, 0, 1, 'x'}}).FirstErr())
	f.send(t, second, "3")
	f.send(t, first, "4")
	in.got(t, "1", "2", "3", "4")

	late, skipped := f.subscriber(t, time.Minute)
	consume(t, f.addrs, "late", kafkaseal.OpenWith(late), nil, "pos").got(t, "1", "2", "3", "4")
	require.EqualValues(t, 2, skipped.Load())
}

// TestLateKeys: payloads whose keys a process has not read yet are retried.
func TestLateKeys(t *testing.T) {
	f := newFleet(t)
	f.send(t, f.writer(t), "1", "2")
	s, err := message.NewSubscriber(f.key, nil)
	require.NoError(t, err)
	defer s.Close()
	in := consume(t, f.addrs, "g", kafkaseal.OpenWith(s), nil, "pos")
	in.until(t, "retries", func() bool { return in.Stats().Retries >= 2 })
	require.Empty(t, in.values)
	f.readKeys(t, s)
	in.got(t, "1", "2")
}

// TestKeysInOutage: while the KMS is away, or refuses, no payload is given up, and all open when it is back.
func TestKeysInOutage(t *testing.T) {
	for name, cause := range map[string]error{"outage": kms.ErrUnavailable, "denied": kms.ErrAccessDenied} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			f.send(t, f.writer(t), "1")
			f.fake.Always(kmstest.Fault{Err: cause})
			s, skipped := f.subscriber(t, time.Second)
			in := consume(t, f.addrs, "g", kafkaseal.OpenWith(s), nil, "pos")
			in.until(t, "retries", func() bool { return in.Stats().Retries >= 4 })
			require.Empty(t, in.Stats().Aside)
			f.fake.Always()
			in.got(t, "1")
			require.Zero(t, skipped.Load())
		})
	}
}

// TestKeyMessageFirst: a payload is not there where its key message could not be produced.
func TestKeyMessageFirst(t *testing.T) {
	f := newFleet(t)
	closed := newClient(t, f.addrs)
	pub, err := message.NewPublisher(f.key, "pos", nil)
	require.NoError(t, err)
	defer pub.Close()
	w, err := kafkaseal.NewWriter(closed, pub)
	require.NoError(t, err)
	closed.Close()
	_, err = w.Seal(t.Context(), &kgo.Record{Value: []byte("x")})
	require.ErrorIs(t, err, kgo.ErrClientClosed)
	require.Equal(t, envelope.Hold, envelope.ActionFor(err))
	_, err = w.Seal(t.Context(), nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.False(t, errors.Is(err, kgo.ErrClientClosed))
}
