package kafkaseal_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

const (
	canaryValue   = "canary 4711: nobody but the consumer reads this"
	canaryKey     = "customer-canary-4712"
	canarySubject = "person-canary-4713"
	canaryControl = "control-4714" // in a header that is not bound: what a search must find
)

// TestCanary has a broker that writes all to its disk, and everybody log all that they can. Nothing of value, key and subject is in the files, on the wire or in a log.
func TestCanary(t *testing.T) {
	var wire tap
	var clientLog, brokerLog buffer
	dir := t.TempDir()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders", "readings", kafkaseal.KeyTopic("readings")),
		kfake.DataDir(dir), kfake.SyncWrites(), kfake.WithLogger(kfake.BasicLogger(&brokerLog, kfake.LogLevelDebug)))
	require.NoError(t, err)
	stop := sync.OnceFunc(cluster.Close)
	t.Cleanup(stop)
	opts := []kgo.Opt{
		kgo.WithLogger(kgo.BasicLogger(&clientLog, kgo.LogLevelDebug, nil)),
		kgo.Dialer(wire.dial),
		kgo.ProducerBatchCompression(kgo.NoCompression()), // in which nothing could be found
	}
	addrs := cluster.ListenAddrs()

	rig := newRig(t)
	topic := newTopic(t, rig.ring, "orders", message.TopicOptions{TokenKeys: true, Sender: "shop", Tombstones: true})
	producer := newClient(t, addrs, opts...)
	key := newKey(t, kmstest.NewFake("reader"))
	pub, err := message.NewPublisher(key, "readings", nil)
	require.NoError(t, err)
	defer pub.Close()
	w, err := kafkaseal.NewWriter(producer, pub)
	require.NoError(t, err)
	sub, err := message.NewSubscriber(key, nil)
	require.NoError(t, err)
	defer sub.Close()

	control := []kgo.RecordHeader{{Key: "trace", Value: []byte(canaryControl)}}
	person := rig.ring.Tenant("acme").Subject(canarySubject)
	records := []*kgo.Record{
		canarySealed(t, topic, person, &kgo.Record{Key: []byte(canaryKey), Value: []byte(canaryValue), Headers: control}),
		canarySealed(t, topic, person, &kgo.Record{Key: []byte(canaryKey), Headers: control}),
	}
	altered := canarySealed(t, topic, person, &kgo.Record{Key: []byte(canaryKey), Value: []byte(canaryValue), Headers: control})
	altered.Value[len(altered.Value)-1] ^= 1
	reading, err := w.Seal(t.Context(), &kgo.Record{Value: []byte(canaryValue), Headers: control})
	require.NoError(t, err)
	records = append(records, altered, reading)
	require.NoError(t, producer.ProduceSync(t.Context(), records...).FirstErr())

	keyReader := newClient(t, addrs, append(opts, kgo.ConsumeTopics(kafkaseal.KeyTopic("readings")))...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- kafkaseal.ReadKeys(ctx, keyReader, sub, nil) }()
	stopKeys := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { stopKeys() })

	var errs buffer
	openOrder, openReading := kafkaseal.OpenTopic(topic), kafkaseal.OpenWith(sub)
	got := canaryConsume(t, append(opts, kgo.SeedBrokers(addrs...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders", "readings")), func(ctx context.Context, r *kgo.Record) (message.Message, error) {
		if r.Topic == "readings" {
			return openReading(ctx, r)
		}
		return openOrder(ctx, r)
	}, &errs)
	require.Equal(t, map[string]int{canaryKey + ": " + canaryValue: 1, ": " + canaryValue: 1, "tombstone": 1, "aside": 1}, got)
	require.NotEmpty(t, errs.text())

	require.ErrorIs(t, stopKeys(), context.Canceled)
	producer.Close()
	keyReader.Close()
	stop()
	for where, look := range map[string]struct{ text, control string }{
		"wire":       {wire.text(), canaryControl},
		"files":      {canaryFiles(t, dir), canaryControl},
		"client log": {clientLog.text(), "orders"},
		"broker log": {brokerLog.text(), "group=g"},
		"errors":     {errs.text(), "open"},
	} {
		require.True(t, holds(look.text, look.control), "%s: it is not searched", where)
		for _, secret := range []string{canaryValue, canaryKey, canarySubject} {
			require.False(t, holds(look.text, secret), "%s: %s", where, secret)
		}
	}
}

func canarySealed(t *testing.T, topic *message.Topic, to envelope.Scope, r *kgo.Record) *kgo.Record {
	t.Helper()
	sealed, err := kafkaseal.Seal(t.Context(), topic, to, r)
	require.NoError(t, err)
	return sealed
}

// canaryConsume runs a Consumer until it has what was produced, and returns how often it had what. Errors are printed as a log would.
func canaryConsume(t *testing.T, opts []kgo.Opt, open kafkaseal.OpenFunc, errs *buffer) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var mu sync.Mutex
	got := map[string]int{}
	add := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		got[what]++
		if len(got) == 4 {
			cancel()
		}
	}
	consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open: open,
		Handle: func(_ context.Context, _ *kgo.Record, m message.Message) error {
			if m.Tombstone {
				add("tombstone")
			} else {
				add(string(m.Key) + ": " + string(m.Value))
			}
			return nil
		},
		Aside: func(_ context.Context, _ *kgo.Record, err error) error {
			fmt.Fprintf(errs, "%v %+v %#v", err, err, err)
			add("aside")
			return nil
		},
	}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, consumer.Run(ctx, append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))...), context.Canceled)
	return got
}

// canaryFiles returns all that is in the files of a directory.
func canaryFiles(t *testing.T, dir string) string {
	t.Helper()
	var all bytes.Buffer
	root := os.DirFS(dir)
	require.NoError(t, fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, path)
		all.Write(b)
		return err
	}))
	return all.String()
}

// buffer is one that many may write to.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// tap has the bytes of connections, one direction of one after the other.
type tap struct {
	mu   sync.Mutex
	each []*buffer
}

func (w *tap) dial(ctx context.Context, network, host string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, host)
	if err != nil {
		return nil, err
	}
	tapped := &tappedConn{Conn: c, in: &buffer{}, out: &buffer{}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.each = append(w.each, tapped.in, tapped.out)
	return tapped, nil
}

func (w *tap) text() (all string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.each {
		all += b.text()
	}
	return all
}

type tappedConn struct {
	net.Conn
	in, out *buffer
}

func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.Write(p[:n])
	return n, err
}

func (c *tappedConn) Write(p []byte) (int, error) {
	c.out.Write(p)
	return c.Conn.Write(p)
}

// holds looks for a text as it is, and as it may be printed: in hexadecimal, as Go prints bytes, quoted, and in base64 at each of its three offsets.
func holds(in, text string) bool {
	raw := []byte(text)
	forms := []string{text, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), strings.Trim(fmt.Sprint(raw), "[]")}
	for skip := range 3 {
		part := raw[skip:]
		forms = append(forms, base64.RawStdEncoding.EncodeToString(part[:len(part)/3*3]))
	}
	for _, form := range forms {
		if strings.Contains(in, form) {
			return true
		}
	}
	return false
}

func TestHolds(t *testing.T) {
	for _, in := range []string{"x" + canaryValue, fmt.Sprintf("%x", canaryValue), fmt.Sprintf("%X", canaryValue), fmt.Sprint([]byte("a" + canaryValue + "b")), base64.StdEncoding.EncodeToString([]byte("a" + canaryValue)), base64.StdEncoding.EncodeToString([]byte("ab" + canaryValue))} {
		require.True(t, holds(in, canaryValue), in)
	}
	require.False(t, holds(canaryControl, canaryValue))
}
