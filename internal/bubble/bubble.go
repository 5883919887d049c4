// Package bubble runs tests whose clock is that of testing/synctest.
package bubble

import (
	"crypto/fips140"
	"testing"
	"testing/synctest"
)

// Test is [synctest.Test]. It skips where the clock is also the source of entropy: Go's FIPS 140-3 modules after v1.0.0 measure
// jitter with it, and panic in a bubble, where it stands still, once two goroutines draw random bytes at a time.
func Test(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skip("this FIPS 140-3 module takes entropy from a clock that stands still here: GOFIPS140=v1.0.0 does not")
	}
	synctest.Test(t, f)
}
