package message_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestNoStandstill: a key that is never announced is waited for no longer than UnknownKeyFor.
func TestNoStandstill(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		k := fakeKey(t, kmstest.NewFake("k"))
		d := newDevice(t, k, nil)
		payload, _ := d.seal(t, "x")
		other, _ := newDevice(t, k, nil).seal(t, "y")
		for name, tt := range map[string]struct {
			limit, set time.Duration
		}{"default": {2 * time.Hour, 0}, "set": {time.Hour, time.Hour}, "not at all": {0, -1}} {
			sub := mustSubscriber(t, k, &message.SubscriberOptions{UnknownKeyFor: tt.set})
			try := func(payload []byte) envelope.Action {
				_, err := sub.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: payload})
				require.ErrorIs(t, err, envelope.ErrUnknownKey, name)
				require.Equal(t, "unknown_key", envelope.Class(err))
				return envelope.ActionFor(err)
			}
			if tt.limit > 0 {
				require.Equal(t, envelope.Retry, try(payload), name)
				time.Sleep(tt.limit - time.Second)
				require.Equal(t, envelope.Retry, try(payload), name)
				require.Equal(t, envelope.Retry, try(other), name)
				time.Sleep(time.Second)
				require.Equal(t, envelope.Retry, try(other), name)
			}
			require.Equal(t, envelope.Reject, try(payload), name)
		}
	})
}

// TestUnknownKeyOfTopic: likewise where keys are a Keyring's.
func TestUnknownKeyOfTopic(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		ring := newRing(t)
		topic := mustTopic(t, ring, "orders", nil)
		payload := mustSeal(t, topic, ring.Tenant("acme"), message.Record{Value: []byte("x")})
		payload[5] ^= 1
		action := func() envelope.Action {
			_, err := topic.Open(t.Context(), ring.Tenant("acme"), message.Record{Value: payload})
			require.ErrorIs(t, err, envelope.ErrUnknownKey)
			return envelope.ActionFor(err)
		}
		require.Equal(t, envelope.Retry, action())
		time.Sleep(59 * time.Second)
		require.Equal(t, envelope.Retry, action())
		time.Sleep(time.Second)
		require.Equal(t, envelope.Reject, action())
	})
}

// TestManyUnknownKeys: no number of keys that never were keeps a consumer before them, and one that was found gets its time again.
func TestManyUnknownKeys(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		k := fakeKey(t, kmstest.NewFake("k"))
		s := mustSubscriber(t, k, &message.SubscriberOptions{UnknownKeyFor: time.Minute, Keys: 1})
		payload, key := newDevice(t, k, nil).seal(t, "x")
		action := func(payload []byte) envelope.Action {
			_, err := s.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: payload})
			return envelope.ActionFor(err)
		}
		take := func(key []byte) {
			_, err := s.Open(t.Context(), message.Record{Topic: "k", Value: key})
			require.ErrorIs(t, err, message.ErrKeyMessage)
		}
		require.Equal(t, envelope.Retry, action(payload))
		take(key)
		require.Equal(t, envelope.None, action(payload))
		time.Sleep(2 * time.Minute)
		_, another := newDevice(t, k, nil).seal(t, "y")
		take(another)
		require.Equal(t, envelope.Retry, action(payload), "a key that is dropped has its whole time")

		forged := make([][]byte, 3000)
		for i := range forged {
			forged[i] = bytes.Clone(payload)
			binary.LittleEndian.PutUint32(forged[i][1:], uint32(i))
		}
		for at := 0; at <= 60; at += 20 {
			for _, f := range forged {
				want := envelope.Retry
				if at == 60 {
					want = envelope.Reject
				}
				require.Equal(t, want, action(f))
			}
			time.Sleep(20 * time.Second)
		}
		late := bytes.Clone(payload)
		late[2] = 0xff
		require.Equal(t, envelope.Retry, action(late), "not after so many either")
		late[3] = 1
		time.Sleep(3 * time.Minute)
		require.Equal(t, envelope.Retry, action(late), "after the flood each has its time again")
	})
}
