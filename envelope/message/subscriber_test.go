package message_test

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestPublisherPlaces: what a publisher sealed opens at its own place alone.
func TestPublisherPlaces(t *testing.T) {
	fake := kmstest.NewFake("k")
	k := fakeKey(t, fake)
	own := kms.Context{"deployment": "prod", "tenant": "acme"}
	p, err := message.NewPublisher(k, "orders", &message.PublisherOptions{Context: own, Headers: []string{"type"}, Pad: true, Tombstones: true})
	require.NoError(t, err)
	own["tenant"] = "changed" // they are its own
	r := message.Record{Topic: "orders", Key: []byte("k"), Value: []byte("value"), Headers: headers("type", "new")}
	payload, key, err := p.Seal(t.Context(), r)
	require.NoError(t, err)
	r.Value = payload
	tombstone, none, err := p.Seal(t.Context(), message.Record{Key: []byte("k")})
	require.NoError(t, err)
	require.Nil(t, tombstone)
	require.Nil(t, none)

	options := func() *message.SubscriberOptions {
		return &message.SubscriberOptions{Context: kms.Context{"deployment": "prod", "tenant": "acme"}, Headers: []string{"type"}, Tombstones: true, Mirrors: map[string]string{"primary.orders": "orders"}}
	}
	for name, tt := range map[string]struct {
		options func(o *message.SubscriberOptions)
		change  func(r *message.Record)
		key     error
		payload error
	}{
		"as it was":     {nil, func(*message.Record) {}, nil, nil},
		"mirror":        {nil, func(r *message.Record) { r.Topic = "primary.orders" }, nil, nil},
		"topic":         {nil, func(r *message.Record) { r.Topic = "bills" }, nil, envelope.ErrOpen},
		"no topic":      {nil, func(r *message.Record) { r.Topic = "" }, nil, kms.ErrInvalid},
		"key":           {nil, func(r *message.Record) { r.Key = nil }, nil, envelope.ErrOpen},
		"header":        {nil, func(r *message.Record) { r.Headers = nil }, nil, envelope.ErrOpen},
		"other headers": {func(o *message.SubscriberOptions) { o.Headers = nil }, func(*message.Record) {}, nil, envelope.ErrOpen},
		"deployment":    {func(o *message.SubscriberOptions) { o.Context["deployment"] = "test" }, func(*message.Record) {}, envelope.ErrOpen, envelope.ErrUnknownKey},
		"tenant":        {func(o *message.SubscriberOptions) { o.Context["tenant"] = "other" }, func(*message.Record) {}, envelope.ErrOpen, envelope.ErrUnknownKey},
		"no context":    {func(o *message.SubscriberOptions) { o.Context = nil }, func(*message.Record) {}, envelope.ErrOpen, envelope.ErrUnknownKey},
		"altered":       {nil, func(r *message.Record) { r.Value[30] ^= 1 }, nil, envelope.ErrOpen},
		"cut":           {nil, func(r *message.Record) { r.Value = r.Value[:56] }, nil, envelope.ErrTruncated},
		"a stream":      {nil, func(r *message.Record) { r.Value[0] = 0xf7 }, nil, envelope.ErrFormat},
		"plaintext":     {nil, func(r *message.Record) { r.Value = []byte("value") }, nil, message.ErrNotSealed},
	} {
		t.Run(name, func(t *testing.T) {
			o := options()
			if tt.options != nil {
				tt.options(o)
			}
			s := mustSubscriber(t, k, o)
			_, err := s.Open(t.Context(), message.Record{Topic: "any/keys", Value: key})
			if tt.key != nil {
				require.ErrorIs(t, err, tt.key)
			} else {
				require.ErrorIs(t, err, message.ErrKeyMessage)
			}
			got := r
			got.Value = bytes.Clone(r.Value)
			tt.change(&got)
			m, err := s.Open(t.Context(), got)
			if tt.payload != nil {
				require.ErrorIs(t, err, tt.payload)
				require.Zero(t, m)
				return
			}
			require.NoError(t, err)
			require.Equal(t, message.Message{Key: []byte("k"), Value: []byte("value")}, m)
		})
	}
	s := mustSubscriber(t, k, options())
	m, err := s.Open(t.Context(), message.Record{Topic: "orders", Key: []byte("k")})
	require.NoError(t, err)
	require.True(t, m.Tombstone)
}

// TestForgedKeyMessage: a key that is another's, or was changed on its way, is not taken in.
func TestForgedKeyMessage(t *testing.T) {
	k := fakeKey(t, kmstest.NewFake("k"))
	d := newDevice(t, k, nil)
	payload, key := d.seal(t, "x")
	commitment := 2 + 2 + len("fleet/7/pos") + 1
	for name, at := range map[string]int{"topic": 6, "id": commitment, "rest of the commitment": commitment + 31, "wrapped key": len(key) - 1} {
		s := mustSubscriber(t, k, nil)
		forged := bytes.Clone(key)
		forged[at] ^= 1
		_, err := s.Open(t.Context(), message.Record{Topic: "t", Value: forged})
		require.ErrorIs(t, err, envelope.ErrOpen, name)
		require.Equal(t, envelope.Reject, envelope.ActionFor(err))
		_, err = s.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: payload})
		require.ErrorIs(t, err, envelope.ErrUnknownKey, name)
	}
	s := mustSubscriber(t, k, nil)
	for i := range key {
		_, err := s.Open(t.Context(), message.Record{Topic: "t", Value: key[:i]})
		require.Error(t, err, "%d bytes", i)
		require.NotErrorIs(t, err, message.ErrKeyMessage)
	}
}

// TestOutageOfTheKMS: an outage is one, on both sides, and is over when it is.
func TestOutageOfTheKMS(t *testing.T) {
	fake := kmstest.NewFake("k")
	k := fakeKey(t, fake)
	d := newDevice(t, k, nil)
	fake.Script(kmstest.Fault{Err: kms.ErrUnavailable})
	_, _, err := d.Seal(t.Context(), message.Record{Value: []byte("x")})
	require.ErrorIs(t, err, kms.ErrUnavailable)
	payload, key := d.seal(t, "x")
	s := mustSubscriber(t, k, nil)
	fake.Script(kmstest.Fault{Err: kms.ErrUnavailable})
	_, err = s.Open(t.Context(), message.Record{Topic: "k", Value: key})
	require.ErrorIs(t, err, kms.ErrUnavailable)
	require.Equal(t, envelope.Retry, envelope.ActionFor(err))
	_, err = s.Open(t.Context(), message.Record{Topic: "k", Value: key})
	require.ErrorIs(t, err, message.ErrKeyMessage)
	require.Equal(t, "x", opened(t, s, payload))
	calls := fake.Count("unwrap")
	_, err = s.Open(t.Context(), message.Record{Topic: "k", Value: key})
	require.ErrorIs(t, err, message.ErrKeyMessage)
	require.Equal(t, calls, fake.Count("unwrap"), "a known key costs no call")
}

// TestSubscriberForgets: no more keys than it may have. Those of the topic that brought most go first, and of them the least used.
func TestSubscriberForgets(t *testing.T) {
	k := fakeKey(t, kmstest.NewFake("k"))
	s := mustSubscriber(t, k, &message.SubscriberOptions{Keys: 4})
	send := func(from string) (payload []byte) {
		payload, key := newDevice(t, k, nil).seal(t, "x")
		_, err := s.Open(t.Context(), message.Record{Topic: from, Value: key})
		require.ErrorIs(t, err, message.ErrKeyMessage)
		return payload
	}
	opens := func(payload []byte) bool {
		_, err := s.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: payload})
		if err != nil {
			require.ErrorIs(t, err, envelope.ErrUnknownKey)
		}
		return err == nil
	}
	quiet, first, second := send("keys/1"), send("keys/2"), send("keys/2")
	require.True(t, opens(first))
	var flood [][]byte
	for range 10 {
		flood = append(flood, send("keys/2"))
	}
	require.True(t, opens(quiet), "nobody drives out another's")
	require.False(t, opens(first))
	require.False(t, opens(second))
	require.True(t, opens(flood[9]))

	s = mustSubscriber(t, k, &message.SubscriberOptions{Keys: 2})
	a, b := send("keys/1"), send("keys/2")
	require.True(t, opens(a))
	c := send("keys/3")
	require.False(t, opens(b))
	require.True(t, opens(a))
	require.True(t, opens(c))
}

// TestKeyLifetime: a data key is cleared when its Period is over, also where nobody seals, and by Close.
func TestKeyLifetime(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		k := fakeKey(t, kmstest.NewFake("k"))
		d := newDevice(t, k, nil)
		d.seal(t, "x")
		live := message.Live(d.Publisher)
		require.True(t, live())
		time.Sleep(time.Hour + time.Second)
		require.False(t, live())
		payload, key := d.seal(t, "y")
		live = message.Live(d.Publisher)
		require.True(t, live())
		require.NoError(t, d.Close())
		require.NoError(t, d.Close())
		require.False(t, live())
		_, _, err := d.Seal(t.Context(), message.Record{Value: []byte("z")})
		require.ErrorIs(t, err, envelope.ErrClosed)

		s := mustSubscriber(t, k, nil)
		_, err = s.Open(t.Context(), message.Record{Topic: "k", Value: key})
		require.ErrorIs(t, err, message.ErrKeyMessage)
		require.Equal(t, "y", opened(t, s, payload))
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		for _, b := range [][]byte{key, payload} {
			_, err = s.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: b})
			require.ErrorIs(t, err, envelope.ErrClosed)
		}
	})
}

// TestLastOfOldRecipient: after a change of recipient the older key of the first key message is nobody's, and the newer one counts.
func TestLastOfOldRecipient(t *testing.T) {
	before, after := fakeKey(t, kmstest.NewFake("k1")), fakeKey(t, kmstest.NewFake("k2"))
	_, last := newDevice(t, before, nil).seal(t, "x")
	newDevice(t, after, &message.PublisherOptions{Last: last}).publish(t, "y", mustSubscriber(t, after, nil))
}

// TestKeyOfOtherTopic: a key opens what is of the topic that it was announced for.
func TestKeyOfOtherTopic(t *testing.T) {
	k := fakeKey(t, kmstest.NewFake("k"))
	s := mustSubscriber(t, k, nil)
	payload := newDevice(t, k, nil).publish(t, "x", s)
	_, err := s.Open(t.Context(), message.Record{Topic: "fleet/8/pos", Value: payload})
	require.ErrorIs(t, err, envelope.ErrOpen)
}

// TestPublisherTogether seals and opens from many goroutines while keys come and go.
func TestPublisherTogether(t *testing.T) {
	k := fakeKey(t, kmstest.NewFake("k"))
	s := mustSubscriber(t, k, &message.SubscriberOptions{Keys: 3, UnknownKeyFor: time.Hour})
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		d := newDevice(t, k, nil)
		wg.Go(func() {
			var last []byte
			for range 50 {
				payload, key, err := d.Seal(t.Context(), message.Record{Value: []byte("x")})
				if key != nil {
					last = key
					d.Announced(key)
				}
				for err == nil {
					if _, err = s.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: payload}); err == nil {
						n.Add(1)
						break
					}
					if errors.Is(err, envelope.ErrUnknownKey) { // dropped for another's
						_, err = s.Open(t.Context(), message.Record{Topic: "k", Value: last})
					}
					if errors.Is(err, message.ErrKeyMessage) {
						err = nil
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 400, n.Load())
}
