package kafkaseal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestMain(m *testing.M) {
	if child(os.Getenv(childVariable)) {
		return
	}
	goleak.VerifyTestMain(m)
}

// rig is a cluster, and a keyring whose tenants have KMS keys of their own.
type rig struct {
	addrs []string
	ring  *envelope.Keyring
	fakes map[string]*kmstest.Fake
}

func newRig(t testing.TB, topics ...string) *rig {
	t.Helper()
	r := &rig{addrs: newCluster(t, topics...).ListenAddrs(), fakes: map[string]*kmstest.Fake{}}
	keys := map[string]*kms.Key{}
	for _, tenant := range []string{"acme", "other"} {
		r.fakes[tenant] = kmstest.NewFake(tenant)
		keys[tenant] = newKey(t, r.fakes[tenant])
	}
	store := memstore.New()
	t.Cleanup(func() { store.Close() })
	root := func(_ context.Context, tenant string) (*kms.Key, error) { return keys[tenant], nil }
	ring, err := envelope.NewKeyring("test", store, root, &envelope.KeyringOptions{CacheTTL: time.Second, StaleIfError: -1, WriteStaleIfError: -1})
	require.NoError(t, err)
	t.Cleanup(func() { ring.Close() })
	r.ring = ring
	return r
}

func newKey(t testing.TB, fake *kmstest.Fake) *kms.Key {
	t.Helper()
	k, err := kms.NewKey(fake.Driver(), &kms.Options{Attempts: 1, BreakAfter: 1000})
	require.NoError(t, err)
	t.Cleanup(func() { k.Close() })
	return k
}

func newCluster(t testing.TB, topics ...string) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topics...))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func newClient(t testing.TB, addrs []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addrs...)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func newTopic(t testing.TB, r *envelope.Keyring, name string, o message.TopicOptions) *message.Topic {
	t.Helper()
	o.TenantHeader = "tenant"
	topic, err := message.NewTopic(r, name, &o)
	require.NoError(t, err)
	return topic
}

// produce seals values for a tenant or subject, under keys that are the values, and waits until they are acknowledged.
func (r *rig) produce(t testing.TB, c *kgo.Client, topic *message.Topic, to envelope.Scope, values ...string) {
	t.Helper()
	for _, v := range values {
		sealed, err := kafkaseal.Seal(t.Context(), topic, to, &kgo.Record{Key: []byte(v), Value: []byte(v)})
		require.NoError(t, err)
		require.NoError(t, c.ProduceSync(t.Context(), sealed).FirstErr())
	}
}

// inbox is what a consumer has got, and its loop.
type inbox struct {
	*kafkaseal.Consumer
	mu     sync.Mutex
	values []string
	aside  []*kgo.Record
	stop   func() error
}

// consume runs a consumer of a group until stop or the test's end.
func consume(t testing.TB, addrs []string, group string, open kafkaseal.OpenFunc, o *kafkaseal.ConsumerOptions, topics ...string) *inbox {
	t.Helper()
	in := &inbox{}
	var err error
	in.Consumer, err = kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open: open,
		Handle: func(_ context.Context, _ *kgo.Record, m message.Message) error {
			in.mu.Lock()
			defer in.mu.Unlock()
			value := string(m.Value)
			if m.Tombstone {
				value = "tombstone"
			}
			in.values = append(in.values, value)
			return nil
		},
		Aside: func(_ context.Context, r *kgo.Record, _ error) error {
			in.mu.Lock()
			defer in.mu.Unlock()
			in.aside = append(in.aside, r)
			return nil
		},
	}, o)
	require.NoError(t, err)
	opts := []kgo.Opt{kgo.SeedBrokers(addrs...), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100 * time.Millisecond)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx, opts...) }()
	in.stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	})
	t.Cleanup(func() { require.NoError(t, in.stop()) })
	return in
}

// until waits for what the inbox is to have.
func (in *inbox) until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !in.has(ok) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s; stats %+v", what, in.Stats())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (in *inbox) has(ok func() bool) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return ok()
}

// got waits for these values, in any order of the partitions, and that there are no others.
func (in *inbox) got(t testing.TB, values ...string) {
	t.Helper()
	in.until(t, fmt.Sprint("values ", values), func() bool { return len(in.values) >= len(values) })
	in.mu.Lock()
	defer in.mu.Unlock()
	require.ElementsMatch(t, values, in.values)
}

func numbers(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, strconv.Itoa(i))
	}
	return out
}
