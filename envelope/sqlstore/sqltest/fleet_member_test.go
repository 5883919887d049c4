package sqltest

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

const (
	fleetTenants   = 200
	fleetSubjects  = 8 // of each tenant
	fleetDoomed    = 5 // tenants that may be destroyed: the last ones
	fleetMeeting   = 300 * time.Millisecond
	fleetWorkers   = 4 // of a member
	fleetPatience  = 30 * time.Second
	fleetTTL       = time.Second
	fleetKeyFile   = "kms.json"
	fleetFirstByte = 17 // of a record after the id of its key
)

var fleetBinding = envelope.Bind("fleet")

// TestFleetMember is a process of TestFleet. It works until its standard input ends.
func TestFleetMember(t *testing.T) {
	if flag.NArg() != 5 {
		t.Skip("only as a process of TestFleet")
	}
	number := func(i int) int {
		n, err := strconv.Atoi(flag.Arg(i))
		require.NoError(t, err)
		return n
	}
	dir, dsn, slot, life, seed := flag.Arg(0), flag.Arg(1), number(2), number(3), number(4)
	m := &member{TB: t, dir: dir, slot: slot, name: fmt.Sprintf("%d-%d", slot, life)}
	var err error
	m.journal, err = newJournal(filepath.Join(dir, m.name+".journal"))
	require.NoError(t, err)
	m.keyring = fleetKeyring(t, dir, dsn, fleetTTL)

	running, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	})
	m.time.Store(time.Now().UnixNano())
	all.Go(func() { m.keepTime(running) })
	for worker := range fleetWorkers {
		random := rand.New(rand.NewPCG(uint64(seed), uint64(worker)<<32|uint64(slot)<<16|uint64(life)))
		all.Go(func() { m.work(running, random) })
	}
	all.Wait()
}

// fleetKeyring returns a keyring that has not seen anything yet.
func fleetKeyring(t *testing.T, dir, dsn string, ttl time.Duration) *envelope.Keyring {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(2 * fleetWorkers)
	db.SetMaxIdleConns(2 * fleetWorkers)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := sqlstore.New(db, &sqlstore.Options{Dialect: sqlstore.PostgreSQL})
	require.NoError(t, err)
	file, err := local.Open(filepath.Join(dir, fleetKeyFile), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	r, err := envelope.NewKeyring("fleet", store, envelope.SingleRoot(file.Key()), &envelope.KeyringOptions{CacheTTL: ttl})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// member is a process of the fleet.
type member struct {
	testing.TB
	journal journal
	dir     string
	name    string // of this life of the process
	slot    int
	keyring *envelope.Keyring
	time    atomic.Int64
	renewal sync.Mutex
	refs    atomic.Int64
}

// keepTime has the member's clock run: one that is late when the machine is too busy for the timers of this process, as those of the keyring are then.
func (m *member) keepTime(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			m.time.Store(now.UnixNano())
		}
	}
}

func (m *member) now() time.Time { return time.Unix(0, m.time.Load()).UTC() }

func (p place) scope(r *envelope.Keyring) envelope.Scope {
	if p.subject == "" {
		return r.Tenant(p.tenant)
	}
	return r.Tenant(p.tenant).Subject(p.subject)
}

// work does one thing after the other, each at random.
func (m *member) work(running context.Context, random *rand.Rand) {
	for running.Err() == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(running), fleetPatience)
		p := somewhere(random)
		err := m.act(ctx, random, p)
		cancel()
		switch envelope.ActionFor(err) {
		case envelope.None:
		case envelope.Skip:
			if err := m.journal.note(deed{What: skipped, Time: m.now(), Tenant: p.tenant, Subject: p.subject}); err != nil {
				m.Error(err)
			}
		case envelope.Retry:
			select {
			case <-time.After(10 * time.Millisecond):
			case <-running.Done():
			}
		default:
			m.Error(err)
			m.journal.note(deed{What: wrong, Time: m.now(), Tenant: p.tenant, Subject: p.subject, Text: err.Error()})
		}
	}
}

// somewhere picks a tenant or one of its subjects: half of the time one of three where all members meet, elsewhere after each fleetMeeting.
func somewhere(random *rand.Rand) place {
	n, subject := random.IntN(fleetTenants), random.IntN(fleetSubjects)
	if random.IntN(2) == 0 {
		n = int(time.Now().UnixNano() / int64(fleetMeeting) % fleetTenants)
		subject %= 2
	}
	p := place{tenant: fmt.Sprint("tenant ", n)}
	if random.IntN(4) > 0 {
		p.subject = fmt.Sprint("subject ", subject)
	}
	return p
}

// act does something at a place.
func (m *member) act(ctx context.Context, random *rand.Rand, p place) error {
	switch dice := random.IntN(1000); {
	case dice < 400:
		return m.seal(ctx, random, p)
	case dice < 850:
		return m.open(ctx, random)
	case dice < 870:
		return m.trespass(ctx, random, p)
	case dice < 930:
		return m.rotate(ctx, p)
	case dice < 960:
		return m.erase(ctx, p)
	case dice < 990:
		return m.renew(ctx, p)
	}
	return m.compact(ctx, p)
}
