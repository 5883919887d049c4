package main

import (
	"context"
	"crypto/tls"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/holdfast-go/holdfast/examples/internal/tlsdrill"
)

func TestMove(t *testing.T) {
	d := tlsdrill.New(t)
	var now atomic.Pointer[tls.Certificate]
	serve := func(c tls.Certificate) { now.Store(&c) }
	serve(d.Old)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"), kfake.TLS(&tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return now.Load(), nil },
	}))
	require.NoError(t, err)
	defer cluster.Close()
	d.Move(t, serve, func(ctx context.Context) error {
		kafka, err := open(d.Client, cluster.ListenAddrs()[0], kgo.RecordDeliveryTimeout(tlsdrill.Patience))
		if err != nil {
			return err
		}
		defer kafka.Close()
		if err := kafka.Ping(ctx); err != nil {
			return err
		}
		return kafka.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("12 roses")}).FirstErr()
	})
}

func TestRun(t *testing.T) {
	d := tlsdrill.New(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{d.Old}}))
	require.NoError(t, err)
	defer cluster.Close()
	broker := cluster.ListenAddrs()[0]
	require.NoError(t, run(t.Context(), d.Roots, broker))
	require.Error(t, run(t.Context(), d.Roots+".none", broker))

	other, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{d.New}}))
	require.NoError(t, err)
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // the driver asks again and again
	defer cancel()
	require.Error(t, run(ctx, d.Roots, other.ListenAddrs()[0]))
}

// TestPlain: a broker without TLS is told nothing.
func TestPlain(t *testing.T) {
	d, p := tlsdrill.New(t), tlsdrill.NewPlain(t, "\x00\x00\x00\x00")
	login := []kgo.Opt{kgo.ClientID("client-canary"), kgo.SASL(plain.Auth{User: "user-canary", Pass: "correct-horse"}.AsMechanism()), kgo.RequestRetries(0)}
	ping := func(kafka *kgo.Client, err error) {
		require.NoError(t, err)
		defer kafka.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		require.Error(t, kafka.Ping(ctx))
	}
	ping(open(d.Client, p.Addr, login...))
	require.True(t, p.Asked())
	require.False(t, p.Holds("client-canary", "user-canary", "correct-horse"))
	ping(kgo.NewClient(append(login, kgo.SeedBrokers(p.Addr))...)) // the driver without the hook tells: the tap works
	require.True(t, p.Holds("client-canary"))
}
