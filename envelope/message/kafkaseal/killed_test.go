//go:build unix

package kafkaseal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.etcd.io/bbolt"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/boltstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
	"github.com/holdfast-go/holdfast/kms/local"
)

// childVariable holds the task of a child of TestKilled, in JSON.
const childVariable = "KAFKASEAL_TEST_CHILD"

// task is what a child does until its standard input ends.
type task struct {
	Role  string
	Dir   string // of key file, key store and what the child itself keeps
	Addrs []string
	N     int    // values
	DieAt string // a step, "" for none, and how often it is passed before
	After int
}

// child does a task and tells whether there is one.
func child(text string) bool {
	if text == "" {
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var k task
	err := json.Unmarshal([]byte(text), &k)
	if err == nil {
		err = k.do(ctx)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func (k *task) do(ctx context.Context) error {
	f, err := local.Open(filepath.Join(k.Dir, "key.json"), nil)
	if err != nil {
		return err
	}
	defer f.Close()
	store, err := boltstore.Open(filepath.Join(k.Dir, "store"), &boltstore.Options{Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	defer store.Close()
	ring, err := envelope.NewKeyring("test", store, envelope.SingleRoot(f.Key()), nil)
	if err != nil {
		return err
	}
	defer ring.Close()
	if k.Role == "producer" {
		return k.produce(ctx, ring)
	}
	return k.consume(ctx, ring)
}

// step kills the process where the task says so.
func (k *task) step(name string) {
	if name != k.DieAt {
		return
	}
	if k.After--; k.After < 0 {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal may take a moment
	}
}

// kept is a sealed record in the outbox.
type kept struct {
	Key, Value []byte
	Headers    []kgo.RecordHeader
}

// produce seals each value once, keeps the bytes on the disk, and produces those until it has a mark that the broker has them.
func (k *task) produce(ctx context.Context, ring *envelope.Keyring) error {
	topic, err := message.NewTopic(ring, "orders", killOptions(nil))
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addrs...))
	if err != nil {
		return err
	}
	defer client.Close()
	outbox, err := openLines(filepath.Join(k.Dir, "outbox"))
	if err != nil {
		return err
	}
	defer outbox.Close()
	marks, err := openLines(filepath.Join(k.Dir, "marks"))
	if err != nil {
		return err
	}
	defer marks.Close()
	marked := map[string]bool{}
	for _, mark := range marks.before {
		marked[mark] = true
	}
	send := func(number, line string) error {
		var r kept
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return err
		}
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Key: r.Key, Value: r.Value, Headers: r.Headers}).FirstErr(); err != nil {
			return err
		}
		k.step("acknowledged")
		err := marks.add(number)
		fmt.Println(number)
		return err
	}
	for i, line := range outbox.before {
		if number := strconv.Itoa(i); !marked[number] {
			if err := send(number, line); err != nil {
				return err
			}
		}
	}
	for i := len(outbox.before); i < k.N; i++ {
		number := strconv.Itoa(i)
		sealed, err := kafkaseal.Seal(ctx, topic, ring.Tenant("acme"), &kgo.Record{Key: []byte(strconv.Itoa(i % 7)), Value: []byte(number)})
		if err != nil {
			return err
		}
		line, err := json.Marshal(kept{sealed.Key, sealed.Value, sealed.Headers})
		if err != nil {
			return err
		}
		if err := outbox.add(string(line)); err != nil {
			return err
		}
		k.step("kept")
		if err := send(number, string(line)); err != nil {
			return err
		}
	}
	return nil
}

var (
	effectsBucket = []byte("effects") // how often each value had an effect
	stateBucket   = []byte("state")
	windowKey     = []byte("window")
)

// consume counts each value, in one transaction with what the Window is then.
func (k *task) consume(ctx context.Context, ring *envelope.Keyring) error {
	db, err := bbolt.Open(filepath.Join(k.Dir, "effects"), 0o600, &bbolt.Options{Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	defer db.Close()
	window, err := storedWindow(db)
	if err != nil {
		return err
	}
	topic, err := message.NewTopic(ring, "orders", killOptions(window))
	if err != nil {
		return err
	}
	open := kafkaseal.OpenTopic(topic)
	var turn sync.Mutex
	consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open: func(ctx context.Context, r *kgo.Record) (message.Message, error) {
			m, err := open(ctx, r)
			if err == nil || errors.Is(err, message.ErrReplayed) {
				fmt.Println("record", r.Partition, r.Offset)
			}
			return m, err
		},
		Handle: func(_ context.Context, _ *kgo.Record, m message.Message) error {
			turn.Lock() // the Window is that of several partitions, and stored with each effect
			defer turn.Unlock()
			state, err := window.AppendAccepted(nil, m)
			if errors.Is(err, message.ErrReplayed) {
				return nil
			}
			k.step("accepted")
			if err == nil {
				err = db.Update(func(tx *bbolt.Tx) error { return putEffect(tx, m.Value, state) })
			}
			if err == nil {
				window.Accept(m)
			}
			k.step("stored")
			return err
		},
		Aside: func(_ context.Context, r *kgo.Record, err error) error {
			if !errors.Is(err, message.ErrNotSealed) {
				return err
			}
			fmt.Println("end", r.Partition)
			return nil
		},
	}, nil)
	if err != nil {
		return err
	}
	return consumer.Run(ctx, kgo.SeedBrokers(k.Addrs...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.SessionTimeout(time.Second), kgo.HeartbeatInterval(100*time.Millisecond))
}

// storedWindow returns the Window as it was at the last effect.
func storedWindow(db *bbolt.DB) (*message.Window, error) {
	var state []byte
	err := db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(effectsBucket); err != nil {
			return err
		}
		b, err := tx.CreateBucketIfNotExists(stateBucket)
		if err == nil {
			state = bytes.Clone(b.Get(windowKey))
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case state == nil:
		return message.NewWindow(nil)
	}
	return message.ParseWindow(state, nil)
}

func putEffect(tx *bbolt.Tx, value, state []byte) error {
	times := uint64(1)
	if before := tx.Bucket(effectsBucket).Get(value); before != nil {
		times += binary.BigEndian.Uint64(before)
	}
	return errors.Join(
		tx.Bucket(effectsBucket).Put(value, binary.BigEndian.AppendUint64(nil, times)),
		tx.Bucket(stateBucket).Put(windowKey, state))
}

// lines is a file of lines, each on the disk before the next is begun.
type lines struct {
	*os.File
	before []string
}

// openLines opens a file and cuts off what is no whole line.
func openLines(path string) (*lines, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(int64(whole)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l := &lines{File: f}
	for line := range strings.Lines(string(b[:whole])) {
		l.before = append(l.before, strings.TrimSuffix(line, "\n"))
	}
	return l, nil
}

func (l *lines) add(line string) error {
	if _, err := l.WriteString(line + "\n"); err != nil {
		return err
	}
	return l.Sync()
}
