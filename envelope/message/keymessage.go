package message

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/record"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

// keyMessage is what announces the data keys of a publisher: FORMAT.md section 11.
type keyMessage struct {
	topic string
	keys  []announcedKey // one or two: the current one first
}

// announcedKey is a data key as a key message has it.
type announcedKey struct {
	commitment [32]byte
	wrapped    kms.Wrapped
}

func (k *announcedKey) id() aead.KeyID { return aead.KeyID(k.commitment[:16]) }

const maxAnnounced = 2 // keys in a key message

// encode returns the bytes of a key message.
func (m *keyMessage) encode() ([]byte, error) {
	b := binary.BigEndian.AppendUint16(append([]byte(nil), keyMessageStart...), uint16(len(m.topic)))
	b = append(append(b, m.topic...), byte(len(m.keys)))
	for _, k := range m.keys {
		wrapped, err := k.wrapped.AppendBinary(nil)
		if err != nil {
			return nil, err
		}
		if len(wrapped) > 1<<16-1 {
			return nil, fmt.Errorf("%w: the wrapped key has %d bytes", envelope.ErrTooLarge, len(wrapped))
		}
		b = binary.BigEndian.AppendUint16(append(b, k.commitment[:]...), uint16(len(wrapped)))
		b = append(b, wrapped...)
	}
	return b, nil
}

// parseKeyMessage reads what encode wrote. Nothing of it is authenticated.
func parseKeyMessage(b []byte) (m *keyMessage, err error) {
	if !IsKeyMessage(b) {
		return nil, errKeyMessage
	}
	topic, rest, ok := cut(b[len(keyMessageStart):], 2)
	if !ok || len(rest) == 0 || checkTopic(string(topic)) != nil {
		return nil, errKeyMessage
	}
	m = &keyMessage{topic: string(topic)}
	n := int(rest[0])
	if n < 1 || n > maxAnnounced {
		return nil, errKeyMessage
	}
	rest = rest[1:]
	for range n {
		var k announcedKey
		if len(rest) < len(k.commitment) {
			return nil, errKeyMessage
		}
		copy(k.commitment[:], rest)
		var wrapped []byte
		if wrapped, rest, ok = cut(rest[len(k.commitment):], 2); !ok {
			return nil, errKeyMessage
		}
		var more []byte
		if k.wrapped, more, err = kms.ParseWrapped(wrapped); err != nil || len(more) != 0 {
			return nil, errKeyMessage
		}
		m.keys = append(m.keys, k)
	}
	if len(rest) != 0 || n == 2 && m.keys[0].id() == m.keys[1].id() {
		return nil, errKeyMessage
	}
	return m, nil
}

var errKeyMessage = fmt.Errorf("%w: no key message", envelope.ErrFormat)

// cut returns what a length of size bytes stands before, and what follows.
func cut(b []byte, size int) (part, rest []byte, ok bool) {
	if len(b) < size {
		return nil, nil, false
	}
	n := 0
	for _, c := range b[:size] {
		n = n<<8 | int(c)
	}
	if b = b[size:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// keyContext is what an announced key is bound to at the KMS.
func keyContext(own kms.Context, topic string, commitment [32]byte) kms.Context {
	name := sha256.Sum256([]byte(topic)) // a name may be long, and has no place in the KMS's log
	full := maps.Clone(own)
	if full == nil {
		full = kms.Context{}
	}
	full[reserved.Prefix+"purpose"] = "message-key"
	full[reserved.Prefix+"topic"] = hex.EncodeToString(name[:])
	full[reserved.Prefix+"commitment"] = hex.EncodeToString(commitment[:])
	return full
}

// checkContext refuses a caller's context that no key could be wrapped under.
func checkContext(own kms.Context) (kms.Context, error) {
	for name := range own {
		if strings.HasPrefix(name, reserved.Prefix) {
			return nil, invalid("context key %.64q: those that start with %q are not the caller's", name, reserved.Prefix)
		}
	}
	own = maps.Clone(own)
	_, err := keyContext(own, "", [32]byte{}).Canonical()
	return own, err
}

// dataKey is a data key in memory.
type dataKey struct {
	header []byte // that its records begin with
	key    record.Key
}

// newDataKey returns the data key of raw, which it clears.
func newDataKey(raw *[derive.Size]byte) dataKey {
	commitment := derive.Commitment(raw)
	of := derive.Key(raw, "record")
	defer clear(of[:])
	clear(raw[:])
	return dataKey{append([]byte{firstOwn}, commitment[:len(aead.KeyID{})]...), record.New(&of)}
}
