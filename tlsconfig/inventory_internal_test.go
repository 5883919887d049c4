package tlsconfig

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInventoryIsKept: what an Inventory says is demanded is what the next handshake keeps, also before anybody else has heard of it.
func TestInventoryIsKept(t *testing.T) {
	keys, err := newTicketKeys(t.Context(), nil, Recommended().ticketLife())
	require.NoError(t, err)
	server := &Server{ruling: newRuling(Recommended(), nil, nil), identity: &held{}, tickets: keys}
	server.renew()
	server.ruling.state.Store(&rulingState{policy: MozillaModern()})
	require.Equal(t, MozillaModern(), server.Inventory().Policy.Demands)
	require.Equal(t, MozillaModern(), server.Policy())

	client, err := NewClient(t.Context(), SystemRoots(), nil)
	require.NoError(t, err)
	defer client.Close()
	client.ruling.state.Store(&rulingState{policy: MozillaModern()})
	require.Equal(t, MozillaModern(), client.Inventory().Policy.Demands)
	require.Equal(t, MozillaModern(), client.Policy())
}
