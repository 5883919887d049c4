package tlsconfig

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// Tickets say how a Server resumes sessions, always of TLS 1.3: those of TLS 1.2 never are. A ticket counts for the policy, roots, revocation lists, rule and server name that it was made under, and no longer than
// the policy allows after the client was verified in full.
type Tickets struct {
	// Disabled has every handshake be a full one.
	Disabled bool
	// Root is the secret of a fleet, whose servers then resume each other's sessions. nil means one of this process alone.
	Root TicketRoot
	// Epoch is the time after which another key makes tickets: at the same moment in a whole fleet. The tickets of the epoch before and, where clocks differ, after still count. 0 means 6 hours; at least a minute, at most a day.
	Epoch time.Duration
}

// TicketRoot returns the secret of a fleet, 32 random bytes, such as from a sealed file. It is called at the start and in each epoch. When it fails then, the last secret goes on. When it returns another secret the one before counts until the
// next call, so that the servers of a fleet need not change at once.
type TicketRoot func(ctx context.Context) ([]byte, error)

const (
	ticketFormat = 1
	ticketHeader = 1 + 8            // format, epoch
	ticketPlain  = 8                // when the client was verified, in seconds of Unix
	maxTicket    = 64 << 10         // what a ticket may be: crypto/tls takes no more
	rootTimeout  = 10 * time.Second // of a call of TicketRoot
)

// ticketKeys make and open tickets.
type ticketKeys struct {
	off   bool
	root  TicketRoot
	epoch time.Duration
	life  time.Duration

	mu      sync.Mutex
	secrets [][]byte // the one that makes tickets, and the one before
	failed  error    // of the last call of root
	keys    map[ticketKey]cipher.AEAD
}

// ticketKey is what a key is derived for.
type ticketKey struct {
	secret string
	digest [32]byte
	epoch  uint64
}

func newTicketKeys(ctx context.Context, o *Tickets, life time.Duration) (*ticketKeys, error) {
	if o == nil {
		o = &Tickets{}
	}
	k := &ticketKeys{off: o.Disabled, root: o.Root, epoch: o.Epoch, life: life, keys: map[ticketKey]cipher.AEAD{}}
	if k.epoch == 0 {
		k.epoch = 6 * time.Hour
	}
	if k.epoch < time.Minute || k.epoch > 24*time.Hour {
		return nil, invalid("Tickets.Epoch is %v: want a minute to a day", o.Epoch)
	}
	switch {
	case k.off:
	case k.root == nil:
		secret := make([]byte, 32)
		rand.Read(secret) // never fails
		k.secrets = [][]byte{secret}
	default:
		if err := k.load(ctx); err != nil {
			return nil, err
		}
		go k.follow(ctx)
	}
	return k, nil
}

// load takes in the secret of the fleet.
func (k *ticketKeys) load(ctx context.Context) error {
	own, cancel := context.WithTimeout(ctx, rootTimeout)
	defer cancel()
	secret, err := k.root(own)
	if err == nil && len(secret) != 32 {
		err = invalid("TicketRoot must return 32 bytes, not %d", len(secret))
	}
	if err == nil && bytes.Count(secret, secret[:1]) == len(secret) {
		err = invalid("TicketRoot must return 32 random bytes, not one 32 times")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed = err; err != nil {
		return fmt.Errorf("tlsconfig: TicketRoot: %w", err)
	}
	if secrets := append([][]byte{append([]byte(nil), secret...)}, k.secrets...); len(secrets) > 2 {
		k.secrets = secrets[:2]
	} else {
		k.secrets = secrets
	}
	return nil
}

// follow loads the secret in each epoch until ctx ends.
func (k *ticketKeys) follow(ctx context.Context) {
	timer := time.NewTimer(k.epoch)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			next := k.epoch
			if k.load(ctx) != nil {
				next = max(k.epoch/10, time.Second)
			}
			timer.Reset(next)
		}
	}
}

// kind returns whose sessions are resumed: "off", "process" or "fleet".
func (k *ticketKeys) kind() string {
	switch {
	case k.off:
		return "off"
	case k.root == nil:
		return "process"
	}
	return "fleet"
}

func (k *ticketKeys) healthy() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed != nil {
		return fmt.Errorf("tlsconfig: TicketRoot: %w", k.failed)
	}
	return nil
}

// at returns the epoch of a time.
func (k *ticketKeys) at(t time.Time) uint64 { return uint64(t.Unix()) / uint64(k.epoch/time.Second) }

// aeads returns what makes tickets for a digest in an epoch, first, and what made them before the secret changed.
func (k *ticketKeys) aeads(digest [32]byte, epoch uint64) (list []cipher.AEAD, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, secret := range k.secrets {
		key := ticketKey{string(secret), digest, epoch}
		if k.keys[key] == nil {
			if len(k.keys) > 64 { // of epochs and digests that are over
				clear(k.keys)
			}
			if k.keys[key], err = newTicketAEAD(key); err != nil {
				return nil, err
			}
		}
		list = append(list, k.keys[key])
	}
	return list, nil
}

func newTicketAEAD(k ticketKey) (cipher.AEAD, error) {
	info := binary.BigEndian.AppendUint64([]byte("holdfast tlsconfig ticket 1"), k.epoch)
	raw, err := hkdf.Key(sha256.New, []byte(k.secret), nil, string(append(info, k.digest[:]...)), 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(raw)
	clear(raw)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal returns a ticket for a session of a client that was verified at a time. It never fails: a ticket that nobody can use is one too.
func (k *ticketKeys) seal(digest [32]byte, serverName string, since time.Time, state []byte) []byte {
	return k.sealIn(k.at(time.Now()), digest, serverName, since, state)
}

func (k *ticketKeys) sealIn(epoch uint64, digest [32]byte, serverName string, since time.Time, state []byte) []byte {
	list, err := k.aeads(digest, epoch)
	if err != nil || len(list) == 0 || len(state) > maxTicket/2 {
		return useless()
	}
	head := binary.BigEndian.AppendUint64([]byte{ticketFormat}, epoch)
	plain := append(binary.BigEndian.AppendUint64(nil, uint64(since.Unix())), state...)
	return list[0].Seal(head, nil, plain, ticketContext(head, serverName))
}

// open returns the session in a ticket, and when its client was verified.
func (k *ticketKeys) open(digest [32]byte, serverName string, ticket []byte) (since time.Time, state []byte, ok bool) {
	if len(ticket) < ticketHeader || len(ticket) > maxTicket || ticket[0] != ticketFormat {
		return since, nil, false
	}
	now := time.Now()
	epoch, current := binary.BigEndian.Uint64(ticket[1:]), k.at(now)
	if epoch+1 < current || epoch > current+1 {
		return since, nil, false
	}
	list, err := k.aeads(digest, epoch)
	if err != nil {
		return since, nil, false
	}
	head := ticket[:ticketHeader]
	for _, aead := range list {
		plain, err := aead.Open(nil, nil, ticket[ticketHeader:], ticketContext(head, serverName))
		if err != nil || len(plain) < ticketPlain {
			continue
		}
		since = time.Unix(int64(binary.BigEndian.Uint64(plain)), 0)
		old, skew := now.Sub(since) > k.life, since.Sub(now) > k.epoch
		return since, plain[ticketPlain:], !old && !skew
	}
	return since, nil, false
}

// ticketContext is what a ticket is bound to beside its key.
func ticketContext(head []byte, serverName string) []byte {
	return append(append([]byte(nil), head...), serverName...)
}

// useless is a ticket that never opens.
func useless() []byte { return []byte{0} }
