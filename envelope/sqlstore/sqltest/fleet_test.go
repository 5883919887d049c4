package sqltest

import (
	"bytes"
	"database/sql"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
	"github.com/holdfast-go/holdfast/kms/local"
)

const fleetSize = 8 // processes

// TestFleet has many processes work on the same tenants and subjects of one PostgreSQL, while some of them are killed and PostgreSQL too, and looks at what is
// left. HOLDFAST_FLEET_SEED repeats the choices of an earlier run, but not how they meet.
func TestFleet(t *testing.T) {
	span := time.Minute
	if testing.Short() {
		span = 6 * time.Second
	}
	seed := int(rand.Int32())
	if given := os.Getenv("HOLDFAST_FLEET_SEED"); given != "" {
		var err error
		seed, err = strconv.Atoi(given)
		require.NoError(t, err)
	}
	t.Logf("HOLDFAST_FLEET_SEED=%d", seed)

	server := pgtest.Start(t, &pgtest.Options{Own: true})
	f := &fleet{T: t, dir: t.TempDir(), dsn: server.Database(t), seed: seed}
	db, err := sql.Open("pgx", f.dsn)
	require.NoError(t, err)
	require.NoError(t, sqlstore.Migrate(t.Context(), db, &sqlstore.Options{Dialect: sqlstore.PostgreSQL}))
	require.NoError(t, db.Close())
	file, err := local.Create(filepath.Join(f.dir, fleetKeyFile), nil)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	t.Cleanup(f.kill)
	for slot := range fleetSize {
		f.start(slot)
	}
	f.disturb(span, server)
	f.finish()
	audit(t, f.dir, f.dsn)
}

// fleet are the processes.
type fleet struct {
	*testing.T
	dir, dsn string
	seed     int
	running  [fleetSize]*fleetProcess
	lives    int
}

type fleetProcess struct {
	cmd    *exec.Cmd
	leash  io.Closer // its standard input
	output bytes.Buffer
	ended  chan struct{}
	err    error // of Wait, once it has ended
}

// start starts the process in a slot.
func (f *fleet) start(slot int) {
	f.Helper()
	p := &fleetProcess{ended: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], "-test.run=^TestFleetMember$", "-test.timeout=5m", "--",
		f.dir, f.dsn, strconv.Itoa(slot), strconv.Itoa(f.lives), strconv.Itoa(f.seed))
	f.lives++
	p.cmd.Env = append(os.Environ(), "HOLDFAST_POSTGRES="+f.dsn) // not one more server
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	leash, err := p.cmd.StdinPipe()
	require.NoError(f, err)
	p.leash = leash
	require.NoError(f, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	f.running[slot] = p
}

// disturb kills a process at a time and starts it again, and once PostgreSQL, until the span is over and all that is to be tested has happened.
func (f *fleet) disturb(span time.Duration, server *pgtest.Server) {
	f.Helper()
	const steps = 12
	random := rand.New(rand.NewPCG(uint64(f.seed), 0))
	tick := time.NewTicker(span / steps)
	defer tick.Stop()
	dead := -1
	for step := 1; step <= steps || len(f.missing()) > 0; step++ {
		require.Less(f, step, 20*steps, "the fleet did none of this yet: %v", f.missing())
		<-tick.C
		for slot, p := range f.running {
			if slot != dead {
				p.mustRun(f.T)
			}
		}
		if dead >= 0 {
			f.start(dead)
		}
		dead = random.IntN(fleetSize)
		p := f.running[dead]
		require.NoError(f, p.cmd.Process.Kill())
		<-p.ended
		if step == steps/2 {
			require.NoError(f, server.Restart())
		}
	}
	f.start(dead)
}

// missing returns what no process has done yet.
func (f *fleet) missing() (list []string) {
	list = []string{sealed, opened, rotated, erased, readmitted, compacted, skipped}
	for _, d := range deeds(f.T, f.dir) {
		list = slices.DeleteFunc(list, func(what string) bool { return what == d.What })
	}
	return list
}

// finish has all processes come to an end.
func (f *fleet) finish() {
	f.Helper()
	for _, p := range f.running {
		require.NoError(f, p.leash.Close())
	}
	for _, p := range f.running {
		<-p.ended
		require.NoError(f, p.err, "%s", &p.output)
	}
}

// mustRun makes sure that nobody but us ends a process.
func (p *fleetProcess) mustRun(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		require.Fail(t, "a process ended", "%v\n%s", p.err, &p.output)
	default:
	}
}

// kill ends those that still run.
func (f *fleet) kill() {
	for _, p := range f.running {
		if p != nil {
			p.cmd.Process.Kill() // nothing, when it has ended
			<-p.ended
		}
	}
}
