// Package mqttseal carries messages of package message over paho.golang, the client for MQTT 5. A producer with the keys:
//
//	topic, err := message.NewTopic(ring, "orders/7", nil)
//	sealed, err := mqttseal.Seal(ctx, topic, tenant, &paho.Publish{QoS: 1, Payload: order})
//	_, err = client.Publish(ctx, sealed)
//
// and a consumer, in OnPublishReceived of its paho.ClientConfig:
//
//	m, err := mqttseal.Open(ctx, topic, tenant, received.Packet)
//	// envelope.ActionFor(err) says what to do; m.Value is the order
//
// User properties are the headers of package message, of which several may have one name: those in TopicOptions.Headers are bound in their order, others are anybody's to change. So are QoS, Retain, MessageExpiry,
// PayloadFormat, ContentType, CorrelationData and ResponseTopic: they are in the clear and prove nothing. What must be bound of them goes into a user property or into the payload.
// A will is sealed like any other message, when the client connects.
//
// Clients of MQTT 3.1.1 have payloads only: [SealPayload] and [OpenPayload].
//
// # Write-only devices
//
// A device with a public key only:
//
//	pub, err := message.NewPublisher(recipient, "devices/7/readings", &message.PublisherOptions{Last: saved})
//	writer, err := mqttseal.NewWriter(client, pub, "device-7", &mqttseal.WriterOptions{Save: save})
//	_, err = writer.Publish(ctx, &paho.Publish{Topic: "devices/7/readings", QoS: 1, Payload: reading})
//
// Its key messages are retained at devices/7/readings/keys/device-7, one for each client and topic, so that a consumer that comes late has the key at once. A consumer:
//
//	inbox, err := mqttseal.NewInbox(mqttseal.InboxFuncs{Open: open, Handle: handle, Aside: aside}, nil) // open calls OpenWith
//	config.EnableManualAcknowledgment = true
//	config.OnPublishReceived = []func(paho.PublishReceived) (bool, error){inbox.Receive}
//	config.OnConnectionUp = func(c *autopaho.ConnectionManager, _ *paho.Connack) {
//		_, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: mqttseal.Subscriptions("devices/+/readings", 1)})
//	}
//	err = inbox.Run(ctx)
//
// A payload whose key message is not there yet waits in the [Inbox], and is handled when it comes: payloads of one device in the order of arrival. It waits for UnknownKeyFor of the Subscriber, then it is put aside. Other devices are handled meanwhile, as far as the broker lets them through: see below. After an
// outage of a KMS a later message may be handled before one that waits: Message.Sequence tells.
//
// # What is acknowledged when
//
// With EnableManualAcknowledgment a message of QoS 1 or 2 is acknowledged when it was handled, put aside or skipped, and never while it waits. Without, paho.golang acknowledges when Receive returns: also what waits, and a process that
// is killed then has lost it. MQTT wants acknowledgements in order, so paho.golang keeps those of later messages back until the first that waits is settled; what was handled meanwhile comes again when the connection ends, and a
// [message.Window] makes it once. So nothing is lost when a consumer is killed, with these:
//
//   - QoS 1 or 2 for payloads, on both sides;
//   - a session that lasts (CleanStart false, SessionExpiryInterval), which the broker keeps on disk if it may be killed too;
//   - manual acknowledgement;
//   - key messages that are retained as long as payloads that need them are under way. One has the current key and that before: a payload that is under way for longer than a Period is put aside by a consumer that is new.
//
// Brokers limit how many messages are under way to a client (Mosquitto: max_inflight_messages, 20): while so many wait nothing else of QoS 1 comes, so who may publish payloads of made-up keys holds up all others for UnknownKeyFor: let the broker
// permit only your devices, or have it send more. So [Subscriptions] has key messages come at QoS 0. mochi v2.7.9 refuses a SUBSCRIBE whose packet
// id is that of a message under way: try again.
//
// # What the broker learns
//
// Topics, user properties, client ids, sizes and times. It can drop, delay and repeat messages, and clear what is retained. Anyone with the public key can write what opens at a write-only topic: let the broker authenticate devices, and let each
// write to its own topics alone.
package mqttseal
