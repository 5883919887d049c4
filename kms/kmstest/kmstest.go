// Package kmstest checks that a kms.Driver keeps the promises of its interface, and has a [Fake] KMS
// for tests of what uses one.
//
// # For who writes a provider
//
// Run the suite in the provider's tests:
//
//	func TestContract(t *testing.T) {
//		kmstest.Run(t, func(t *testing.T) kmstest.Harness {
//			return kmstest.Harness{Driver: newDriver(t, "key-1"), Other: newDriver(t, "key-2")}
//		})
//	}
//
// It calls the driver itself, not through a kms.Key, whose own checks would hide
// the driver's faults. Run it against a fake or an emulator of the service: it makes some thousand
// calls, one for each bit of a wrapped key, or with -short and of a group for each byte. The hooks of [Harness] let it see what the driver makes of a key that
// is disabled, of a service that hangs, and of more of the kind.
//
// # For who uses a kms.Key
//
// A Fake throttles, hangs, lies, goes away and comes back as the test wants it to, for every process or for one, and tells afterwards what it
// was asked.
package kmstest

import "testing"

// Run runs every case as a subtest of t, each with what newHarness returns. Cases of an ability
// that the driver or the harness lacks are skipped, and say so.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t)
			t.Cleanup(func() { h.close(t) })
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
		{"any plaintext", anyPlaintext},
		{"names its key", namesItsKey},
		{"wraps differ", wrapsDiffer},
		{"hides the plaintext", hidesPlaintext},
		{"arguments stay as they are", argumentsStay},
		{"results are the caller's", resultsAreCallers},
		{"wrong context", wrongContext},
		{"wrong key", wrongKey},
		{"replayed blob", replayedBlob},
		{"foreign ref", foreignRef},
		{"wrong version", wrongVersion},
		{"cut or extended blob", resizedBlob},
		{"flipped bits", flippedBits},
		{"plaintext size", plaintextSize},
		{"invalid context", invalidContext},
		{"cancelled call", cancelledCall},
		{"errors hold no secrets", quietErrors},
		{"concurrent calls", concurrentCalls},
		{"rotation in use", rotationInUse},
		{"closed in use", closedInUse},
		{"closed driver", closedDriver},
		{"disabled key", disabledKey},
		{"enabled again", enabledAgain},
		{"destroyed key", destroyedKey},
		{"destroyed by the driver", destroyedByDriver},
		{"destruction cancelled", destructionCancelled},
		{"rotation", rotation},
		{"another process", anotherProcess},
		{"moved alias", movedAlias},
		{"access denied", accessDenied},
		{"throttled", throttled},
		{"outage", outage},
		{"cancelled in flight", cancelledInFlight},
		{"deadline in flight", deadlineInFlight},
		{"closed in flight", closedInFlight},
	}
}
