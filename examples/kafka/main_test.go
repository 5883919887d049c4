package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/envelope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	dir := t.TempDir()
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, dir))
	require.Equal(t, strings.TrimLeft(`
Two customers, 3 orders under 3 keys, one rotated in between: 3 opened
A change and a tombstone of order-1: 32 bytes of token, the same: true; order-1 is "none after all"
acme has taken their key back: of globex "12 roses for Ada", held 1 of acme
acme has given it again: from orders.held "12 roses for Ada"
A person is erased (case-2041, 1 keys): 1 order skipped, which the broker has still
The mirror has 8 records as primary.orders: 7 opened, 1 of the erased skipped
The broker's files hold headers, and no order and no number.
`, "\n"), out.String())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// newDemo returns what run makes.
func newDemo(t *testing.T) *demo {
	t.Helper()
	dir := t.TempDir()
	k, err := newKeys(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.close()) })
	b, err := startBrokers(dir)
	require.NoError(t, err)
	t.Cleanup(b.close)
	topic, err := newTopic(k.ring)
	require.NoError(t, err)
	return &demo{out: &strings.Builder{}, keys: k, b: b, topic: topic}
}

// TestSearch: the search of the broker's files finds what lies there in the clear.
func TestSearch(t *testing.T) {
	d := newDemo(t)
	_, err := d.order(t.Context(), d.keys.ring.Tenant(acme), "order-1", canary)
	require.NoError(t, err)
	require.NoError(t, d.search(t.Context()))
	require.NoError(t, d.b.producer.ProduceSync(t.Context(), &kgo.Record{Topic: orders, Value: []byte("in the clear: " + canary)}).FirstErr())
	require.Error(t, d.search(t.Context()))
}

// TestAltered: a record that was changed on its way ends the consumer, which says where it is and nothing of what.
func TestAltered(t *testing.T) {
	d := newDemo(t)
	sealed, err := d.order(t.Context(), d.keys.ring.Tenant(acme), "order-1", canary)
	require.NoError(t, err)
	sealed.Value[len(sealed.Value)-1] ^= 1
	require.NoError(t, d.b.producer.ProduceSync(t.Context(), &kgo.Record{Topic: orders, Key: sealed.Key, Value: sealed.Value, Headers: sealed.Headers}).FirstErr())
	in, err := consume(t.Context(), d.b.primary.ListenAddrs(), orders, d.topic, d.b.producer)
	require.NoError(t, err)
	err = in.got(t.Context(), 2)
	require.Len(t, in.lines, 1)
	require.ErrorIs(t, err, envelope.ErrOpen)
	require.NotContains(t, err.Error(), canary)
	require.ErrorIs(t, in.stop(), envelope.ErrOpen)
}

// TestStranger: there is no key for a customer that nobody knows.
func TestStranger(t *testing.T) {
	d := newDemo(t)
	_, err := d.order(t.Context(), d.keys.ring.Tenant("stranger"), "order-1", canary)
	require.Equal(t, envelope.Hold, envelope.ActionFor(err))
}

// TestCustomersApart: two customers may have an order of one number, and anybody may make a tombstone without a key.
func TestCustomersApart(t *testing.T) {
	d := newDemo(t)
	for _, customer := range []string{acme, globex} {
		_, err := d.order(t.Context(), d.keys.ring.Tenant(customer), "order-1", "of "+customer)
		require.NoError(t, err)
	}
	require.NoError(t, d.b.producer.ProduceSync(t.Context(), &kgo.Record{Topic: orders, Headers: []kgo.RecordHeader{{Key: tenantHeader, Value: []byte(acme)}}}).FirstErr())
	in, err := consume(t.Context(), d.b.primary.ListenAddrs(), orders, d.topic, d.b.producer)
	require.NoError(t, err)
	require.NoError(t, in.got(t.Context(), 3))
	require.NoError(t, in.stop())
	require.Equal(t, map[string]string{"acme order-1": "of acme", "globex order-1": "of globex"}, in.has())
}

// interrupted is what is printed until a line comes, which ends the context.
type interrupted struct {
	strings.Builder
	at     string
	cancel context.CancelFunc
}

func (i *interrupted) Write(p []byte) (int, error) {
	if strings.Contains(string(p), i.at) {
		i.cancel()
	}
	return i.Builder.Write(p)
}

// TestInterrupted: it ends when it is told to, wherever it is, and leaves nothing behind.
func TestInterrupted(t *testing.T) {
	for _, at := range []string{"", "Two customers", "A change", "acme has taken", "acme has given", "A person", "The mirror"} {
		t.Run(at, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if at == "" {
				cancel()
			}
			dir := t.TempDir()
			err := run(ctx, &interrupted{at: at, cancel: cancel}, dir)
			if at != "The mirror" { // after which it may be over anyway
				require.ErrorIs(t, err, context.Canceled)
			}
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}
