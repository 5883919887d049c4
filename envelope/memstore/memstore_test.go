package memstore

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness { return storetest.Harness{Store: New()} })
}

// TestClears has no value stay in memory longer than it is the row's.
func TestClears(t *testing.T) {
	s := New()
	write := func(revision uint64, value string) []byte {
		require.NoError(t, s.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: "a", Value: []byte(value), Revision: revision}}))
		return s.rows["a"].Value
	}
	first := write(0, "secret")
	require.Equal(t, "secret", string(first))
	second := write(1, "another")
	require.Equal(t, make([]byte, len("secret")), first)
	require.NoError(t, s.Close())
	require.Equal(t, make([]byte, len("another")), second)
}
