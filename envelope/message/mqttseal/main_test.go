package mqttseal_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	canary   = "canary 4711: nobody but the consumer reads this"
	control  = "control-0815"   // what a search must find
	last     = "last-0916"      // the payload that is published after all others
	patience = 20 * time.Second // before a test that waits gives up
	pause    = time.Millisecond // between two looks
)

// newRing returns a Keyring of its own.
func newRing(t testing.TB) *envelope.Keyring {
	t.Helper()
	key, err := kms.NewKey(kmstest.NewFake("key").Driver(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, key.Close()) })
	ring, err := envelope.NewKeyring("test", memstore.New(), envelope.SingleRoot(key), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ring.Close()) })
	return ring
}

func newTopic(t testing.TB, ring *envelope.Keyring, name string, o *message.TopicOptions) *message.Topic {
	t.Helper()
	topic, err := message.NewTopic(ring, name, o)
	require.NoError(t, err)
	return topic
}

// pair is a key pair: what a device has of it, and what a consumer has.
type pair struct{ recipient, identity *kms.Key }

func newPair(t testing.TB) pair {
	t.Helper()
	private, err := hpke.GenerateKey(0)
	if errors.Is(err, kms.ErrUnsupported) { // the FIPS module in force has no HPKE: any other KMS will do
		k, err := kms.NewKey(kmstest.NewFake("key").Driver(), nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, k.Close()) })
		return pair{k, k}
	}
	require.NoError(t, err)
	recipient, err := hpke.NewRecipient(private.Public(), nil)
	require.NoError(t, err)
	identity, err := hpke.NewIdentity(private, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, recipient.Close())
		require.NoError(t, identity.Close())
	})
	return pair{recipient, identity}
}

func (p pair) publisher(t testing.TB, topic string, o *message.PublisherOptions) *message.Publisher {
	t.Helper()
	pub, err := message.NewPublisher(p.recipient, topic, o)
	require.NoError(t, err)
	return pub
}

func (p pair) subscriber(t testing.TB, o *message.SubscriberOptions) *message.Subscriber {
	t.Helper()
	sub, err := message.NewSubscriber(p.identity, o)
	require.NoError(t, err)
	return sub
}

// next returns what comes next.
func next[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

// goes runs f until stop is called, which returns what it returned.
func goes(t testing.TB, f func(ctx context.Context) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = f(ctx)
	}()
	stop = func() error {
		cancel()
		<-done
		return err
	}
	t.Cleanup(func() { stop() })
	return stop
}

// lines is a buffer that many may write to.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}
