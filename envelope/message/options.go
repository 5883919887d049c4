package message

import (
	"crypto/rand"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// TopicOptions are the settings of [NewTopic]. nil and the zero value are the defaults. Those who write and those who read a topic need the same Headers; Sender and Pad matter
// to who writes alone, for messages say what form they have.
type TopicOptions struct {
	// Headers are the names of headers that belong to the message: one that is changed, added or missing keeps it from opening. Others are anybody's to change. Their order does not matter.
	Headers []string
	// TenantHeader is the header that names the tenant, for a topic that several share: [Topic.Tenant] reads it. Seal refuses a record without it. "" for a topic of one tenant, or one whose consumers
	// know the tenant from elsewhere, such as the topic's name.
	TenantHeader string
	// Sender is the name under which messages are stamped, such as that of the service: up to 255 bytes of valid UTF-8. With it each message has sender, sequence number and time inside, and a
	// [Window] can tell one that comes again. "" for no stamp.
	Sender string
	// TokenKeys has the broker see [Topic.KeyToken] of a record's key, by which it can compact and partition, while the key travels inside.
	TokenKeys bool
	// Pad hides the length of messages: they are padded by up to 12%, to one of a few lengths.
	Pad bool
	// Tombstones lets a record without a value pass, in both directions: in a compacted topic of Kafka it deletes its key, a retained message of MQTT it clears. Whoever may write to the broker
	// can make one. Without it Seal refuses a nil Value, and Open an empty payload. An empty Value that is not nil is sealed like any other.
	Tombstones bool
	// Mirrors are other names under which records of the topic arrive, such as "primary.orders".
	Mirrors []string
	// Window refuses messages that it has accepted before, and those without a stamp. nil for none.
	Window *Window
	// PassPlain, where it is not nil, lets payloads pass that were never sealed, and counts them: while a topic is moved to sealed messages. Whoever may write to the broker can make one: set it for no longer than
	// there are such messages. What begins with F5 to F8, as all that this module seals does, never passes so, and neither does nothing at all.
	PassPlain *atomic.Int64
	// UnknownKeyFor is how long a message whose key is unknown is to be retried, from when it was met first, before it is to be rejected. 0 means 1 minute. At most 30 days, negative for not at all; with less than 3 seconds a message may be rejected
	// whose key another process has just made.
	UnknownKeyFor time.Duration
}

const (
	unknownKeyFor = time.Minute // more than a store's replica takes to follow
	maxDuration   = 30 * 24 * time.Hour
)

// stamper counts the messages of a sender.
type stamper struct {
	sender Sender
	last   atomic.Uint64
}

// newStamper returns what stamps messages under a name, nil for "".
func newStamper(name string) (*stamper, error) {
	if name == "" {
		return nil, nil
	}
	if len(name) > maxSender || !utf8.ValidString(name) {
		return nil, invalid("Sender must be at most %d bytes of valid UTF-8; it has %d", maxSender, len(name))
	}
	s := &stamper{sender: Sender{Name: name}}
	rand.Read(s.sender.Instance[:])
	return s, nil
}

// stamp says in m who it is from. A nil stamper does not.
func (s *stamper) stamp(m *Message, at time.Time) {
	if s == nil {
		return
	}
	if at.IsZero() {
		at = time.Now()
	}
	m.Sender, m.Sequence, m.Time = s.sender, s.last.Add(1), at
}
