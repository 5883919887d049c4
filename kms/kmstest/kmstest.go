// Package kmstest checks that a kms.Driver keeps the promises of its interface.
// Whoever writes a provider runs it in the provider's tests:
//
//	func TestContract(t *testing.T) {
//		kmstest.Run(t, func(t *testing.T) kmstest.Harness {
//			return kmstest.Harness{Driver: newDriver(t, "key-1"), Other: newDriver(t, "key-2")}
//		})
//	}
//
// It calls the driver itself, not through a kms.Key, whose own checks would hide
// the driver's faults. Run it against a fake or an emulator of the service: it makes some thousand
// calls, one for each bit of a wrapped key.
package kmstest

import (
	"context"
	"testing"

	"github.com/holdfast-go/holdfast/kms"
)

// Harness is what a test run needs of a provider. Each subtest gets a fresh one.
type Harness struct {
	// Driver is under test. Its key is enabled. Run closes it.
	Driver kms.Driver
	// Other is a driver of the same provider with another key. Run closes it.
	Other kms.Driver
	// Calls returns how many requests Driver has sent to its service. nil says that it
	// sends none.
	Calls func() int
	// Disable switches Driver's key off at the provider. nil skips the subtest "disabled key".
	Disable func(ctx context.Context) error
	// Destroy destroys Driver's key at the provider, or has it scheduled. nil
	// skips the subtest "destroyed key".
	Destroy func(ctx context.Context) error
}

// Run runs every case as a subtest of t, each with what newHarness returns. Cases of an ability
// that the driver or the harness lacks are skipped, and say so.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t)
			t.Cleanup(func() {
				h.Driver.Close()
				h.Other.Close()
			})
			c.run(t, h)
		})
	}
}

// testCase is one promise. It takes testing.TB, so that this package's own test can watch it fail.
type testCase struct {
	name string
	run  func(t testing.TB, h Harness)
}

func cases() []testCase {
	return []testCase{
		{"round trip", roundTrip},
		{"names its key", namesItsKey},
		{"wraps differ", wrapsDiffer},
		{"arguments stay as they are", argumentsStay},
		{"results are the caller's", resultsAreCallers},
		{"concurrent calls", concurrentCalls},
		{"wrong context", wrongContext},
		{"wrong key", wrongKey},
		{"foreign ref", foreignRef},
		{"wrong version", wrongVersion},
		{"cut or extended blob", resizedBlob},
		{"flipped bits", flippedBits},
		{"plaintext size", plaintextSize},
		{"invalid context", invalidContext},
		{"cancelled call", cancelledCall},
		{"errors hold no plaintext", quietErrors},
		{"closed driver", closedDriver},
		{"disabled key", disabledKey},
		{"destroyed key", destroyedKey},
		{"rotation", rotation},
	}
}
