package message_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// fakeKey returns a key over a fake KMS.
func fakeKey(t testing.TB, fake *kmstest.Fake) *kms.Key {
	t.Helper()
	k, err := kms.NewKey(fake.Driver(), &kms.Options{Attempts: 1, BreakAfter: 1000})
	require.NoError(t, err)
	t.Cleanup(func() { k.Close() })
	return k
}

// device is a publisher and the broker's side of it: what was published.
type device struct {
	*message.Publisher
	keys int // messages
}

// publish seals a value and hands key message and payload to each of the subscribers.
func (d *device) publish(t testing.TB, value string, to ...*message.Subscriber) (payload []byte) {
	t.Helper()
	payload, key := d.seal(t, value)
	for _, s := range to {
		if key != nil {
			_, err := s.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: key})
			require.ErrorIs(t, err, message.ErrKeyMessage)
			require.Equal(t, envelope.Skip, envelope.ActionFor(err))
		}
		require.Equal(t, value, opened(t, s, payload))
	}
	return payload
}

func (d *device) seal(t testing.TB, value string) (payload, key []byte) {
	t.Helper()
	payload, key, err := d.Seal(t.Context(), message.Record{Value: []byte(value)})
	require.NoError(t, err)
	require.False(t, message.IsKeyMessage(payload))
	if key != nil {
		require.True(t, message.IsKeyMessage(key))
		d.Announced(key)
		d.keys++
	}
	return payload, key
}

func opened(t testing.TB, s *message.Subscriber, payload []byte) string {
	t.Helper()
	m, err := s.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: payload})
	require.NoError(t, err)
	return string(m.Value)
}

func newDevice(t testing.TB, recipient *kms.Key, o *message.PublisherOptions) *device {
	t.Helper()
	p, err := message.NewPublisher(recipient, "fleet/7/pos", o)
	require.NoError(t, err)
	return &device{Publisher: p}
}

func mustSubscriber(t testing.TB, identity *kms.Key, o *message.SubscriberOptions) *message.Subscriber {
	t.Helper()
	s, err := message.NewSubscriber(identity, o)
	require.NoError(t, err)
	return s
}

// TestWriteOnly: who has the public key alone writes what the holder of the private key reads, and can't read it.
func TestWriteOnly(t *testing.T) {
	priv, err := hpke.GenerateKey(hpke.MLKEM768X25519)
	if errors.Is(err, kms.ErrUnsupported) {
		t.Skip("the FIPS module in force has no HPKE")
	}
	require.NoError(t, err)
	pub, err := hpke.NewRecipient(priv.Public(), nil)
	require.NoError(t, err)
	defer pub.Close()
	identity, err := hpke.NewIdentity(priv, nil)
	require.NoError(t, err)
	defer identity.Close()

	d, sub := newDevice(t, pub, &message.PublisherOptions{Sender: "7"}), mustSubscriber(t, identity, nil)
	payload, key := d.seal(t, "59.3 N")
	require.Len(t, payload, 6+58+25+1)
	require.InDelta(t, 1300, len(key), 50)
	_, err = sub.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: key})
	require.ErrorIs(t, err, message.ErrKeyMessage)
	m, err := sub.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: payload})
	require.NoError(t, err)
	require.Equal(t, "59.3 N", string(m.Value))
	require.Equal(t, d.Sender(), m.Sender)
	require.EqualValues(t, 1, m.Sequence)

	blind := mustSubscriber(t, pub, nil) // what was stolen with the device
	_, err = blind.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: key})
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = blind.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: payload})
	require.ErrorIs(t, err, envelope.ErrUnknownKey)
}

// TestAnnouncement: the key message comes until it is announced, and then once a Period.
func TestAnnouncement(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		fake := kmstest.NewFake("k")
		k := fakeKey(t, fake)
		p, err := message.NewPublisher(k, "fleet/7/pos", nil)
		require.NoError(t, err)
		seal := func() (key []byte) {
			_, key, err := p.Seal(t.Context(), message.Record{Value: []byte("x")})
			require.NoError(t, err)
			return key
		}
		first := seal()
		require.NotNil(t, first)
		require.Equal(t, first, seal())
		p.Announced([]byte("another"))
		require.Equal(t, first, seal())
		p.Announced(first)
		require.Nil(t, seal())
		require.Equal(t, 1, fake.Count("wrap"))
		time.Sleep(time.Hour - time.Second)
		require.Nil(t, seal())
		time.Sleep(time.Second)
		second := seal()
		require.NotNil(t, second)
		require.NotEqual(t, first, second)
		p.Announced(first)
		require.Equal(t, second, seal(), "the one before says nothing of it")
		require.Equal(t, 2, fake.Count("wrap"))
	})
}

// TestMissedKeyMessage: consumers ask for nothing. A payload is retried, and the next key message heals it.
func TestMissedKeyMessage(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		k := fakeKey(t, kmstest.NewFake("k"))
		d := newDevice(t, k, nil)
		there, late := mustSubscriber(t, k, nil), mustSubscriber(t, k, &message.SubscriberOptions{UnknownKeyFor: 3 * time.Hour})
		first := d.publish(t, "first", there)
		_, err := late.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: first})
		require.ErrorIs(t, err, envelope.ErrUnknownKey)
		require.Equal(t, envelope.Retry, envelope.ActionFor(err))
		require.Equal(t, "unknown_key", envelope.Class(err))
		time.Sleep(time.Hour)
		d.publish(t, "second", there, late)
		require.Equal(t, "first", opened(t, late, first))
		require.Equal(t, "first", opened(t, there, first))
		require.Equal(t, 2, d.keys)
	})
}

// TestRestartedPublisher: Last keeps the key before announced.
func TestRestartedPublisher(t *testing.T) {
	k := fakeKey(t, kmstest.NewFake("k"))
	before := newDevice(t, k, nil)
	first, last := before.seal(t, "first")
	after := newDevice(t, k, &message.PublisherOptions{Last: last})
	late := mustSubscriber(t, k, nil)
	after.publish(t, "second", late)
	require.Equal(t, "first", opened(t, late, first))

	// Without it the payloads of the process before are lost to who missed its key message.
	late = mustSubscriber(t, k, nil)
	newDevice(t, k, nil).publish(t, "third", late)
	_, err := late.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: first})
	require.ErrorIs(t, err, envelope.ErrUnknownKey)
	for name, bad := range map[string][]byte{"empty": {}, "payload": first, "cut": last[:len(last)-1], "longer": append(bytes.Clone(last), 0)} {
		_, err := message.NewPublisher(k, "fleet/7/pos", &message.PublisherOptions{Last: bad})
		require.ErrorIs(t, err, envelope.ErrFormat, name)
	}
	_, err = message.NewPublisher(k, "fleet/8/pos", &message.PublisherOptions{Last: last})
	require.ErrorIs(t, err, envelope.ErrFormat)
}

func TestPublisherWaits(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		fake := kmstest.NewFake("k")
		d := newDevice(t, fakeKey(t, fake), nil)
		fake.Script(kmstest.Fault{Latency: 3 * time.Second})
		slow := make(chan error)
		go func() {
			_, _, err := d.Seal(context.Background(), message.Record{Value: []byte("x")})
			slow <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := d.Seal(ctx, message.Record{Value: []byte("x")})
		require.ErrorIs(t, err, context.DeadlineExceeded, "not after the three seconds")
		<-slow
	})
}
