package message_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
)

// fuzzVectors are the payloads without those that a mutator makes of the others at once: they would only hold it up.
func fuzzVectors(f *testing.F, kind string) []messageVector {
	return slices.DeleteFunc(loadVectors(f), func(v messageVector) bool {
		return v.Kind != kind || strings.HasPrefix(v.Name, "flip ") || strings.Contains(v.Name, "cut ")
	})
}

// FuzzOpen: whatever a broker hands over, only what was sealed opens, at its own place.
func FuzzOpen(f *testing.F) {
	o := newVectorOpener(f)
	ring, tn := o.tenant("data", hex.EncodeToString(vectorKey(1)))
	place := func(r message.Record, bound bool) string {
		if !bound {
			r.Headers = nil
		}
		return fmt.Sprintf("%q %t %q %t %q %q", r.Topic, r.Key == nil, r.Key, bound, r.Headers, r.Value)
	}
	sealed := map[string]string{} // plaintexts, by payload and place
	for _, v := range fuzzVectors(f, "payload") {
		bound := slices.Equal(v.Bound, []string{"type"})
		if v.Stored != nil || v.Announced != "" || len(v.Bound) > 0 && !bound || len(v.Headers) > 1 {
			continue
		}
		r := v.record(f, vectors.Unhex(f, v.In))
		value := []byte(nil)
		if len(r.Headers) > 0 {
			value = r.Headers[0].Value
		}
		f.Add(r.Value, r.Topic, r.Key, r.Key != nil, value, value != nil, bound)
		if v.Expect == "ok" {
			sealed[place(r, bound)] = *v.Out
		}
	}
	require.Greater(f, len(sealed), 30)
	f.Fuzz(func(t *testing.T, payload []byte, name string, key []byte, keyed bool, header []byte, given, bound bool) {
		options := &message.TopicOptions{}
		if bound {
			options.Headers = []string{"type"}
		}
		topic, err := message.NewTopic(ring, name, options)
		if err != nil {
			require.ErrorIs(t, err, kms.ErrInvalid)
			return
		}
		r := message.Record{Topic: name, Value: payload}
		if keyed {
			r.Key = append([]byte{}, key...)
		}
		if given {
			r.Headers = []message.Header{{Key: "type", Value: header}}
		}
		want, ok := sealed[place(r, bound)]
		m, err := topic.Open(t.Context(), tn, r)
		if !ok {
			require.Error(t, err)
			require.Zero(t, m)
			require.Contains(t, []string{"format", "truncated", "open", "unknown_key", "not_sealed"}, envelope.Class(err))
			return
		}
		require.NoError(t, err)
		require.Equal(t, want, hex.EncodeToString(vectorPlaintext(m, r.Key)))
	})
}

// FuzzSubscriberOpen: whatever a broker hands over, only keys for the subscriber are taken in, and only what was sealed under them opens.
func FuzzSubscriberOpen(f *testing.F) {
	o := newVectorOpener(f)
	kek := o.kek(vectorKeyID, hex.EncodeToString(vectorKey(0)))
	sealed := map[string]string{} // plaintexts, by topic and payload
	for _, v := range fuzzVectors(f, "payload") {
		if v.Announced == "" || v.RecordKey != nil {
			continue
		}
		f.Add(vectors.Unhex(f, v.Announced), v.Topic, vectors.Unhex(f, v.In))
		if v.Expect == "ok" {
			sealed[v.Topic+"\x00"+v.In] = *v.Out
		}
	}
	for _, v := range fuzzVectors(f, "key message") {
		f.Add(vectors.Unhex(f, v.In), "orders", []byte(nil))
	}
	require.NotEmpty(f, sealed)
	var announced []string // commitments
	for _, first := range []byte{5, 6, 7} {
		commitment := derive.Commitment((*[derive.Size]byte)(vectorKey(first)))
		announced = append(announced, string(commitment[:]))
	}
	f.Fuzz(func(t *testing.T, key []byte, topic string, payload []byte) {
		s := mustSubscriber(t, kek, &message.SubscriberOptions{Context: vectorOwn})
		took := false
		for _, value := range [][]byte{key, payload} {
			m, err := s.Open(t.Context(), message.Record{Topic: topic, Value: value})
			if class := envelope.Class(err); class == "key_message" {
				took = true
				n := 5 + int(value[2])<<8 + int(value[3])
				require.Contains(t, announced, string(value[n:n+32]))
			} else if err != nil {
				require.Contains(t, []string{"format", "truncated", "open", "kms_not_found", "unknown_key", "not_sealed", "invalid"}, class)
			}
			if err != nil {
				require.Zero(t, m)
				continue
			}
			require.True(t, took)
			want, ok := sealed[topic+"\x00"+hex.EncodeToString(value)]
			require.True(t, ok)
			require.Equal(t, want, hex.EncodeToString(vectorPlaintext(m, nil)))
		}
	})
}
