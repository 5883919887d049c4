package tlsconfig_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"io"
	mrand "math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// countedSigner counts what a key in a KMS would be asked for.
type countedSigner struct {
	crypto.Signer
	calls atomic.Int64
}

func (c *countedSigner) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	c.calls.Add(1)
	return c.Signer.Sign(r, digest, o)
}

// TestFleet reconnects for two days to three servers, whose tickets' keys change every hour: what connects again within an epoch resumes, on whatever server, and the key in the KMS is hardly asked.
func TestFleet(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		ca := tlsconfigtest.NewCA(t, &tlsconfigtest.CAOptions{NotAfter: time.Now().Add(100 * time.Hour)})
		issued := ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, NotAfter: time.Now().Add(99 * time.Hour)})
		key := &countedSigner{Signer: issued.PrivateKey.(crypto.Signer)}
		secret := make([]byte, 32)
		rand.Read(secret)
		var fleet []*tls.Config
		for range 3 {
			server, err := tlsconfig.NewServer(t.Context(), tlsconfig.Signer(issued.Certificate, key, nil), &tlsconfig.ServerOptions{
				Clients: &tlsconfig.Clients{Roots: tlsconfig.RootPEM(ca.PEM()), Allow: tlsconfig.AnyIdentity()},
				Tickets: &tlsconfig.Tickets{Root: func(context.Context) ([]byte, error) { return secret, nil }, Epoch: time.Hour},
			})
			require.NoError(t, err)
			defer server.Close()
			fleet = append(fleet, server.Config())
		}
		before := key.calls.Load() // the self-tests
		client := &tls.Config{
			RootCAs: ca.Pool(), ServerName: servedHost, ClientSessionCache: tls.NewLRUClientSessionCache(1),
			Certificates: []tls.Certificate{ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"client.example"}, Client: true, NotAfter: time.Now().Add(99 * time.Hour)})},
		}
		reconnects, eligible, resumed := 0, 0, 0
		var verified time.Time // when the client was, in full
		for end := time.Now().Add(48 * time.Hour); time.Now().Before(end); time.Sleep(mrand.N(20 * time.Minute)) {
			server, conn, serverErr, clientErr := tlsconfigtest.Pipe(t, fleet[mrand.IntN(len(fleet))], client)
			require.NoError(t, serverErr)
			require.NoError(t, clientErr)
			go func() {
				server.Write([]byte("x"))
				server.Close()
			}()
			_, err := io.ReadAll(conn)
			require.NoError(t, err)
			reconnects++
			if time.Since(verified) < 24*time.Hour {
				eligible++
			}
			if conn.ConnectionState().DidResume {
				resumed++
			} else {
				verified = time.Now()
			}
			conn.Close()
		}
		signatures := key.calls.Load() - before
		t.Logf("%d reconnects, %d eligible, %d resumed, %d signatures", reconnects, eligible, resumed, signatures)
		require.Greater(t, reconnects, 200)
		require.GreaterOrEqual(t, float64(resumed), 0.99*float64(eligible), "a client is verified anew once a day")
		require.LessOrEqual(t, float64(signatures), 0.02*float64(reconnects))
	})
}
