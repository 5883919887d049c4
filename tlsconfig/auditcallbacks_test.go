package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

func TestAuditPanics(t *testing.T) {
	s := newServed(t)
	for name, target := range map[string]tlsconfig.Target{
		"server": tlsconfig.ServerConfig("x", &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { panic("aua") }}),
		"certificate": tlsconfig.ServerConfig("x", &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &s.server, map[string]error{}[h.SupportedProtos[0]]
		}}),
		"client": tlsconfig.ClientConfig("x", &tls.Config{VerifyConnection: func(tls.ConnectionState) error { panic("aua") }}),
	} {
		t.Run(name, func(t *testing.T) {
			r := auditOf(t, target)
			require.Contains(t, strings.Join(violations(r), "\n"), "a callback panicked")
			require.NotEmpty(t, r.Facts[0].NotSeen)
		})
	}
}

func TestAuditHangs(t *testing.T) {
	needClock(t)
	cert := newServed(t).server
	bubble.Test(t, func(t *testing.T) {
		began := time.Now()
		r, err := tlsconfig.Audit(context.Background(), tlsconfig.Policy{}, tlsconfig.ServerConfig("x", &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if len(h.SupportedVersions) > 1 {
				return &cert, nil
			}
			<-h.Context().Done()
			return nil, h.Context().Err()
		}}))
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Contains(t, strings.Join(violations(r), "\n"), "not over after 5s")
	})
}

// Under the race detector: a config that serves is read by nobody but Clone, and stays as it is.
func TestAuditInUse(t *testing.T) {
	s := newServed(t)
	config := &tls.Config{Certificates: []tls.Certificate{s.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.ca.Pool()}
	client := s.plain()
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 20 {
				_, _, serverErr, clientErr := tlsconfigtest.Pipe(t, config, client)
				if serverErr != nil || clientErr != nil {
					t.Error(serverErr, clientErr)
				}
			}
		})
	}
	auditOf(t, tlsconfig.ServerConfig("server", config), tlsconfig.ClientConfig("client", client))
	work.Wait()
	require.Nil(t, config.GetConfigForClient)
	require.Equal(t, servedHost, client.ServerName)
	require.True(t, config.ClientCAs.Equal(s.ca.Pool()))
	require.True(t, client.RootCAs.Equal(s.ca.Pool()))
}

// tellingCache is a cache of sessions that says when one is put there.
type tellingCache struct{ puts atomic.Int64 }

func (c *tellingCache) Get(string) (*tls.ClientSessionState, bool)    { return nil, false }
func (c *tellingCache) Put(_ string, session *tls.ClientSessionState) { c.puts.Add(1) }

func TestAuditLeavesSessionsAlone(t *testing.T) {
	s := newServed(t)
	cache := &tellingCache{}
	for _, skip := range []bool{false, true} {
		auditOf(t, s.clientWith(func(c *tls.Config) {
			c.ServerName, c.InsecureSkipVerify, c.ClientSessionCache = servedHost, skip, cache
		}))
	}
	require.Zero(t, cache.puts.Load())
}
