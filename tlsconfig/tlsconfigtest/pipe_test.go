package tlsconfigtest_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// pair returns a connection in memory, and its configs.
func pair(t *testing.T) (s, c *tls.Conn, server, client *tls.Config) {
	t.Helper()
	ca := tlsconfigtest.NewCA(t, nil)
	server = &tls.Config{Certificates: []tls.Certificate{ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"host.example"}})}}
	client = &tls.Config{ServerName: "host.example", RootCAs: ca.Pool(), ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	s, c, serverErr, clientErr := tlsconfigtest.Pipe(t, server, client)
	require.NoError(t, serverErr)
	require.NoError(t, clientErr)
	return s, c, server, client
}

func TestPipeTransfers(t *testing.T) {
	s, c, server, client := pair(t)
	data := bytes.Repeat([]byte("holdfast"), 1<<15)
	for _, ends := range [][2]*tls.Conn{{s, c}, {c, s}} {
		n, err := ends[0].Write(data) // does not wait for a reader
		require.NoError(t, err)
		require.Equal(t, len(data), n)
		got := make([]byte, len(data))
		_, err = io.ReadFull(ends[1], got)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
	}
	require.NoError(t, s.Close())
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = s.Write(data)
	require.Error(t, err)

	_, c, serverErr, clientErr := tlsconfigtest.Pipe(t, server, client)
	require.NoError(t, serverErr)
	require.NoError(t, clientErr)
	require.True(t, c.ConnectionState().DidResume)
}

func TestPipeDeadlines(t *testing.T) {
	s, c, _, _ := pair(t)
	require.NoError(t, c.SetDeadline(time.Now().Add(-time.Second)))
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, c.SetDeadline(time.Time{}))
	_, err = s.Write([]byte{7})
	require.NoError(t, err)
	got := make([]byte, 1)
	_, err = c.Read(got)
	require.NoError(t, err)

	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Millisecond))) // one that comes while it waits
	_, err = c.Read(got)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestConns(t *testing.T) {
	a, b := tlsconfigtest.Conns(t)
	_, err := a.Write([]byte("one")) // both write first
	require.NoError(t, err)
	_, err = b.Write([]byte("two"))
	require.NoError(t, err)
	require.NoError(t, a.Close())
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.Equal(t, "one", string(got), "what was written before the end is read")
	_, err = b.Write([]byte("three"))
	require.ErrorIs(t, err, io.ErrClosedPipe)
	require.Equal(t, a.LocalAddr(), b.RemoteAddr())
}

func TestPipeNothingInCommon(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	_, _, serverErr, clientErr := tlsconfigtest.Pipe(
		t,
		&tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{ca.Issue(nil)}},
		&tls.Config{MaxVersion: tls.VersionTLS12, RootCAs: ca.Pool(), ServerName: "host.example"},
	)
	require.Error(t, serverErr)
	require.Error(t, clientErr)
}
