package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// brokers are a cluster and one that mirrors it.
type brokers struct {
	dir             string
	primary, second *kfake.Cluster
	producer        *kgo.Client
}

func startBrokers(dir string) (_ *brokers, err error) {
	b := &brokers{dir: filepath.Join(dir, "broker")}
	if b.primary, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, orders, held), kfake.DataDir(b.dir), kfake.SyncWrites()); err != nil {
		return nil, err
	}
	if b.second, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, mirror)); err == nil {
		b.producer, err = kgo.NewClient(kgo.SeedBrokers(b.primary.ListenAddrs()...))
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *brokers) close() {
	if b.producer != nil {
		b.producer.Close()
	}
	for _, c := range []*kfake.Cluster{b.second, b.primary} {
		if c != nil {
			c.Close()
		}
	}
}

// copy does what a mirror does: it copies the orders to the second cluster, as they are, and returns how many.
func (b *brokers) copy(ctx context.Context) (n int, err error) {
	from, err := kgo.NewClient(kgo.SeedBrokers(b.primary.ListenAddrs()...), kgo.ConsumeTopics(orders))
	if err != nil {
		return 0, err
	}
	defer from.Close()
	to, err := kgo.NewClient(kgo.SeedBrokers(b.second.ListenAddrs()...))
	if err != nil {
		return 0, err
	}
	defer to.Close()
	want := 0
	for partition := range int32(2) {
		info := b.primary.PartitionInfo(orders, partition)
		want += int(info.HighWatermark)
	}
	for n < want {
		fetches := from.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return n, err
		}
		for _, r := range fetches.Records() {
			if err := to.ProduceSync(ctx, &kgo.Record{Topic: mirror, Key: r.Key, Value: r.Value, Headers: r.Headers}).FirstErr(); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// stores tells whether a text lies in the files of the primary cluster.
func (b *brokers) stores(text string) (found bool, err error) {
	err = filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || bytes.Contains(content, []byte(text))
		return err
	})
	return found, err
}
