package tlsconfig_test

import (
	"crypto/fips140"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// needClock skips a test that would draw randomness in a bubble where the FIPS module takes its entropy from the clock.
func needClock(t testing.TB) {
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skip("the FIPS module takes its entropy from the clock, which stands still in a bubble")
	}
}
