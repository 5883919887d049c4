package storetest_test

import (
	"testing"

	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/storetest"
)

// How a store's test runs the suite.
func ExampleRun() {
	testContract := func(t *testing.T) {
		storetest.Run(t, func(*testing.T) storetest.Harness {
			return storetest.Harness{Store: memstore.New()}
		})
	}
	_ = testContract // TestContract, in a test file
}
