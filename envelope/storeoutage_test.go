package envelope_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// watchedStore is a Store that counts the calls, and fails and shows other rows as the test wants it to.
type watchedStore struct {
	envelope.Store
	calls atomic.Int64 // by arrival

	mu   sync.Mutex
	took time.Duration                               // before and after the work
	err  error                                       // what every call fails with
	show func(row envelope.Row) (envelope.Row, bool) // false hides the row
}

// set has calls fail with err, or not with nil.
func (s *watchedStore) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// slow has calls take a while.
func (s *watchedStore) slow(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = d
}

// edit has rows read as show says.
func (s *watchedStore) edit(show func(row envelope.Row) (envelope.Row, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show = show
}

func (s *watchedStore) arrive() (func(row envelope.Row) (envelope.Row, bool), error) {
	s.calls.Add(1)
	s.mu.Lock()
	show, took, err := s.show, s.took, s.err
	s.mu.Unlock()
	time.Sleep(took / 2)
	if show == nil {
		show = func(row envelope.Row) (envelope.Row, bool) { return row, true }
	}
	return show, err
}

// leave is the way back.
func (s *watchedStore) leave() {
	s.mu.Lock()
	took := s.took
	s.mu.Unlock()
	time.Sleep(took / 2)
}

func (s *watchedStore) Get(ctx context.Context, key string) (envelope.Row, error) {
	show, err := s.arrive()
	defer s.leave()
	if err != nil {
		return envelope.Row{}, err
	}
	row, err := s.Store.Get(ctx, key)
	if row, ok := show(row); ok || err != nil {
		return row, err
	}
	return envelope.Row{Key: key}, nil
}

func (s *watchedStore) List(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
	show, err := s.arrive()
	defer s.leave()
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.List(ctx, prefix, after, limit)
	var shown []envelope.Row
	for _, row := range rows {
		if row, ok := show(row); ok {
			shown = append(shown, row)
		}
	}
	return shown, err
}

func (s *watchedStore) Apply(ctx context.Context, changes ...envelope.Change) error {
	_, err := s.arrive()
	defer s.leave()
	if err != nil {
		return err
	}
	return s.Store.Apply(ctx, changes...)
}

var errStore = errors.New("database: connection refused")

// storeOutage requires that err is an outage of the store and nothing else.
func storeOutage(t testing.TB, err error) {
	t.Helper()
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	require.NotErrorIs(t, err, kms.ErrUnavailable)
	require.NotErrorIs(t, err, kms.ErrThrottled)
	require.Equal(t, envelope.Retry, envelope.ActionFor(err))
	require.Equal(t, "store_unavailable", envelope.Class(err))
}

// TestStoreOutage has the store away: keys in memory serve until CacheTTL after the rows were read, and not for longer.
func TestStoreOutage(t *testing.T) {
	for name, down := range map[string]error{"refused": errStore, "like the KMS": fmt.Errorf("proxy: %w", kms.ErrUnavailable), "no time": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := newRig(t, nil)
				keys := warmAll(t, g.Tenant("acme"), g.Tenant("acme").Subject("ada"))
				read := time.Now()
				g.store.set(down)
				for end := read.Add(5*time.Minute - 1); time.Now().Before(end); sleep(min(time.Second, time.Until(end))) {
					for _, key := range keys {
						require.NoError(t, key.both(t), "%v after the rows were read", time.Since(read))
					}
				}
				for _, key := range keys {
					require.NoError(t, key.both(t))
				}
				sleep(1)
				for range 100 {
					calls := g.store.calls.Load()
					for _, key := range keys {
						for range 5 {
							storeOutage(t, key.open(t))
							storeOutage(t, key.seal(t))
						}
					}
					require.LessOrEqual(t, g.store.calls.Load()-calls, int64(2), "of one instant")
					sleep(time.Second)
				}
				require.Equal(t, envelope.Retry, envelope.ActionFor(sealFor(t, g.Tenant("cold"))))
				g.store.set(nil)
				sleep(2 * time.Second)
				for _, key := range keys {
					require.NoError(t, key.both(t), "it comes back by itself")
				}
			})
		})
	}
}

// TestStoreOutageDuringOneOfTheKMS has the store go while keys serve because the KMS is away: what it said last holds for CacheTTL.
func TestStoreOutageDuringOneOfTheKMS(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		keys := warmAll(t, g.Tenant("acme"), g.Tenant("acme").Subject("ada"))
		g.fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
		var mu sync.Mutex // guards at: each has its own reader
		at := map[bool]time.Time{}
		read := func(subject bool) time.Time { // when the rows were: the tenant's, or the subject's
			mu.Lock()
			defer mu.Unlock()
			return at[subject]
		}
		g.store.edit(func(row envelope.Row) (envelope.Row, bool) {
			if strings.HasSuffix(row.Key, "/") { // a head
				mu.Lock()
				defer mu.Unlock()
				at[strings.HasPrefix(row.Key, "subject/")] = time.Now()
			}
			return row, true
		})
		for range 20 * 60 {
			for _, key := range keys {
				require.NoError(t, key.open(t))
			}
			sleep(time.Second)
		}
		g.store.set(errStore)
		require.Less(t, time.Since(read(false)), 3*time.Second)
		for ; time.Since(read(false)) < 5*time.Minute; sleep(time.Second) {
			require.NoError(t, keys[0].open(t), "%v after the rows were read", time.Since(read(false)))
			if err := keys[1].open(t); time.Since(read(true)) < 5*time.Minute {
				require.NoError(t, err, "%v after the rows were read", time.Since(read(true)))
			} else {
				require.ErrorIs(t, err, envelope.ErrUnavailable)
			}
		}
		for _, key := range keys {
			require.Equal(t, envelope.Retry, envelope.ActionFor(key.open(t)))
			require.ErrorIs(t, key.open(t), envelope.ErrUnavailable)
		}
		g.store.set(nil)
		sleep(2 * time.Second)
		for _, key := range keys {
			require.NoError(t, key.open(t), "the KMS was asked half an hour ago")
			kmsOutage(t, key.seal(t))
		}
		g.fake.Always()
		sleep(3 * time.Second)
		for _, key := range keys {
			require.NoError(t, key.open(t)) // has the KMS asked in the background
		}
		sleep(time.Second)
		for _, key := range keys {
			require.NoError(t, key.both(t))
		}
	})
}
