package sqltest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
)

// TestServerCrash: a server that crashes under writers loses nothing that it has acknowledged and keeps nothing in part, and the Store goes on when the server is back.
func TestServerCrash(t *testing.T) {
	server := pgtest.Start(t, &pgtest.Options{Own: true})
	d := database{driver: "pgx", dialect: sqlstore.PostgreSQL}
	db := d.open(t, server.Database(t))
	require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
	s := d.client(t, db)

	const writers = 4
	var stop atomic.Bool
	acknowledged := make(chan []string, writers)
	failed := make(chan error, writers)
	written := make(chan struct{}, 1)
	for w := range writers {
		go func() {
			var mine []string
			var err error
			for i := 0; !stop.Load() && (err == nil || errors.Is(err, envelope.ErrUnavailable)); i++ {
				key := fmt.Sprintf("%d/%06d", w, i)
				if err = s.Apply(t.Context(), created(key, ""), created(key+"+", "")); err == nil {
					mine = append(mine, key)
					select {
					case written <- struct{}{}:
					default:
					}
				}
			}
			if errors.Is(err, envelope.ErrUnavailable) {
				err = nil
			}
			acknowledged <- mine
			failed <- err
		}()
	}
	for range 3 {
		for range 20 {
			<-written
		}
		require.NoError(t, server.Stop())
		_, err := s.Get(t.Context(), "a")
		require.ErrorIs(t, err, envelope.ErrUnavailable)
		require.NoError(t, server.Restart())
	}
	<-written
	stop.Store(true)
	there := map[string]bool{}
	var all []string
	for range writers {
		all = append(all, <-acknowledged...)
		require.NoError(t, <-failed)
	}
	for after := ""; ; {
		rows, err := s.List(t.Context(), "", after, 1000)
		require.NoError(t, err)
		for _, r := range rows {
			there[r.Key] = true
			after = r.Key
		}
		if len(rows) < 1000 {
			break
		}
	}
	for _, key := range all {
		require.True(t, there[key], "lost")
	}
	for key := range there {
		require.True(t, key[len(key)-1] == '+' || there[key+"+"], "in part")
	}
}

// TestClosedPool: a pool that its owner has closed too early is an outage, and no panic.
func TestClosedPool(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		_, dsn := d.make(t)
		db := d.open(t, dsn)
		require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
		s := d.client(t, db)
		works(t, s, "a")
		require.NoError(t, s.Close())
		require.NoError(t, db.PingContext(t.Context()), "Close leaves the pool open")
		s = d.client(t, db)
		require.NoError(t, db.Close())
		fails(t.Context(), t, s, envelope.ErrUnavailable)
	})
}
