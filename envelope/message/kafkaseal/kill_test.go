//go:build unix

package kafkaseal_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.etcd.io/bbolt"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/boltstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
	"github.com/holdfast-go/holdfast/kms/local"
)

// TestKilled kills producer and consumer again and again, at steps where it matters and at random moments. Every value has its effect once, although both send and receive again.
func TestKilled(t *testing.T) {
	n := 300
	if testing.Short() {
		n = 60
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "orders"), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	addrs := cluster.ListenAddrs()
	dirs := killDirs(t, "producer", "consumer")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()

	producer := lives{task: task{Role: "producer", Dir: dirs[0], Addrs: addrs, N: n}, steps: []string{"acknowledged", "kept"}}
	consumer := lives{task: task{Role: "consumer", Dir: dirs[1], Addrs: addrs, N: n}, steps: []string{"stored", "accepted"}}
	ended := make(chan error, 1)
	go func() {
		err := producer.run(ctx, func(string) bool { return false })
		if err == nil {
			err = produceEnds(ctx, addrs)
		}
		if err != nil {
			cancel()
		}
		ended <- err
	}()
	seen, ends := map[string]int{}, map[string]bool{}
	consumed := consumer.run(ctx, func(line string) bool {
		if strings.HasPrefix(line, "end") {
			ends[line] = true
		} else {
			seen[line]++
		}
		return len(ends) == 2
	})
	require.NoError(t, <-ended)
	require.NoError(t, consumed)

	again := 0
	for _, times := range seen {
		again += times - 1
	}
	records, values := killRecords(t, addrs)
	t.Logf("producer: %d kills, %d records of %d values; consumer: %d kills, %d records again", producer.kills, records, values, consumer.kills, again)
	require.GreaterOrEqual(t, producer.kills, 3)
	require.GreaterOrEqual(t, consumer.kills, 3)
	require.Equal(t, n, values)
	require.Greater(t, records, n, "the producer has to send again what it has no mark for")
	require.Positive(t, again, "the consumer has to get again what it had not committed")
	require.Len(t, seen, records)
	effects := killEffects(t, dirs[1])
	require.Len(t, effects, n)
	for _, v := range numbers(0, n) {
		require.EqualValues(t, 1, effects[v], v)
	}
}

// killDirs makes directories for processes that share a key file, with a copy of the key store in each.
func killDirs(t *testing.T, names ...string) (dirs []string) {
	t.Helper()
	first := t.TempDir()
	f, err := local.Create(filepath.Join(first, "key.json"), nil)
	require.NoError(t, err)
	store, err := boltstore.Open(filepath.Join(first, "store"), nil)
	require.NoError(t, err)
	ring, err := envelope.NewKeyring("test", store, envelope.SingleRoot(f.Key()), nil)
	require.NoError(t, err)
	topic, err := message.NewTopic(ring, "orders", killOptions(nil))
	require.NoError(t, err)
	_, err = kafkaseal.Seal(t.Context(), topic, ring.Tenant("acme"), &kgo.Record{Key: []byte("k"), Value: []byte("makes the keys")})
	require.NoError(t, err)
	require.NoError(t, ring.Close())
	require.NoError(t, store.Close())
	require.NoError(t, f.Close())
	for _, name := range names {
		dir := filepath.Join(first, name)
		require.NoError(t, os.Mkdir(dir, 0o700))
		for _, file := range []string{"key.json", "store"} {
			b, err := os.ReadFile(filepath.Join(first, file))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), b, 0o600))
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

func killOptions(w *message.Window) *message.TopicOptions {
	return &message.TopicOptions{TenantHeader: "tenant", Sender: "shop", TokenKeys: true, Window: w}
}

// lives are those of a process that is killed and started again.
type lives struct {
	task
	steps []string // where the first ones end
	kills int
}

// run has the process live until it ends by itself, which it does once line has returned true, or earlier when it has nothing more to do.
func (l *lives) run(ctx context.Context, line func(string) bool) error {
	const random = 3
	for life := 0; ; life++ {
		k, after := l.task, 0
		switch {
		case life < len(l.steps):
			k.DieAt, k.After = l.steps[life], 2+rand.IntN(5)
		case life < len(l.steps)+random:
			after = 1 + rand.IntN(k.N/8)
		}
		killed, enough, err := live(ctx, k, after, line)
		if err != nil {
			return fmt.Errorf("%s, life %d: %w", k.Role, life, err)
		}
		if killed {
			l.kills++
		}
		if !killed || enough {
			return nil
		}
	}
}

// live runs a child and reads its lines. It kills it after so many, 0 for not at all, and lets it end once line has returned true.
func live(ctx context.Context, k task, after int, line func(string) bool) (killed, enough bool, err error) {
	text, err := json.Marshal(k)
	if err != nil {
		return false, false, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return false, false, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return false, false, err
	}
	if err := cmd.Start(); err != nil {
		return false, false, err
	}
	scanner := bufio.NewScanner(out)
	for n := 1; scanner.Scan(); n++ {
		if line(scanner.Text()) {
			enough = true
			in.Close()
		}
		if n == after {
			cmd.Process.Kill() // and read on what it has written until then
		}
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return false, false, ctx.Err()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status, ok := exit.Sys().(syscall.WaitStatus)
		if ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return true, enough, nil
		}
	}
	if err != nil {
		return false, false, fmt.Errorf("%w: %s", err, &stderr)
	}
	return false, enough, nil
}

// produceEnds puts plaintext at the end of each partition, which tells that all before it is read.
func produceEnds(ctx context.Context, addrs []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	header := []kgo.RecordHeader{{Key: "tenant", Value: []byte("acme")}}
	return client.ProduceSync(ctx,
		&kgo.Record{Topic: "orders", Partition: 0, Value: []byte("end"), Headers: header},
		&kgo.Record{Topic: "orders", Partition: 1, Value: []byte("end"), Headers: header}).FirstErr()
}

// killRecords counts what the broker has but for the ends, and how much of it is different.
func killRecords(t *testing.T, addrs []string) (records, values int) {
	t.Helper()
	client := newClient(t, addrs, kgo.ConsumeTopics("orders"))
	different := map[string]bool{}
	for ends := 0; ends < 2; {
		fetches := client.PollFetches(t.Context())
		require.Empty(t, fetches.Errors())
		for _, r := range fetches.Records() {
			if string(r.Value) == "end" {
				ends++
				continue
			}
			records++
			different[string(r.Value)] = true
		}
	}
	return records, len(different)
}

// killEffects returns how often each value had its effect.
func killEffects(t *testing.T, dir string) map[string]uint64 {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "effects"), 0o600, &bbolt.Options{Timeout: 10 * time.Second})
	require.NoError(t, err)
	defer db.Close()
	effects := map[string]uint64{}
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(effectsBucket).ForEach(func(k, v []byte) error {
			effects[string(k)] = binary.BigEndian.Uint64(v)
			return nil
		})
	}))
	return effects
}

func TestLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	require.NoError(t, os.WriteFile(path, []byte("one\ntwo\nthr"), 0o600))
	l, err := openLines(path)
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two"}, l.before, "what was being written at a kill is no line")
	require.NoError(t, l.add("three"))
	require.NoError(t, l.Close())
	l, err = openLines(path)
	require.NoError(t, err)
	defer l.Close()
	require.Equal(t, []string{"one", "two", "three"}, l.before)
}
