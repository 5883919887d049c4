package tlsconfig

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
)

// ticketBubble runs a test with a clock of its own.
func ticketBubble(t *testing.T, f func(t *testing.T)) {
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skip("the FIPS module takes its entropy from the clock, which stands still in a bubble")
	}
	bubble.Test(t, f)
}

func newTestTickets(t testing.TB, o *Tickets, life time.Duration) *ticketKeys {
	t.Helper()
	k, err := newTicketKeys(t.Context(), o, life)
	require.NoError(t, err)
	return k
}

func opens(k *ticketKeys, digest [32]byte, name string, ticket []byte) bool {
	_, state, ok := k.open(digest, name, ticket)
	return ok && string(state) == "state"
}

// TestTicketBinding: a ticket opens for what it was made for, and every byte of it counts.
func TestTicketBinding(t *testing.T) {
	k := newTestTickets(t, nil, time.Hour)
	digest, since := [32]byte{1}, time.Now().Truncate(time.Second)
	ticket := k.seal(digest, "a.example", since, []byte("state"))
	got, _, ok := k.open(digest, "a.example", ticket)
	require.True(t, ok)
	require.True(t, since.Equal(got))
	require.True(t, opens(k, digest, "a.example", ticket))
	require.False(t, opens(k, [32]byte{2}, "a.example", ticket))
	require.False(t, opens(k, digest, "b.example", ticket))
	require.False(t, opens(k, digest, "", ticket))
	require.False(t, opens(newTestTickets(t, nil, time.Hour), digest, "a.example", ticket), "of another process")
	for i := range ticket {
		bad := bytes.Clone(ticket)
		bad[i] ^= 1
		require.False(t, opens(k, digest, "a.example", bad), "byte %d", i)
		require.False(t, opens(k, digest, "a.example", ticket[:i]), "%d bytes", i)
	}
	require.False(t, opens(k, digest, "a.example", append(bytes.Clone(ticket), 0)))
	require.NotContains(t, string(ticket), "state")
	require.False(t, opens(k, digest, "a.example", k.seal(digest, "a.example", since, make([]byte, maxTicket))), "too large to keep")
}

// TestTicketEpochs: a ticket counts in its epoch and the next, on servers whose clocks differ by less than an epoch, and not beyond the life of what it rests on.
func TestTicketEpochs(t *testing.T) {
	ticketBubble(t, func(t *testing.T) {
		k := newTestTickets(t, &Tickets{Epoch: time.Hour}, 24*time.Hour)
		time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour))) // an epoch begins
		digest := [32]byte{1}
		ticket := k.seal(digest, "", time.Now(), []byte("state"))
		time.Sleep(2*time.Hour - time.Second)
		require.True(t, opens(k, digest, "", ticket))
		time.Sleep(time.Second)
		require.False(t, opens(k, digest, "", ticket), "two epochs later")
		old := k.seal(digest, "", time.Now().Add(-24*time.Hour), []byte("state"))
		require.True(t, opens(k, digest, "", old))
		time.Sleep(time.Second)
		require.False(t, opens(k, digest, "", old), "its client was verified more than a day ago")
		require.False(t, opens(k, digest, "", k.seal(digest, "", time.Now().Add(2*time.Hour), []byte("state"))), "from the future")
	})
}

// TestTicketEpochsApart: the ticket of a server whose clock is ahead.
func TestTicketEpochsApart(t *testing.T) {
	k := newTestTickets(t, nil, time.Hour)
	digest := [32]byte{1}
	now := k.at(time.Now())
	for ahead, want := range map[int]bool{-2: false, -1: true, 0: true, 1: true, 2: false} {
		ticket := k.sealIn(now+uint64(ahead), digest, "", time.Now(), []byte("state"))
		require.Equal(t, want, opens(k, digest, "", ticket), "%d epochs", ahead)
	}
}

// TestTicketRoot: the secret of a fleet is asked for in each epoch, the last goes on when that fails, and the one before counts as well.
func TestTicketRoot(t *testing.T) {
	ticketBubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mu sync.Mutex // guards the three
		secret, failed := testSecret(1), error(nil)
		calls := 0
		root := func(context.Context) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			calls++
			return secret, failed
		}
		become := func(s []byte, err error) {
			mu.Lock()
			defer mu.Unlock()
			secret, failed = s, err
		}
		digest := [32]byte{1}
		a, err := newTicketKeys(ctx, &Tickets{Root: root, Epoch: time.Hour}, 24*time.Hour)
		require.NoError(t, err)
		b, err := newTicketKeys(ctx, &Tickets{Root: func(context.Context) ([]byte, error) { return testSecret(1), nil }, Epoch: time.Hour}, 24*time.Hour)
		require.NoError(t, err)
		require.True(t, opens(b, digest, "", a.seal(digest, "", time.Now(), []byte("state"))))
		time.Sleep(time.Hour)
		synctest.Wait()
		mu.Lock()
		require.Equal(t, 2, calls)
		mu.Unlock()

		outage := errors.New("no route to host")
		become(testSecret(1), outage)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.ErrorIs(t, a.healthy(), outage)
		require.True(t, opens(b, digest, "", a.seal(digest, "", time.Now(), []byte("state"))))
		become(testSecret(2), nil)
		time.Sleep(time.Hour / 10)
		synctest.Wait()
		require.NoError(t, a.healthy(), "it tries again sooner")
		require.False(t, opens(b, digest, "", a.seal(digest, "", time.Now(), []byte("state"))))
		require.True(t, opens(a, digest, "", b.seal(digest, "", time.Now(), []byte("state"))), "of a server that has not heard of the new secret")

		become([]byte("short"), nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.ErrorIs(t, a.healthy(), ErrInvalid)
		_, err = newTicketKeys(ctx, &Tickets{Root: root}, time.Hour)
		require.ErrorIs(t, err, ErrInvalid)
		become(make([]byte, 32), nil)
		_, err = newTicketKeys(ctx, &Tickets{Root: root}, time.Hour)
		require.ErrorIs(t, err, ErrInvalid, "an array that nobody has filled")
	})
}

// testSecret returns one of several secrets.
func testSecret(n byte) []byte {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = n + byte(i)
	}
	return secret
}

func TestTicketOptions(t *testing.T) {
	for _, epoch := range []time.Duration{-1, time.Second, time.Minute - 1, 24*time.Hour + 1} {
		_, err := newTicketKeys(t.Context(), &Tickets{Epoch: epoch}, time.Hour)
		require.ErrorIs(t, err, ErrInvalid, epoch)
	}
	for _, epoch := range []time.Duration{0, time.Minute, 24 * time.Hour} {
		newTestTickets(t, &Tickets{Epoch: epoch}, time.Hour)
	}
}

// FuzzTicket: garbage leads to a full handshake, and nothing that was not sealed opens.
func FuzzTicket(f *testing.F) {
	k, err := newTicketKeys(f.Context(), nil, time.Hour)
	require.NoError(f, err)
	digest := [32]byte{1}
	good := k.seal(digest, "a.example", time.Now(), []byte("state"))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte{ticketFormat})
	f.Add(useless())
	f.Add([]byte{})
	random := make([]byte, 200)
	rand.Read(random)
	f.Add(random)
	f.Fuzz(func(t *testing.T, ticket []byte) {
		_, _, ok := k.open(digest, "a.example", ticket)
		require.Equal(t, bytes.Equal(ticket, good), ok)
	})
}
