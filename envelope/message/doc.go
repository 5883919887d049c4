// Package message seals what goes through a broker, such as Kafka or MQTT, so that the broker can't read it: neither on its disks nor in its memory.
//
//	topic, err := message.NewTopic(ring, "orders", nil)                   // one for the process
//	payload, err := topic.Seal(ctx, tenant, message.Record{Key: key, Value: order})
//	m, err := topic.Open(ctx, tenant, message.Record{Key: key, Value: payload})
//
// A message is a record of an [envelope.Tenant] or [envelope.Subject], and belongs to its topic, the record's key and the headers that
// [TopicOptions] name: one that was moved or changed there does not open. Partition, offset, QoS and the other headers are the broker's. Keys rotate without
// the consumers doing anything, and what was sealed for a person that is erased stays closed wherever it lies. The modules kafkaseal and mqttseal beside
// this package connect it with franz-go and paho.golang; other clients pass payloads to [Topic.Seal] and [Topic.Open].
//
// # Consumers
//
// The switch that every consumer writes is [envelope.ActionFor]:
//
//	m, err := topic.Open(ctx, tenant, r)
//	switch envelope.ActionFor(err) {
//	case envelope.None:    // process m, then commit; with a Window call Accept in between
//	case envelope.Retry:   // store or KMS are away, or the key is not there yet: wait, and don't commit
//	case envelope.Skip:    // erased, or accepted before: count it, and commit
//	case envelope.Hold:    // the customer's key is disabled or revoked: set it aside as it is, such as in another topic, and commit
//	case envelope.Reject:  // altered, moved, of another tenant or not sealed: set it aside for a person, and commit
//	case envelope.Fix:     // the program is wrong: stop
//	}
//
// A key that is unknown can be one that this process does not see yet. Its messages are to be retried for [TopicOptions].UnknownKeyFor, after that they are to be rejected: no consumer stands still
// before a message of a key that is lost or never was. A key that was erased is told apart, and its messages are skipped at once.
//
// Where several tenants share a topic a header says whose a message is: TenantHeader. It is never trusted. [Topic.Tenant] reads it, and [Topic.Open] refuses the message, before any key is used, when the key that it
// names is another tenant's in the key store. MQTT 3.1.1 has no headers: there take the tenant from the topic's name.
//
// # Tombstones and plaintext
//
// In a compacted topic a record without a value deletes its key, and an empty retained message clears the one before. Nothing can be sealed in nothing, so whoever may write to the broker can make one: they
// pass where [TopicOptions].Tombstones says so, as a [Message] that says what it is. Plaintext that arrives is [ErrNotSealed].
//
// # Doubles
//
// Brokers deliver again, and lawfully so. A topic with a Sender stamps its messages, and a [Window] tells a consumer which it has accepted: have AppendAccepted give the state to be stored in
// the transaction of what processing does, for the day when the process is killed, and call Accept when that has ended well. A Window tells apart a sender's last 4096 messages. A
// sender counts over all partitions of a topic, and a consumer that is behind may read one partition long before another: there have a Topic with a Window of its own for each partition, whose state is kept with the partition's offset. Gaps don't matter. A producer keeps what it has sealed, and in Kafka the partition that it went to, until the broker has acknowledged it, and sends those bytes again: sealed again it would be another message.
//
// # Write-only publishers
//
// A device that can be stolen should not be able to read what it wrote. A [Publisher] has a public key only (package kms/hpke). It seals under a data key of its own making, and announces that to the holder of the private key in a key message once a
// Period; so payloads stay small. A [Subscriber] takes key messages and payloads alike. It asks for nothing: a payload whose key message it has missed is to be retried, and opens when the next key message is there, which has the
// key of the Period before, too. Anyone who has the public key can make such messages: the broker has to authenticate who publishes.
//
// # Sizes
//
// In bytes, beside the value:
//
//	57       the record: 1 that says what it is, 16 key id, 24 nonce, 16 tag
//	1        form
//	2 + n    the record's key of n bytes, with TokenKeys
//	25 + n   stamp: 1 length of the name, n name, 8 instance, 8 sequence number, 8 time
//	1..12%   padding, with Pad
//
// So 58 in the plain form. A key message has 1.3 KB for each of one or two keys under kms/hpke.
//
// The broker still learns topics, tenants' ids, keys that are no tokens, times, sizes and who publishes how often. FORMAT.md section 11 has every byte.
package message
