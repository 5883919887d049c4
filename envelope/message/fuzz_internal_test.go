package message

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// fuzzSeeds returns the inputs and the outputs of the vectors of a kind.
func fuzzSeeds(f *testing.F, kind string) (in, out [][]byte) {
	b, err := os.ReadFile("testdata/messages.json")
	require.NoError(f, err)
	var page struct {
		Vectors []struct{ Kind, In, Out string }
	}
	require.NoError(f, json.Unmarshal(b, &page))
	for _, v := range page.Vectors {
		if v.Kind != kind {
			continue
		}
		one, err := hex.DecodeString(v.In)
		require.NoError(f, err)
		other, err := hex.DecodeString(v.Out)
		require.NoError(f, err)
		in, out = append(in, one), append(out, other)
	}
	require.NotEmpty(f, in)
	return in, out
}

// FuzzForm: a plaintext that is accepted is what is written of its message, byte by byte, and what is written comes back.
func FuzzForm(f *testing.F) {
	_, plaintexts := fuzzSeeds(f, "payload")
	for _, b := range plaintexts {
		f.Add(b, byte(0), "", []byte(nil), uint64(0), int64(0))
	}
	for kind := range byte(8) {
		m := Message{Value: []byte("21.5"), Key: []byte("7"), Sender: Sender{"shop", [8]byte{1, 2}}, Sequence: 9, Time: time.UnixMilli(-1)}
		f.Add(formOf(kind&3|kind>>2<<7).encode(&m, 0), kind, "shop", []byte("7"), uint64(1)<<63, int64(-1)<<63)
	}
	f.Fuzz(func(t *testing.T, b []byte, kind byte, name string, key []byte, sequence uint64, at int64) {
		given := bytes.Clone(b)
		var m Message
		err := decode(b, &m)
		require.Equal(t, given, b)
		if err != nil {
			require.ErrorIs(t, err, envelope.ErrFormat)
		} else {
			require.NotNil(t, m.Value)
			require.LessOrEqual(t, len(m.Value)+len(m.Key)+len(m.Sender.Name), len(b))
			require.Equal(t, hex.EncodeToString(b), hex.EncodeToString(formOf(b[0]).encode(&m, 0)))
		}
		// The other way round.
		want := Message{Value: append([]byte{}, b...)}
		form := formOf(kind)
		if form.key {
			want.Key = append([]byte{}, key[:min(len(key), maxKey)]...)
		}
		if form.stamp {
			want.Sender.Name, want.Sequence, want.Time = name[:min(len(name), maxSender)], sequence, time.UnixMilli(at)
			copy(want.Sender.Instance[:], key)
		}
		var got Message
		plaintext := form.encode(&want, 57)
		require.GreaterOrEqual(t, cap(plaintext)-len(plaintext), 57)
		require.NoError(t, decode(plaintext, &got))
		require.Equal(t, want, got)
		if form.pad {
			require.LessOrEqual(t, len(plaintext), (len(b)+len(want.Key)+len(want.Sender.Name)+64)*9/8)
		}
	})
}

// formOf returns the form that a plaintext begins with.
func formOf(kind byte) form {
	return form{kind&withKey != 0, kind&withStamp != 0, kind&padded != 0}
}

// FuzzKeyMessage: a key message that is accepted is what is written of it, byte by byte, and holds no more than that.
func FuzzKeyMessage(f *testing.F) {
	in, _ := fuzzSeeds(f, "key message")
	for _, b := range in {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		m, err := parseKeyMessage(b)
		require.Equal(t, given, b)
		if err != nil {
			require.ErrorIs(t, err, envelope.ErrFormat)
			require.Nil(t, m)
			return
		}
		require.NoError(t, checkTopic(m.topic))
		size := len(m.topic)
		for _, k := range m.keys {
			size += len(k.commitment) + len(k.wrapped.Provider) + len(k.wrapped.KeyID) + len(k.wrapped.Version) + len(k.wrapped.Blob)
		}
		require.Less(t, size, len(b))
		again, err := m.encode()
		require.NoError(t, err)
		require.Equal(t, hex.EncodeToString(b), hex.EncodeToString(again))
	})
}
