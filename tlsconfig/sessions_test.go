package tlsconfig_test

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// TestClientSessionsEnd: a Client verifies a server in full at least as often as its policy says, though each resumption brings a new ticket.
func TestClientSessionsEnd(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		ca := tlsconfigtest.NewCA(t, nil)
		plain := &tls.Config{Certificates: []tls.Certificate{ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}})}}
		policy, err := tlsconfig.ParsePolicy([]byte(`{"name": "hourly", "base": "recommended-2026", "ticket_minutes": 60}`))
		require.NoError(t, err)
		client, err := tlsconfig.NewClient(t.Context(), tlsconfig.RootPEM(ca.PEM()), &tlsconfig.ClientOptions{Policy: policy})
		require.NoError(t, err)
		defer client.Close()
		var full []int // minutes
		for minute := range 150 {
			server, conn, serverErr, clientErr := tlsconfigtest.Pipe(t, plain, client.Snapshot(servedHost))
			require.NoError(t, serverErr)
			require.NoError(t, clientErr)
			go func() {
				server.Write([]byte("x"))
				server.Close()
			}()
			_, err := io.ReadAll(conn)
			require.NoError(t, err)
			if !conn.ConnectionState().DidResume {
				full = append(full, minute)
			}
			conn.Close()
			time.Sleep(time.Minute)
		}
		require.Equal(t, []int{0, 61, 122}, full)
	})
}
