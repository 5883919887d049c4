// Package kafkaseal carries messages of package message through Kafka, over franz-go. A producer:
//
//	topic, err := message.NewTopic(ring, "orders", &message.TopicOptions{TenantHeader: "tenant", TokenKeys: true})
//	sealed, err := kafkaseal.Seal(ctx, topic, ring.Tenant("acme"), &kgo.Record{Key: key, Value: order})
//	err = client.ProduceSync(ctx, sealed).FirstErr()
//
// A consumer is the loop that every one writes, with what each error asks for:
//
//	consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{Open: kafkaseal.OpenTopic(topic), Handle: handle, Aside: aside}, nil)
//	err = consumer.Run(ctx, kgo.SeedBrokers(addr), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"))
//
// Record headers are the headers of package message: those in TopicOptions.Headers are bound, others, and timestamp, partition and offset, are anybody's to change.
//
// # What is committed when
//
// A record is committed after Handle or Aside has returned nil for it, or when it is to be skipped: so a consumer that is killed loses nothing, and gets again what it had not committed yet, which a [message.Window] makes once where it comes in the same partition again. The order within a partition stays; partitions are handled at the same time.
// A record that is to be retried stops its partition alone: the store or the KMS is away, without bound, or its key is not there yet, for UnknownKeyFor. Who may produce to the topic can make up such keys and slow a partition down: let the broker permit only your own. An error of Handle or Aside ends Run, with that record not committed.
//
// Aside takes what is to be held or rejected, and must keep it: such as by producing it, as it is, to a topic "orders.held". It still opens there where the Topic's Mirrors name it, once the customer has given their key back.
//
// # Write-only producers
//
// A [Writer] has a public key only. Its key messages go to [KeyTopic] of the topic, whose cleanup.policy should be compact: each has a key of its own, so that all stay for as long as there are payloads. Every process that reads
// the payloads reads that whole topic with [ReadKeys], from its start and in no consumer group, and opens payloads with [OpenWith]. A payload is never there before its key message
// is, so a Subscriber's UnknownKeyFor can be short, to keep made-up key ids from stopping a partition for longer. But a process that starts takes in all key messages first, one after the other: UnknownKeyFor must be longer than that
// takes, one call of the KMS for each of them, and Keys more than there are, or good payloads are put aside.
package kafkaseal
