package message

import (
	"encoding/hex"
	"time"
)

// Record is a message as the broker has it: what a producer gives to it, or a consumer got from it.
type Record struct {
	Topic   string // "" stands for the name of the Topic or Publisher
	Key     []byte // of Kafka; nil where there is none
	Value   []byte // the payload: plaintext for Seal, sealed for Open
	Headers []Header
	Time    time.Time // that a stamp says, in milliseconds; zero for now. Open does not look at it
}

// Header is a header of Kafka or a user property of MQTT 5. There may be several with one Key, whose order counts.
type Header struct {
	Key   string
	Value []byte
}

// Message is what a record held. All of it is authenticated, but of a tombstone and of plaintext nothing is.
type Message struct {
	Value []byte // not nil, but for a tombstone
	// Key is the record's key: the real one, where it travelled inside. Of a tombstone it is what the broker has, such as a token.
	Key []byte
	// Sender, Sequence and Time are the message's stamp. Whoever may seal for the topic can claim any.
	Sender   Sender
	Sequence uint64 // from 1, one more for each message of the Sender
	Time     time.Time

	Tombstone bool // there is no value: see TopicOptions.Tombstones
	Plain     bool // it was never sealed: see TopicOptions.PassPlain
}

// Sender is who stamped a message: a name, and an instance that is new with every Topic and Publisher, such as at each start of a process. It can be compared.
type Sender struct {
	Name     string
	Instance [instanceSize]byte
}

const instanceSize = 8 // bytes: two of 2^20 starts under one name meet with a chance below 2^-24

// String returns name and instance, "" for the zero Sender.
func (s Sender) String() string {
	if s == (Sender{}) {
		return ""
	}
	return s.Name + "/" + hex.EncodeToString(s.Instance[:])
}
