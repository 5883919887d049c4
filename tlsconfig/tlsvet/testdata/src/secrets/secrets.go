package secrets

import (
	"crypto/rand"
	"crypto/tls"
	"io"
	"os"
	"time"
)

// Trap 23.
var renegotiation = []*tls.Config{
	{Renegotiation: tls.RenegotiateOnceAsClient},   // want `trap23: `
	{Renegotiation: tls.RenegotiateFreelyAsClient}, // want `trap23: `
	{Renegotiation: tls.RenegotiateNever},
}

// Traps 24 and 25.
func sources(other *tls.Config, w io.Writer, r io.Reader, clock func() time.Time) []*tls.Config {
	file, _ := os.Create("keys")
	_ = &tls.Config{KeyLogWriter: file} // want `trap24: `
	return []*tls.Config{
		{KeyLogWriter: w}, // want `trap24: `
		{Rand: r},         // want `trap25: Rand`
		{Time: clock},     // want `trap25: Time`
		{KeyLogWriter: other.KeyLogWriter, Rand: other.Rand, Time: other.Time},
		{KeyLogWriter: nil, Rand: rand.Reader, Time: time.Now},
	}
}
