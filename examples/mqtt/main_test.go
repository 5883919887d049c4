package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/tlsconfig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// needHPKE skips a test of write-only devices where the FIPS module in force has no HPKE.
func needHPKE(t *testing.T) {
	t.Helper()
	if _, err := hpke.GenerateKey(hpke.MLKEM768X25519); errors.Is(err, kms.ErrUnsupported) {
		t.Skip("the FIPS module in force has no HPKE")
	}
}

// kept is a starter that lets a test look at its broker after the run.
func kept(start starter, b *broker) starter {
	return func(ctx context.Context, p *pki, seen *watch) (broker, error) {
		var err error
		*b, err = start(ctx, p, seen)
		return *b, err
	}
}

func TestRun(t *testing.T) {
	needHPKE(t)
	var b broker
	requireRun(t, kept(embedded, &b))
	serials := map[string]bool{}
	for _, found := range regexp.MustCompile(`msg=client .*id=device-7 allowed=true certificate=(\w+)`).FindAllSubmatch(b.logs(), -1) {
		serials[string(found[1])] = true
	}
	require.Len(t, serials, 2) // the device has shown its old certificate, and its new one
}

func TestRunMosquitto(t *testing.T) {
	needHPKE(t)
	requireRun(t, startMosquitto(t))
}

func requireRun(t *testing.T, start starter) {
	t.Helper()
	dir := t.TempDir()
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, dir, start))
	for _, line := range []string{
		`Broker at localhost:\d+, TLS 1\.3 with certificates on both sides`,
		`Certificates renewed: the device's connection goes on, new connections meanwhile: 0`,
		`The device started anew, and sees another certificate of the broker: true`,
		`acme/reports/2026-10: erased`,
		`acme/reports/2026-11: ` + canary,
		`The broker's files and log hold the control value, and no canary\.`,
	} {
		require.Regexp(t, `(?m)^`+line+`$`, out.String())
	}
	require.Equal(t, 9, strings.Count(out.String(), "\n"))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRunEnds(t *testing.T) {
	needHPKE(t)
	broken := errors.New("broken")
	ctx, cancel := context.WithCancel(t.Context())
	tests := []struct {
		name  string
		ctx   context.Context
		start starter
		err   error
	}{
		{"no broker", t.Context(), func(context.Context, *pki, *watch) (broker, error) { return nil, broken }, broken},
		{"interrupted", ctx, func(ctx context.Context, p *pki, seen *watch) (broker, error) {
			defer cancel()
			return embedded(ctx, p, seen)
		}, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			require.ErrorIs(t, run(tt.ctx, &strings.Builder{}, dir, tt.start), tt.err)
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// TestGate: nobody gets in without a certificate of the CA or under another name, and the device may not write to the topics of others.
func TestGate(t *testing.T) {
	p, err := newPKI(t.TempDir(), device7, consumer)
	require.NoError(t, err)
	seen := &watch{news: make(chan tlsconfig.Event, 16)}
	b, err := embedded(t.Context(), p, seen)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.close()) }()
	connect := func(certificate, name string) (*paho.Client, error) {
		client, err := tlsconfig.NewClient(t.Context(), tlsconfig.RootFiles(p.roots()), &tlsconfig.ClientOptions{Identity: tlsconfig.Files(p.file(certificate), p.file(certificate))})
		require.NoError(t, err)
		t.Cleanup(func() { client.Close() })
		conn, err := client.DialContext(t.Context(), "tcp", b.address())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		c := paho.NewClient(paho.ClientConfig{ClientID: name, Conn: conn})
		_, err = c.Connect(t.Context(), &paho.Connect{ClientID: name, CleanStart: true, KeepAlive: 30})
		return c, err
	}
	_, err = connect(consumer, device7)
	require.Error(t, err)
	c, err := connect(device7, device7)
	require.NoError(t, err)
	_, err = c.Publish(t.Context(), &paho.Publish{Topic: readings, QoS: 1, Payload: []byte("x")})
	require.NoError(t, err)
	_, err = c.Publish(t.Context(), &paho.Publish{Topic: "devices/8/readings", QoS: 1, Payload: []byte("x")})
	require.Error(t, err)
	_, err = c.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: readings}}})
	require.Error(t, err)
	require.NoError(t, c.Disconnect(&paho.Disconnect{}))
	<-c.Done()

	bare, err := tlsconfig.NewClient(t.Context(), tlsconfig.RootFiles(p.roots()), nil)
	require.NoError(t, err)
	defer bare.Close()
	conn, err := bare.DialContext(t.Context(), "tcp", b.address())
	if err == nil { // with TLS 1.3 the client learns it when it reads
		_, err = conn.(*tls.Conn).Read(make([]byte, 1))
		conn.Close()
	}
	require.Error(t, err)
}

// TestSearch finds a canary that is there, and says so when a search finds nothing at all.
func TestSearch(t *testing.T) {
	for _, form := range []string{canary, "x" + canary} {
		require.True(t, holds([]byte(form), canary))
	}
	p, err := newPKI(t.TempDir(), gateway)
	require.NoError(t, err)
	seen := &watch{news: make(chan tlsconfig.Event, 16)}
	b, err := embedded(t.Context(), p, seen)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.close()) }()
	g, err := dial(t.Context(), p, b.address(), gateway, seen, nil, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, g.close(t.Context())) }()
	d := &demo{&strings.Builder{}, p, b, seen, nil}
	require.NoError(t, d.search(t.Context(), g))
	_, err = g.Publish(t.Context(), &paho.Publish{Topic: "acme/x", QoS: 1, Retain: true, Payload: []byte(canary)})
	require.NoError(t, err)
	require.ErrorIs(t, d.search(t.Context(), g), errFound)
	d.broker = blind{b}
	err = d.search(t.Context(), g)
	require.Error(t, err)
	require.NotErrorIs(t, err, errFound)
}

// blind is a broker with nothing to see.
type blind struct{ broker }

func (blind) files(context.Context, string) ([]byte, error) {
	return bytes.Repeat([]byte("x"), 100), nil
}
func (blind) logs() []byte { return nil }
