package message

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/internal/derive"
)

const maxTopic = 1<<16 - 1 // bytes: MQTT's limit; Kafka's is 249

// checkTopic refuses what is no name of one topic.
func checkTopic(name string) error {
	switch {
	case name == "" || len(name) > maxTopic || !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return invalid("the name of a topic must be 1 to %d bytes of valid UTF-8 without NUL; it has %d", maxTopic, len(name))
	case strings.ContainsAny(name, "+#"):
		return invalid("topic %.64q is a filter: messages belong to one topic, so give the name that a message was published to", name)
	}
	return nil
}

// boundHeaders returns the names of headers in the order in which they are bound.
func boundHeaders(names []string) ([]string, error) {
	own := slices.Sorted(slices.Values(names))
	for i, name := range own {
		if name == "" || i > 0 && own[i-1] == name {
			return nil, invalid("header %.64q in Headers is empty or there twice", name)
		}
	}
	return own, nil
}

// place returns what a message belongs to: the parts of its binding, FORMAT.md section 11.
func place(topic string, key []byte, names []string, headers []Header) [4]string {
	parts := [4]string{"message", topic}
	if key != nil {
		parts[2] = "k" + string(key)
	}
	var all []byte
	for _, name := range names {
		one := derive.AppendParts(nil, []byte(name))
		for _, h := range headers {
			if h.Key == name {
				one = derive.AppendParts(one, h.Value)
			}
		}
		all = derive.AppendParts(all, one)
	}
	parts[3] = string(all)
	return parts
}

// header returns the value of the one header with a name.
func header(headers []Header, name string) (value []byte, n int) {
	for _, h := range headers {
		if h.Key == name {
			value = h.Value
			n++
		}
	}
	return value, n
}

// foreign is what the first byte of a payload says: nothing is there, or it is none of ours.
func foreign(payload []byte) bool {
	return len(payload) == 0 || payload[0] < firstOwn || payload[0] > lastOwn
}

const firstOwn, lastOwn = 0xf5, 0xf8 // the first bytes of our formats: FORMAT.md, Conventions

// IsKeyMessage tells whether a payload is a key message of a [Publisher], as its first bytes say.
func IsKeyMessage(payload []byte) bool { return bytes.HasPrefix(payload, keyMessageStart) }

var keyMessageStart = []byte{0xf8, 0x01}
