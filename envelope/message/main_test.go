package message_test

import (
	"crypto/fips140"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// needClock skips a test that draws randomness in a synctest bubble, where time stands still, when the FIPS module
// takes entropy from the clock: those after v1.0.0 do.
func needClock(t testing.TB) {
	t.Helper()
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skip("the FIPS module takes its entropy from the clock, which stands still in a bubble")
	}
}
