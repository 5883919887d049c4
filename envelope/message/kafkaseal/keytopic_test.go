package kafkaseal_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/kms/kmstest"
	"github.com/holdfast-go/holdfast/kms/local"
)

// keyMessage returns a key message and a payload under its key, of a publisher to "pos".
func keyMessage(t testing.TB, key *kms.Key, o *message.PublisherOptions, value string) (keyMessage, payload []byte) {
	t.Helper()
	pub, err := message.NewPublisher(key, "pos", o)
	require.NoError(t, err)
	defer pub.Close()
	payload, keyMessage, err = pub.Seal(t.Context(), message.Record{Value: []byte(value)})
	require.NoError(t, err)
	require.True(t, message.IsKeyMessage(keyMessage))
	return keyMessage, payload
}

// put produces a record as it is.
func put(t testing.TB, c *kgo.Client, topic string, values ...[]byte) {
	t.Helper()
	for _, v := range values {
		require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: v}).FirstErr())
	}
}

// TestKeyTopicHasAll: the key topic has a key message for each publisher and one alone, under a key of its own, so that compaction keeps them.
func TestKeyTopicHasAll(t *testing.T) {
	f := newFleet(t)
	for range 3 {
		f.send(t, f.writer(t), "1", "2", "3")
	}
	reader := newClient(t, f.addrs, kgo.ConsumeTopics("pos.keys"))
	keys := map[string]bool{}
	for n := 0; n < 3; {
		for _, r := range reader.PollFetches(t.Context()).Records() {
			require.True(t, message.IsKeyMessage(r.Value))
			require.Len(t, r.Key, 32)
			keys[string(r.Key)] = true
			n++
		}
	}
	require.Len(t, keys, 3)
	admin := newClient(t, f.addrs)
	require.EqualValues(t, 3, records(t, admin, "pos.keys"), "there are no others")
	require.EqualValues(t, 9, records(t, admin, "pos"))
}

// records tells how many records a topic has.
func records(t testing.TB, c *kgo.Client, topic string) (n int64) {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	of := kmsg.NewListOffsetsRequestTopic()
	of.Topic = topic
	for p := range int32(2) {
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Partition, part.Timestamp = p, -1 // its end
		of.Partitions = append(of.Partitions, part)
	}
	req.Topics = append(req.Topics, of)
	resp, err := req.RequestWith(t.Context(), c)
	require.NoError(t, err)
	for _, p := range resp.Topics[0].Partitions {
		require.NoError(t, kerr.ErrorForCode(p.ErrorCode))
		n += p.Offset
	}
	return n
}

// TestKeyTopicRefused: while the broker refuses the key message there is no payload. It is produced again as soon as it is taken, and once.
func TestKeyTopicRefused(t *testing.T) {
	cluster := newCluster(t, "pos", "pos.keys")
	f := &fleet{addrs: cluster.ListenAddrs(), fake: kmstest.NewFake("k")}
	f.key, f.c = newKey(t, f.fake), newClient(t, f.addrs)
	var refuse atomic.Bool
	refuse.Store(true)
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if !refuse.Load() {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			out := kmsg.NewProduceResponseTopic()
			out.Topic, out.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				part := kmsg.NewProduceResponseTopicPartition()
				part.Partition, part.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
				out.Partitions = append(out.Partitions, part)
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp, nil, true
	})
	w := f.writer(t)
	for range 2 {
		sealed, err := w.Seal(t.Context(), &kgo.Record{Value: []byte("1")})
		require.ErrorIs(t, err, kerr.TopicAuthorizationFailed)
		require.Nil(t, sealed)
	}
	refuse.Store(false)
	f.send(t, w, "2", "3")
	s, _ := f.subscriber(t, time.Minute)
	consume(t, f.addrs, "g", kafkaseal.OpenWith(s), nil, "pos").got(t, "2", "3")
	require.EqualValues(t, 1, records(t, f.c, "pos.keys"))
}

// TestKeyTopicMissed: payloads are there before their key message. They wait, in their order, and go on when it comes.
func TestKeyTopicMissed(t *testing.T) {
	f := newFleet(t)
	pub, err := message.NewPublisher(f.key, "pos", nil)
	require.NoError(t, err)
	defer pub.Close()
	var missed []byte
	for _, v := range numbers(0, 5) {
		payload, keyMessage, err := pub.Seal(t.Context(), message.Record{Key: []byte("one partition"), Value: []byte(v)})
		require.NoError(t, err)
		require.NotNil(t, keyMessage, "it comes until it is announced")
		require.True(t, missed == nil || bytes.Equal(missed, keyMessage))
		missed = keyMessage
		require.NoError(t, f.c.ProduceSync(t.Context(), &kgo.Record{Topic: "pos", Key: []byte("one partition"), Value: payload}).FirstErr())
	}
	s, _ := f.subscriber(t, time.Minute)
	in := consume(t, f.addrs, "g", kafkaseal.OpenWith(s), nil, "pos")
	in.until(t, "retries", func() bool { return in.Stats().Retries >= 3 })
	require.Zero(t, in.Stats().Handled)
	put(t, f.c, "pos.keys", missed)
	in.got(t, numbers(0, 5)...)
	require.True(t, in.has(func() bool { return slices.Equal(in.values, numbers(0, 5)) }), "in their order")
	require.Empty(t, in.Stats().Aside)
}

// TestKeyTopicForged: whoever may write to the key topic can't end ReadKeys or keep it from the key messages behind, whatever the identity is.
func TestKeyTopicForged(t *testing.T) {
	fake := func(t *testing.T) (recipient, identity *kms.Key) {
		f := kmstest.NewFake("k")
		return newKey(t, f), newKey(t, f)
	}
	file := func(t *testing.T) (recipient, identity *kms.Key) {
		f, err := local.Create(t.TempDir()+"/key.json", nil)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f.Key(), f.Key()
	}
	pair := func(t *testing.T) (recipient, identity *kms.Key) {
		private, err := hpke.GenerateKey(0)
		if errors.Is(err, kms.ErrUnsupported) {
			t.Skip("the FIPS module in force has no HPKE")
		}
		require.NoError(t, err)
		recipient, err = hpke.NewRecipient(private.Public(), nil)
		require.NoError(t, err)
		t.Cleanup(func() { recipient.Close() })
		identity, err = hpke.NewIdentity(private, nil)
		require.NoError(t, err)
		t.Cleanup(func() { identity.Close() })
		return recipient, identity
	}
	for name, pairOf := range map[string]func(*testing.T) (recipient, identity *kms.Key){"fake": fake, "local": file, "hpke": pair} {
		t.Run(name, func(t *testing.T) {
			recipient, identity := pairOf(t)
			other, _ := pairOf(t)
			testForged(t, recipient, identity, other)
		})
	}
}

func testForged(t *testing.T, recipient, identity, other *kms.Key) {
	addrs := newCluster(t, "pos", "pos.keys").ListenAddrs()
	c := newClient(t, addrs)
	junk := [][]byte{[]byte("plaintext"), {0xf8, 1}, {0xf5}, nil}
	alien, _ := keyMessage(t, other, nil, "x")
	elsewhere, _ := keyMessage(t, recipient, &message.PublisherOptions{Context: kms.Context{"deployment": "other"}}, "x")
	junk = append(junk, alien, elsewhere)
	mutated, _ := keyMessage(t, recipient, nil, "x")
	step := 1 + len(mutated)/300 // of hpke it is long
	for i := 2; i < len(mutated); i += step {
		forged := bytes.Clone(mutated)
		forged[i] ^= 1
		junk = append(junk, forged)
	}
	sent := make([]*kgo.Record, len(junk))
	for i, v := range junk {
		sent[i] = &kgo.Record{Topic: "pos.keys", Key: []byte("one partition"), Value: v}
	}
	require.NoError(t, c.ProduceSync(t.Context(), sent...).FirstErr())
	good, payload := keyMessage(t, recipient, nil, "good")
	require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Topic: "pos.keys", Key: []byte("one partition"), Value: good}).FirstErr())
	put(t, c, "pos", payload)

	sub, err := message.NewSubscriber(identity, &message.SubscriberOptions{UnknownKeyFor: time.Minute})
	require.NoError(t, err)
	defer sub.Close()
	var mu sync.Mutex
	skipped := map[string]int{}
	stop := reads(t, addrs, sub, func(_ *kgo.Record, err error) {
		mu.Lock()
		defer mu.Unlock()
		skipped[envelope.Class(err)]++
	})
	in := consume(t, addrs, "g", kafkaseal.OpenWith(sub), nil, "pos")
	in.got(t, "good")
	require.ErrorIs(t, stop(), context.Canceled)
	n := 0
	for _, times := range skipped {
		n += times
	}
	t.Log(skipped)
	require.Equal(t, len(junk), n, "each is told")
}

// reads runs ReadKeys until stop, which returns what that did.
func reads(t testing.TB, addrs []string, sub *message.Subscriber, skipped func(*kgo.Record, error)) (stop func() error) {
	t.Helper()
	client := newClient(t, addrs, kgo.ConsumeTopics("pos.keys"), kgo.FetchMaxWait(100*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- kafkaseal.ReadKeys(ctx, client, sub, skipped) }()
	stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		client.Close()
		return err
	})
	t.Cleanup(func() { stop() })
	return stop
}

// TestKeyTopicEnds: ReadKeys says that its client or its Subscriber is closed, in place of waiting for ever.
func TestKeyTopicEnds(t *testing.T) {
	f := newFleet(t)
	s, err := message.NewSubscriber(f.key, nil)
	require.NoError(t, err)
	client := newClient(t, f.addrs, kgo.ConsumeTopics("pos.keys"))
	client.Close()
	require.ErrorIs(t, kafkaseal.ReadKeys(t.Context(), client, s, nil), kgo.ErrClientClosed)
	require.NoError(t, s.Close())
	f.send(t, f.writer(t), "1")
	require.ErrorIs(t, kafkaseal.ReadKeys(t.Context(), newClient(t, f.addrs, kgo.ConsumeTopics("pos.keys")), s, nil), envelope.ErrClosed)
}

// TestKeyTopicOutage: an outage at a key message holds up that process alone, and what it reads is in no hurry: nothing is passed over.
func TestKeyTopicOutage(t *testing.T) {
	f := newFleet(t)
	away := f.fake.Driver()
	k, err := kms.NewKey(away, &kms.Options{Attempts: 1, BreakAfter: 1000})
	require.NoError(t, err)
	defer k.Close()
	f.fake.Always(kmstest.Fault{Driver: away, Op: "unwrap", Err: kms.ErrUnavailable})
	f.send(t, f.writer(t), "1")
	f.send(t, f.writer(t), "2")

	cut, err := message.NewSubscriber(k, &message.SubscriberOptions{UnknownKeyFor: time.Minute})
	require.NoError(t, err)
	defer cut.Close()
	skipped := f.readKeys(t, cut)
	waiting := consume(t, f.addrs, "cut", kafkaseal.OpenWith(cut), nil, "pos")
	whole, _ := f.subscriber(t, time.Minute)
	consume(t, f.addrs, "whole", kafkaseal.OpenWith(whole), nil, "pos").got(t, "1", "2")
	waiting.until(t, "tries", func() bool {
		return waiting.Stats().Retries > 0 && len(slices.DeleteFunc(f.fake.Calls(), func(c kmstest.Call) bool { return c.Op != "unwrap" || c.Err == nil })) >= 2
	})
	require.Zero(t, waiting.Stats().Handled)
	f.fake.Always()
	waiting.got(t, "1", "2")
	require.Zero(t, skipped.Load())
}

// refusing is a KMS that refuses the first key that it is asked for, and no other.
type refusing struct {
	kms.Driver
	mu    sync.Mutex
	first []byte
	cause atomic.Pointer[error]
}

func (d *refusing) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	d.mu.Lock()
	if d.first == nil {
		d.first = w.Blob
	}
	first := bytes.Equal(d.first, w.Blob)
	d.mu.Unlock()
	if cause := d.cause.Load(); first && cause != nil {
		return nil, *cause
	}
	return d.Driver.Unwrap(ctx, w, ec)
}

// TestKeyTopicRefusedKey: a key message whose key the KMS refuses holds up no other, and is taken in when that is undone. One whose key is destroyed is passed over.
func TestKeyTopicRefusedKey(t *testing.T) {
	for _, cause := range []error{kms.ErrDestroyed, kms.ErrDisabled} {
		t.Run(cause.Error(), func(t *testing.T) {
			f := newFleet(t)
			c := newClient(t, f.addrs)
			first, old := keyMessage(t, f.key, nil, "old")
			second, payload := keyMessage(t, f.key, nil, "new")
			for _, m := range [][]byte{first, second} {
				require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Topic: "pos.keys", Key: []byte("one partition"), Value: m}).FirstErr())
			}
			put(t, c, "pos", payload)
			driver := &refusing{Driver: f.fake.Driver()}
			driver.cause.Store(&cause)
			k, err := kms.NewKey(driver, &kms.Options{Attempts: 1, BreakAfter: 1000})
			require.NoError(t, err)
			defer k.Close()
			s, err := message.NewSubscriber(k, &message.SubscriberOptions{UnknownKeyFor: time.Minute})
			require.NoError(t, err)
			defer s.Close()
			var told atomic.Int64
			stop := reads(t, f.addrs, s, func(*kgo.Record, error) { told.Add(1) })
			in := consume(t, f.addrs, "g", kafkaseal.OpenWith(s), nil, "pos")
			in.got(t, "new")
			if cause == kms.ErrDisabled {
				driver.cause.Store(nil)
				put(t, c, "pos", old)
				in.got(t, "old", "new")
			}
			require.ErrorIs(t, stop(), context.Canceled)
			require.Equal(t, cause == kms.ErrDestroyed, told.Load() == 1)
		})
	}
}
