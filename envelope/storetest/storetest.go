// Package storetest checks that an envelope.Store keeps the promises of its interface. Run it in the store's tests:
//
//	func TestContract(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Harness {
//			s := newStore(t)
//			return storetest.Harness{Store: s, Reopen: func() envelope.Store { return another(t, s) }}
//		})
//	}
//
// The hooks of [Harness] let it see what the store makes of other clients, of locks, of an outage and of a crash.
package storetest

import "testing"

// Run runs every case as a subtest of t, each with what newHarness returns. Cases that need a hook
// that the harness lacks are skipped, and say so.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t)
			closesLater(t, h, h.Store)
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
		{"no row", noRow},
		{"create", create},
		{"overwrite", overwrite},
		{"tombstone", tombstone},
		{"create what exists", createExisting},
		{"wrong revision", wrongRevision},
		{"revisions differ", revisionsDiffer},
		{"check", check},
		{"failed check", failedCheck},
		{"all or nothing", allOrNothing},
		{"largest apply", largestApply},
		{"duplicate id", duplicateID},
		{"list order", listOrder},
		{"list prefix", listPrefix},
		{"list after", listAfter},
		{"list pages", listPages},
		{"list under change", listUnderChange},
		{"odd keys", oddKeys},
		{"odd values", oddValues},
		{"arguments out of bounds", outOfBounds},
		{"arguments stay as they are", argumentsStay},
		{"results are the caller's", resultsAreCallers},
		{"errors hold no rows", quietErrors},
		{"compare and swap", compareAndSwap},
		{"shared check", sharedCheck},
		{"write skew", writeSkew},
		{"list is one view", oneView},
		{"cancelled call", cancelledCall},
		{"cancelled at any time", cancelledInUse},
		{"cancelled while held", cancelledWhileHeld},
		{"closed store", closedStore},
		{"closed in use", closedInUse},
		{"reopened", reopened},
		{"another client", anotherClient},
		{"outage", outage},
		{"crash", crash},
	}
}
