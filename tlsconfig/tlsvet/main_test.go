package tlsvet_test

import (
	"os"
	"testing"
)

// TestMain has the go command load the test data without a FIPS module, which it would unpack below it.
func TestMain(m *testing.M) {
	if err := os.Setenv("GOFIPS140", "off"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
