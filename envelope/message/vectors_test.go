package message_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

const vectorFile = "testdata/messages.json" // payloads, key messages, tokens of keys, and states of windows

// messageVector is a vector of FORMAT.md section 11: like all others, and with the place of a payload.
type messageVector struct {
	vectors.Vector
	*Place // nil for other kinds than payload
}

// Place is where a payload arrives. Byte strings are in hex.
type Place struct {
	Topic     string      `json:"topic"`
	RecordKey *string     `json:"recordKey,omitempty"` // nil for a record without key
	Bound     []string    `json:"bound,omitempty"`     // names of headers
	Headers   [][2]string `json:"headers,omitempty"`   // name as text, and value
	Announced string      `json:"announced,omitempty"` // the key message that was taken in before
}

func TestMessageVectors(t *testing.T) {
	o := newVectorOpener(t)
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			out, class := o.run(v)
			require.Equal(t, v.Expect, class)
			if v.Expect == "ok" {
				require.Equal(t, *v.Out, hex.EncodeToString(out))
			} else {
				require.Nil(t, v.Out)
			}
		})
	}
}

func loadVectors(t testing.TB) []messageVector {
	t.Helper()
	b, err := os.ReadFile(vectorFile)
	require.NoError(t, err)
	var f struct {
		Format  string          `json:"format"`
		Vectors []messageVector `json:"vectors"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&f))
	require.Equal(t, "holdfast vectors v1", f.Format)
	require.NotEmpty(t, f.Vectors)
	return f.Vectors
}

// run returns what a vector gives, and its class.
func (o *vectorOpener) run(v messageVector) ([]byte, string) {
	o.t.Helper()
	var out []byte
	var err error
	switch in := vectors.Unhex(o.t, v.In); v.Kind {
	case "payload":
		out, err = o.payload(v, in)
	case "token":
		require.Len(o.t, v.Parts, 2)
		require.Equal(o.t, "message key", string(vectors.Unhex(o.t, v.Parts[0])))
		ring, tn := o.tenant("lookup", v.Key)
		topic := mustTopic(o.t, ring, string(vectors.Unhex(o.t, v.Parts[1])), nil)
		out, err = topic.KeyToken(o.t.Context(), tn, in)
	case "key message":
		out, err = o.keyMessage(v, in)
	case "window":
		out, err = o.window(in)
	default:
		require.Fail(o.t, "unknown kind", v.Kind)
	}
	if err != nil {
		require.Nil(o.t, out)
	}
	class := envelope.Class(err)
	if class == "kms_not_found" { // wrapped under another key than the one at hand
		class = "open"
	}
	return out, class
}

// payload opens a payload, and returns its plaintext without padding.
func (o *vectorOpener) payload(v messageVector, in []byte) ([]byte, error) {
	r := v.record(o.t, in)
	var m message.Message
	var err error
	if v.Announced != "" {
		s := o.subscriber(v)
		_, err = s.Open(o.t.Context(), message.Record{Topic: "keys", Value: vectors.Unhex(o.t, v.Announced)})
		require.ErrorIs(o.t, err, message.ErrKeyMessage)
		m, err = s.Open(o.t.Context(), r)
	} else {
		ring, tn := o.owner(v)
		m, err = mustTopic(o.t, ring, v.Topic, &message.TopicOptions{Headers: v.Bound}).Open(o.t.Context(), tn, r)
	}
	if err != nil {
		require.Zero(o.t, m)
		return nil, err
	}
	return vectorPlaintext(m, r.Key), nil
}

// record returns the record of a vector's payload.
func (p *Place) record(t testing.TB, in []byte) message.Record {
	t.Helper()
	r := message.Record{Topic: p.Topic, Value: in}
	if p.RecordKey != nil {
		r.Key = vectors.Unhex(t, *p.RecordKey)
	}
	for _, h := range p.Headers {
		r.Headers = append(r.Headers, message.Header{Key: h[0], Value: vectors.Unhex(t, h[1])})
	}
	return r
}
