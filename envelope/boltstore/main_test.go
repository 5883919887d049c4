package boltstore

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "keys.db") }

// reopen opens the file at path and closes it with the test.
func reopen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newStore(t testing.TB) *Store {
	t.Helper()
	return reopen(t, newPath(t))
}

func put(t testing.TB, s *Store, key, value string) {
	t.Helper()
	require.NoError(t, s.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: key, Value: []byte(value)}}))
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		s := newStore(t)
		return storetest.Harness{
			Store:     s,
			Reopen:    func() envelope.Store { return reopen(t, s.path) },
			Exclusive: true,
			Hold: func() (release func()) {
				s.turn <- struct{}{}
				return func() { <-s.turn }
			},
			Crash: crashes(t),
		}
	})
}
