package tlsconfig_test

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// revocationStart is when time begins in a bubble.
var revocationStart = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// revocationLog keeps events.
type revocationLog struct {
	mu     sync.Mutex
	events []tlsconfig.Event
}

func (l *revocationLog) tell(e tlsconfig.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// take returns the events since the last call.
func (l *revocationLog) take() []tlsconfig.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.events
	l.events = nil
	return events
}

// The lists are signed outside of the bubble, since randomness can't be drawn in one in all FIPS modes.
func TestRevocationReload(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	first, second := ca.Issue(nil).Leaf, ca.Issue(nil).Leaf
	life := &tlsconfigtest.CRLOptions{ThisUpdate: revocationStart, NextUpdate: revocationStart.Add(24 * time.Hour)}
	none := ca.CRL(life)
	ca.Revoke(first)
	one := ca.CRL(life)
	ca.Revoke(second)
	two := ca.CRL(&tlsconfigtest.CRLOptions{ThisUpdate: revocationStart, NextUpdate: revocationStart.Add(48 * time.Hour)})
	path := revocationFile(t, none)
	chains := revocationChain(first, ca)

	bubble.Test(t, func(t *testing.T) {
		log := &revocationLog{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		v, err := tlsconfig.MatchHoldRevocation(ctx, tlsconfig.CRLFiles(path), log.tell)
		require.NoError(t, err)
		check := func() tlsconfig.Reason { return tlsconfig.ReasonOf(v.Check(chains, time.Now())) }
		poll := func() { time.Sleep(31 * time.Second); synctest.Wait() }
		require.Equal(t, tlsconfig.Allowed, check())

		revocationWrite(t, path, none) // the same bytes again
		poll()
		require.Empty(t, log.take())

		revocationWrite(t, path, []byte("# the same list in other bytes\n"), none)
		poll()
		require.Empty(t, log.take())

		changed := v.Changed()
		revocationWrite(t, path, one)
		poll()
		require.Equal(t, tlsconfig.ReasonRevoked, check())
		revocationRequireClosed(t, changed)
		events := log.take()
		require.Len(t, events, 1)
		require.Equal(t, tlsconfig.KindTrust, events[0].Kind)
		require.Equal(t, tlsconfig.Allowed, events[0].Reason)
		require.NoError(t, v.Healthy(time.Now()))

		breakIt := []struct {
			name string
			do   func()
		}{
			{"garbage", func() { revocationWrite(t, path, []byte("garbage")) }},
			{"half", func() { revocationWrite(t, path, two[:len(two)/2]) }},
			{"empty", func() { revocationWrite(t, path) }},
			{"gone", func() { require.NoError(t, os.Remove(path)) }},
			{"a directory", func() {
				require.NoError(t, os.Remove(path))
				require.NoError(t, os.Mkdir(path, 0o700))
			}},
			{"too large", func() { revocationWrite(t, path, make([]byte, 1<<20+1)) }},
		}
		for _, broken := range breakIt {
			changed := v.Changed()
			broken.do()
			poll()
			poll() // the second time it is not news
			require.Equal(t, tlsconfig.ReasonRevoked, check(), broken.name)
			events = log.take()
			require.Len(t, events, 1, broken.name)
			require.Equal(t, tlsconfig.KindTrust, events[0].Kind)
			require.Equal(t, tlsconfig.ReasonRevocation, events[0].Reason)
			require.ErrorIs(t, events[0].Err, tlsconfig.ErrInvalid)
			require.ErrorIs(t, v.Healthy(time.Now()), tlsconfig.ErrInvalid)

			require.NoError(t, os.RemoveAll(path))
			revocationWrite(t, path, one)
			poll()
			require.Len(t, log.take(), 1, "that it is well again")
			require.NoError(t, v.Healthy(time.Now()))
			select {
			case <-changed:
				require.Fail(t, "nothing else counts", broken.name)
			default:
			}
		}

		chains = revocationChain(second, ca)
		require.Equal(t, tlsconfig.Allowed, check())
		revocationWrite(t, path, two)
		poll()
		require.Equal(t, tlsconfig.ReasonRevoked, check())

		time.Sleep(48 * time.Hour) // what is there ends
		require.ErrorIs(t, v.Healthy(time.Now()), tlsconfig.ErrInvalid)

		cancel()
		synctest.Wait()
		log.take()
		revocationWrite(t, path, one)
		poll()
		require.Empty(t, log.take(), "nobody looks after the end")
	})
}

func revocationRequireClosed(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	default:
		require.Fail(t, "the channel is not closed")
	}
}

func TestRevocationEndsWithoutNews(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	leaf := ca.Issue(nil).Leaf
	path := revocationFile(t, ca.CRL(&tlsconfigtest.CRLOptions{ThisUpdate: revocationStart, NextUpdate: revocationStart.Add(time.Hour)}))
	bubble.Test(t, func(t *testing.T) {
		v, err := tlsconfig.MatchHoldRevocation(t.Context(), tlsconfig.CRLFiles(path), func(tlsconfig.Event) {})
		require.NoError(t, err)
		check := func() tlsconfig.Reason {
			return tlsconfig.ReasonOf(v.Check(revocationChain(leaf, ca), time.Now()))
		}
		require.NoError(t, v.Healthy(time.Now()))
		time.Sleep(time.Hour + time.Minute)
		require.Equal(t, tlsconfig.Allowed, check(), "5 minutes are for clocks")
		require.ErrorIs(t, v.Healthy(time.Now()), tlsconfig.ErrInvalid, "health tells before it hurts")
		time.Sleep(5 * time.Minute)
		require.Equal(t, tlsconfig.ReasonRevocation, check())
	})
}

// Kubernetes swaps a symlink to the directory of all files.
func TestRevocationSymlink(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	leaf := ca.Issue(nil).Leaf
	life := &tlsconfigtest.CRLOptions{ThisUpdate: revocationStart, NextUpdate: revocationStart.Add(24 * time.Hour)}
	dir := t.TempDir()
	write := func(name string, list []byte) {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		revocationWrite(t, filepath.Join(dir, name, "crl.pem"), list)
	}
	write("v1", ca.CRL(life))
	ca.Revoke(leaf)
	write("v2", ca.CRL(life))
	if err := os.Symlink("v1", filepath.Join(dir, "..data")); err != nil {
		t.Skipf("no symlinks here: %v", err)
	}
	path := filepath.Join(dir, "..data", "crl.pem")
	bubble.Test(t, func(t *testing.T) {
		v, err := tlsconfig.MatchHoldRevocation(t.Context(), tlsconfig.CRLFiles(path), func(tlsconfig.Event) {})
		require.NoError(t, err)
		require.NoError(t, v.Check(revocationChain(leaf, ca), time.Now()))
		require.NoError(t, os.Symlink("v2", filepath.Join(dir, "..new")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
		time.Sleep(31 * time.Second)
		synctest.Wait()
		require.Equal(t, tlsconfig.ReasonRevoked, tlsconfig.ReasonOf(v.Check(revocationChain(leaf, ca), time.Now())))
	})
}

func TestRevocationConcurrent(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	leaf := ca.Issue(nil).Leaf
	none := ca.CRL(nil)
	v := revocationHold(t, none)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if err := v.Check([][]*x509.Certificate{{leaf, ca.Certificate()}}, time.Now()); err != nil {
					t.Error(err)
				}
				v.Digest()
				v.Changed()
			}
		})
	}
	wg.Wait()
}
