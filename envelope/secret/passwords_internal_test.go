package secret

import (
	"bytes"
	"context"
	"crypto/fips140"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/internal/bubble"
)

// passwordsHold stands for the computing: it holds every hash until it is let go, and counts.
type passwordsHold struct {
	next chan struct{}

	mu          sync.Mutex
	count       int
	memory      int64 // KiB
	mostCount   int
	mostMemory  int64
	alone       int // hashes larger than everything
	size, least int64
	broken      string
}

func (c *passwordsHold) stretch(h *phc, _ string) ([]byte, error) {
	memory := max(int64(h.memory), c.least)
	c.mu.Lock()
	c.count++
	c.memory += memory
	switch {
	case memory > c.size && c.count == 1:
		c.alone++
	case c.memory > c.size:
		c.broken = fmt.Sprintf("%d hashes take %d KiB", c.count, c.memory)
	default:
		c.mostCount, c.mostMemory = max(c.mostCount, c.count), max(c.mostMemory, c.memory)
	}
	c.mu.Unlock()
	<-c.next
	c.mu.Lock()
	c.count--
	c.memory -= memory
	c.mu.Unlock()
	return bytes.Clone(h.tag), nil
}

// passwordsBubble runs f in a bubble, with a pepper in it.
func passwordsBubble(t *testing.T, o *PasswordOptions, f func(t *testing.T, p *Passwords, c *passwordsHold)) {
	t.Helper()
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skip("the FIPS module takes its entropy from the clock, which stands still in a bubble")
	}
	bubble.Test(t, func(t *testing.T) {
		p, err := NewPasswords(envelopetest.New(t, nil).Tenant("pepper"), o)
		require.NoError(t, err)
		c := &passwordsHold{next: make(chan struct{}), size: p.gate.size, least: p.gate.least}
		p.stretch = c.stretch
		f(t, p, c)
	})
}

// TestLoginsStayUnderTheCap has 200 people sign in at once.
func TestLoginsStayUnderTheCap(t *testing.T) {
	const logins = 200
	for _, concurrent := range []int{1, 3, 8} {
		t.Run(fmt.Sprint(concurrent), func(t *testing.T) {
			passwordsBubble(t, &PasswordOptions{Concurrent: concurrent}, func(t *testing.T, p *Passwords, c *passwordsHold) {
				stored, err := p.Import(t.Context(), "7", phcPBKDF2)
				require.NoError(t, err)
				done := make(chan error, logins)
				for range logins {
					go func() {
						ok, _, err := p.Verify(t.Context(), "7", NewText("password"), stored)
						if err == nil && !ok {
							err = fmt.Errorf("not ok")
						}
						done <- err
					}()
				}
				for left := range logins {
					synctest.Wait() // all the others wait for their turn
					require.Equal(t, min(concurrent, logins-left), c.count)
					require.Len(t, done, left)
					c.next <- struct{}{}
				}
				for range logins {
					require.NoError(t, <-done)
				}
			})
		})
	}
}

// TestLoginsStayUnderTheMemory has hashes of all sizes in flight.
func TestLoginsStayUnderTheMemory(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("Argon2id")
	}
	o := &PasswordOptions{Concurrent: 4}
	passwordsBubble(t, o, func(t *testing.T, p *Passwords, c *passwordsHold) {
		var stored [][]byte
		for _, memory := range []uint32{8, argonMemory, 2*argonMemory + 1, 4 * argonMemory, 200_000} {
			h := phc{algorithm: argon2id, memory: memory, time: 1, threads: 1, salt: make([]byte, 16), tag: make([]byte, 32)}
			b, err := p.Import(t.Context(), "7", string(h.append(nil)))
			require.NoError(t, err)
			stored = append(stored, b)
		}
		const rounds = 40
		done := make(chan error, rounds*len(stored))
		for range rounds {
			for _, b := range stored {
				go func() {
					_, _, err := p.Verify(t.Context(), "7", NewText("password"), b)
					done <- err
				}()
			}
		}
		for range cap(done) {
			synctest.Wait()
			require.Empty(t, c.broken)
			require.NotZero(t, c.count, "nobody's turn")
			c.next <- struct{}{}
		}
		for range cap(done) {
			require.NoError(t, <-done)
		}
		require.Equal(t, rounds, c.alone)
		require.LessOrEqual(t, c.mostMemory, int64(4*argonMemory))
		require.LessOrEqual(t, c.mostCount, 4, "small ones count like one of now")
		require.Greater(t, c.mostCount, 1)
	})
}

// TestWaitingEnds cancels calls that wait for their turn.
func TestWaitingEnds(t *testing.T) {
	passwordsBubble(t, &PasswordOptions{Concurrent: 1}, func(t *testing.T, p *Passwords, c *passwordsHold) {
		stored, err := p.Import(t.Context(), "7", phcPBKDF2)
		require.NoError(t, err)
		verify := func(ctx context.Context) error {
			_, _, err := p.Verify(ctx, "7", NewText("password"), stored)
			return err
		}
		first := make(chan error, 1)
		go func() { first <- verify(t.Context()) }()
		synctest.Wait()
		require.Equal(t, 1, c.count)

		go func() { c.next <- struct{}{} }() // for the decoy's
		go func() { first <- p.Dummy(t.Context(), NewText("password")) }()
		synctest.Wait()
		require.NoError(t, <-first)
		require.Equal(t, 1, c.count)

		for name, call := range map[string]func(ctx context.Context) error{
			"Verify": verify,
			"Hash":   func(ctx context.Context) error { _, err := p.Hash(ctx, "7", NewText("password")); return err },
			"Dummy":  func(ctx context.Context) error { return p.Dummy(ctx, NewText("password")) },
		} {
			ctx, cancel := context.WithCancel(t.Context())
			waiting := make(chan error, 1)
			go func() { waiting <- call(ctx) }()
			synctest.Wait()
			require.Empty(t, waiting, name)
			cancel()
			require.ErrorIs(t, <-waiting, context.Canceled, name)
			require.ErrorIs(t, call(ctx), context.Canceled, name)

			ctx, cancel = context.WithTimeout(t.Context(), 1) // the bubble's time goes on as soon as all wait
			require.ErrorIs(t, call(ctx), context.DeadlineExceeded, name)
			cancel()
			require.Equal(t, 1, c.count, "it was computed all the same")
		}
		c.next <- struct{}{}
		require.NoError(t, <-first)
		go func() { c.next <- struct{}{} }()
		require.NoError(t, verify(t.Context()), "the room of those that left is taken")
	})
}

// TestGate needs no keyring, so that it runs in every FIPS mode.
func TestGate(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		g := newGate(3, 100)
		var leaves []func()
		for _, memory := range []uint32{0, 50, 100} {
			leave, err := g.enter(t.Context(), memory)
			require.NoError(t, err)
			leaves = append(leaves, leave)
		}
		entered := make(chan func(), 1)
		go func() {
			leave, err := g.enter(t.Context(), 1_000_000)
			if err == nil {
				entered <- leave
			}
		}()
		for _, leave := range leaves {
			synctest.Wait()
			require.Empty(t, entered)
			leave()
		}
		leave := <-entered
		ctx, cancel := context.WithTimeout(t.Context(), 1)
		defer cancel()
		_, err := g.enter(ctx, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		leave()
		leave, err = g.enter(t.Context(), 1)
		require.NoError(t, err)
		leave()
	})
}

// TestDummyWorksLikeVerify counts what is computed for somebody who is not there, and for a wrong password.
func TestDummyWorksLikeVerify(t *testing.T) {
	ctx := t.Context()
	p, err := NewPasswords(envelopetest.New(t, nil).Tenant("pepper"), &PasswordOptions{Memory: 20 << 10, Time: 3, Threads: 2})
	require.NoError(t, err)
	stored, err := p.Hash(ctx, "7", NewText("password"))
	require.NoError(t, err)
	var work []phc
	p.stretch = func(h *phc, password string) ([]byte, error) {
		require.Equal(t, "wrong", password)
		done := *h
		done.salt, done.tag = make([]byte, len(h.salt)), make([]byte, len(h.tag))
		work = append(work, done)
		return make([]byte, len(h.tag)), nil
	}
	ok, rehash, err := p.Verify(ctx, "7", NewText("wrong"), stored)
	require.NoError(t, err)
	require.False(t, ok || rehash)
	for range 3 {
		require.NoError(t, p.Dummy(ctx, NewText("wrong")))
	}
	want := p.now
	want.salt, want.tag = make([]byte, 16), make([]byte, 32)
	require.Equal(t, []phc{want, want, want, want}, work)
}
