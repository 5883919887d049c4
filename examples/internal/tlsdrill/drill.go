// Package tlsdrill has what the tests of the TLS examples share: a move to another CA under load, and a server that speaks no TLS and keeps what it is told.
package tlsdrill

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// How long to wait for what must happen on a busy machine, and how often to look.
const (
	Patience = 60 * time.Second
	Pause    = 5 * time.Millisecond
)

// Drill is two CAs, and a client that trusts what a file has.
type Drill struct {
	Client   *tlsconfig.Client
	Roots    string          // the file whose CAs it trusts
	Old, New tls.Certificate // of localhost and 127.0.0.1

	old, new []byte
	trust    chan struct{}
}

// New returns a drill whose client trusts the old CA.
func New(t *testing.T) *Drill {
	t.Helper()
	soon := &tlsconfigtest.CAOptions{NotAfter: time.Now().Add(time.Hour)} // the file is looked at twice a second
	before, after := tlsconfigtest.NewCA(t, soon), tlsconfigtest.NewCA(t, soon)
	leaf := tlsconfigtest.Leaf{DNS: []string{"localhost"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, NotAfter: soon.NotAfter}
	one, two := leaf, leaf
	d := &Drill{
		Old: before.Issue(&one), New: after.Issue(&two), Roots: filepath.Join(t.TempDir(), "ca.pem"),
		old: before.PEM(), new: after.PEM(), trust: make(chan struct{}, 16),
	}
	d.write(t, d.old)
	client, err := tlsconfig.NewClient(t.Context(), tlsconfig.RootFiles(d.Roots), &tlsconfig.ClientOptions{Observer: d})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	d.Client = client
	return d
}

// Observe implements tlsconfig.Observer.
func (d *Drill) Observe(e tlsconfig.Event) {
	if e.Kind == tlsconfig.KindTrust && e.Err == nil {
		d.trust <- struct{}{}
	}
}

func (d *Drill) write(t *testing.T, parts ...[]byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(d.Roots+".new", bytes.Join(parts, nil), 0o600))
	require.NoError(t, os.Rename(d.Roots+".new", d.Roots))
}

// trusts has the client trust these and waits until it does.
func (d *Drill) trusts(t *testing.T, parts ...[]byte) {
	t.Helper()
	d.write(t, parts...)
	select {
	case <-d.trust:
	case <-time.After(Patience):
		require.FailNow(t, "the new roots are not taken")
	}
}

// Move moves the server to the new CA while four workers connect anew for each call. No call may fail, until the server returns to the old CA.
func (d *Drill) Move(t *testing.T, serve func(tls.Certificate), call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done, failed atomic.Int64
	var first atomic.Value
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	for range 4 {
		work.Go(func() {
			for ctx.Err() == nil {
				if err := call(t.Context()); err != nil { // the last one ends too
					failed.Add(1)
					first.CompareAndSwap(nil, err.Error())
					return
				}
				done.Add(1)
			}
		})
	}
	more := func() {
		t.Helper()
		want := done.Load() + 20
		require.Eventually(t, func() bool { return done.Load() >= want || failed.Load() > 0 }, Patience, Pause)
		require.Zero(t, failed.Load(), "first: %v", first.Load())
	}
	more()
	d.trusts(t, d.old, d.new)
	more()
	serve(d.New)
	more()
	d.trusts(t, d.new)
	more()
	cancel()
	work.Wait()
	require.Zero(t, failed.Load(), "first: %v", first.Load())
	t.Logf("%d calls, none failed", done.Load())

	serve(d.Old)
	require.Equal(t, tlsconfig.ReasonUntrusted, tlsconfig.ReasonOf(call(t.Context())))
}
