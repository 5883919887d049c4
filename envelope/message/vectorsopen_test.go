package message_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/record"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

const vectorKeyID = "42424242424242424242424242424242" // of local keys, where nothing else is said

// vectorOpener does what vectors say.
type vectorOpener struct {
	t     testing.TB
	keks  map[string]*kms.Key          // by key id and file key
	rings map[string]*envelope.Keyring // whose tenant t has one given key, by its kind and the key
}

func newVectorOpener(t testing.TB) *vectorOpener {
	return &vectorOpener{t, map[string]*kms.Key{}, map[string]*envelope.Keyring{}}
}

// owner returns the tenant that a vector names, or one with its data key.
func (o *vectorOpener) owner(v messageVector) (*envelope.Keyring, envelope.Tenant) {
	s := v.Stored
	if s == nil {
		return o.tenant("data", v.DataKey)
	}
	require.Empty(o.t, s.Subject, "a topic opens for a tenant and all its subjects")
	ring := o.keyring(o.kek(v.KeyID, v.LocalKey), s.Deployment, s.Rows)
	return ring, ring.Tenant(s.Tenant)
}

// tenant returns one with a given key alone.
func (o *vectorOpener) tenant(kind, key string) (*envelope.Keyring, envelope.Tenant) {
	name := kind + key
	if o.rings[name] == nil {
		kek := o.kek(vectorKeyID, hex.EncodeToString(vectorKey(0)))
		o.rings[name] = o.keyring(kek, "d", vectorRows(o.t, kek, kind, vectors.Unhex(o.t, key)))
	}
	return o.rings[name], o.rings[name].Tenant("t")
}

// keyring returns a Keyring over rows, in a process that has seen nothing of them yet.
func (o *vectorOpener) keyring(kek *kms.Key, deployment string, rows map[string]string) *envelope.Keyring {
	store := memstore.New()
	for name, value := range rows {
		require.NoError(o.t, store.Apply(o.t.Context(), envelope.Change{Row: envelope.Row{Key: name, Value: []byte(value)}}))
	}
	return vectorRing(o.t, kek, deployment, store)
}

func vectorRing(t testing.TB, kek *kms.Key, deployment string, store envelope.Store) *envelope.Keyring {
	r, err := envelope.NewKeyring(deployment, store, envelope.SingleRoot(kek), &envelope.KeyringOptions{RotateAfter: -1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// kek returns the local key with an id whose only version has this key material.
func (o *vectorOpener) kek(id, file string) *kms.Key {
	if o.keks[id+file] == nil {
		raw := vectors.Unhex(o.t, file)
		k, err := aead.ParseKey(raw)
		require.NoError(o.t, err)
		path := filepath.Join(o.t.TempDir(), "key.json")
		require.NoError(o.t, os.WriteFile(path, fmt.Appendf(nil, `{"format":"holdfast key file","format_version":1,"key_id":%q,"state":"enabled","current":1,`+
			`"versions":[{"number":1,"created":"2026-01-01T00:00:00Z","id":%q,"key":%q}]}`,
			id, k.ID(), base64.StdEncoding.EncodeToString(raw)), 0o600))
		f, err := local.Open(path, nil)
		require.NoError(o.t, err)
		o.t.Cleanup(func() { require.NoError(o.t, f.Close()) })
		o.keks[id+file] = f.Key()
	}
	return o.keks[id+file]
}

// vectorKey is 32 bytes that count from first.
func vectorKey(first byte) []byte {
	b := make([]byte, derive.Size)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// vectorRows are the rows of a key of tenant t in deployment d, made by hand from FORMAT.md section 6.
func vectorRows(t testing.TB, kek *kms.Key, kind string, key []byte) map[string]string {
	t.Helper()
	commitment := derive.Commitment((*[derive.Size]byte)(key))
	w, err := kek.Wrap(reserved.Allow(t.Context()), key, kms.Context{
		"holdfast:commitment": hex.EncodeToString(commitment[:]),
		"holdfast:deployment": "d",
		"holdfast:kind":       kind,
		"holdfast:purpose":    "tenant-key",
		"holdfast:tenant":     "t",
		"holdfast:version":    "1",
	})
	require.NoError(t, err)
	wrapped, err := w.AppendBinary(nil)
	require.NoError(t, err)
	name := "tenant/t/" + kind + "/0000000001"
	return map[string]string{
		name: fmt.Sprintf(
			`{"format":1,"kind":%q,"version":1,"id":"%x","commitment":"%x","created":"2000-01-01T00:00:00Z","wrapped":%q,"refs":[%q]}`,
			kind, commitment[:16], commitment, base64.StdEncoding.EncodeToString(wrapped), w.Ref),
		fmt.Sprintf("id/%x", commitment[:16]): fmt.Sprintf(`{"format":1,"row":%q}`, name),
	}
}

// vectorPlaintext is the plaintext of a message without padding, made by hand from FORMAT.md section 11. key is what the broker has.
func vectorPlaintext(m message.Message, key []byte) []byte {
	b := []byte{0}
	if m.Key != nil && !(key != nil && bytes.Equal(m.Key, key)) { // it travelled inside
		b[0] |= 1
		b = binary.BigEndian.AppendUint16(b, uint16(len(m.Key)))
		b = append(b, m.Key...)
	}
	if !m.Time.IsZero() {
		b[0] |= 2
		b = append(append(b, byte(len(m.Sender.Name))), m.Sender.Name...)
		b = append(b, m.Sender.Instance[:]...)
		b = binary.BigEndian.AppendUint64(b, m.Sequence)
		b = binary.BigEndian.AppendUint64(b, uint64(m.Time.UnixMilli()))
	}
	return append(b, m.Value...)
}

// subscriber returns one with the key and context of a vector, which knows no key yet.
func (o *vectorOpener) subscriber(v messageVector) *message.Subscriber {
	options := &message.SubscriberOptions{Context: v.Context}
	if v.Place != nil {
		options.Headers = v.Bound
	}
	return mustSubscriber(o.t, o.kek(v.KeyID, v.LocalKey), options)
}

// keyMessage has a Subscriber take a key message in, and returns the keys of it that open, one after the other.
func (o *vectorOpener) keyMessage(v messageVector, in []byte) ([]byte, error) {
	s := o.subscriber(v)
	if _, err := s.Open(o.t.Context(), message.Record{Topic: "keys", Value: in}); !errors.Is(err, message.ErrKeyMessage) {
		return nil, err
	}
	n := 4 + int(binary.BigEndian.Uint16(in[2:]))
	topic, rest := string(in[4:n]), in[n+1:]
	var out []byte
	for range in[n] {
		commitment := rest[:32]
		w, _, err := kms.ParseWrapped(rest[34:])
		require.NoError(o.t, err)
		rest = rest[34+int(binary.BigEndian.Uint16(rest[32:])):]
		key, err := o.kek(v.KeyID, v.LocalKey).Unwrap(reserved.Allow(o.t.Context()), w, vectorContext(v.Context, topic, commitment))
		if err != nil {
			continue
		}
		out = append(out, key...)
		payload := vectorSeal(key, []byte("\x00x"), vectorBinding(&Place{Topic: topic}))
		m, err := s.Open(o.t.Context(), message.Record{Topic: topic, Value: payload})
		require.NoError(o.t, err)
		require.Equal(o.t, "x", string(m.Value))
	}
	return out, nil
}

// vectorContext is the full context of an announced key.
func vectorContext(own kms.Context, topic string, commitment []byte) kms.Context {
	name := sha256.Sum256([]byte(topic))
	full := kms.Context{
		"holdfast:purpose":    "message-key",
		"holdfast:topic":      hex.EncodeToString(name[:]),
		"holdfast:commitment": hex.EncodeToString(commitment),
	}
	maps.Copy(full, own)
	return full
}

// vectorSeal returns a managed record, made by hand from FORMAT.md section 2.
func vectorSeal(key, plaintext []byte, parts []string) []byte {
	commitment := derive.Commitment((*[derive.Size]byte)(key))
	header := append([]byte{0xf5}, commitment[:16]...)
	var binding [][]byte
	for _, part := range parts {
		binding = append(binding, []byte(part))
	}
	of := derive.Key((*[derive.Size]byte)(key), "record")
	return record.New(&of).Seal(header, plaintext, derive.AppendParts(bytes.Clone(header), binding...))
}

// window parses the state of a Window, and returns who its senders are and what it has accepted of each.
func (o *vectorOpener) window(in []byte) ([]byte, error) {
	width := 64
	if len(in) >= 6 {
		if n := binary.BigEndian.Uint32(in[2:]); n%64 == 0 && n > 0 && n <= 1<<20 {
			width = int(n)
		}
	}
	w, err := message.ParseWindow(in, &message.WindowOptions{Width: width})
	if err != nil {
		return nil, err
	}
	require.Equal(o.t, in, windowState(o.t, w))
	out, rest := []byte{}, in[18:]
	for range binary.BigEndian.Uint32(in[14:]) {
		n := 1 + int(rest[0])
		m := message.Message{Sender: message.Sender{Name: string(rest[1:n]), Instance: [8]byte(rest[n:])}}
		highest := binary.BigEndian.Uint64(rest[n+8:])
		var numbers []byte
		for below := min(highest, uint64(width)-1) + 1; below > 0; below-- {
			m.Sequence = highest - (below - 1)
			if errors.Is(w.Check(m), message.ErrReplayed) {
				numbers = binary.BigEndian.AppendUint64(numbers, m.Sequence)
			}
		}
		out = binary.BigEndian.AppendUint32(append(out, rest[:n+8]...), uint32(len(numbers)/8))
		out = append(out, numbers...)
		rest = rest[n+8+24+width/8:]
	}
	return out, nil
}
