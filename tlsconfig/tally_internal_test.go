package tlsconfig

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// aHandshake is an event of the usual sort.
func aHandshake() *Event {
	return &Event{
		Kind: KindHandshake, Server: true, Time: time.Now(), Version: tls.VersionTLS13, Suite: tls.TLS_AES_128_GCM_SHA256, Group: tls.X25519MLKEM768, Protocol: "h2", PeerClass: "dns",
	}
}

// TestTallyAllocatesNothing: once an outcome was seen, to count it again takes no memory.
func TestTallyAllocatesNothing(t *testing.T) {
	var counts tally
	handshake, refused := aHandshake(), &Event{Kind: KindRefused, Reason: ReasonVersion}
	counts.count(handshake)
	counts.count(refused)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		counts.count(handshake)
		counts.count(refused)
	}))
	require.Len(t, counts.handshakes, 1)
}

// TestTallyKeepsTheLast: handshakes that ended at a time are counted in any order.
func TestTallyKeepsTheLast(t *testing.T) {
	var counts tally
	late, early := aHandshake(), aHandshake()
	early.Time = late.Time.Add(-time.Minute)
	counts.count(late)
	counts.count(early)
	var i Inventory
	counts.fill(&i)
	require.True(t, late.Time.Equal(i.LastHandshake))
}

// BenchmarkTally is what counting adds to each handshake: compare BenchmarkHandshake, which has it in it.
func BenchmarkTally(b *testing.B) {
	var counts tally
	e := aHandshake()
	b.ReportAllocs()
	for b.Loop() {
		counts.count(e)
	}
}
