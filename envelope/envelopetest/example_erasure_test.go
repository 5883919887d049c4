package envelopetest_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// How a service tests that a person's data is gone, also for a process that had the key in memory. Time passes at once in a bubble.
func ExampleNew_erasure() {
	testErasure := func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			o := &envelopetest.Options{Fake: kmstest.NewFake("key"), Store: memstore.New()}
			one, two := envelopetest.New(t, o), envelopetest.New(t, o) // two processes
			here := users{one.Tenant("acme"), map[string][]byte{}}
			if err := here.save(t.Context(), "7", "ada@example.com"); err != nil {
				t.Fatal(err)
			}
			there := users{two.Tenant("acme"), here.emails}
			if _, err := there.email(t.Context(), "7"); err != nil {
				t.Fatal(err)
			}

			receipt, err := one.Tenant("acme").Subject("7").Erase(t.Context(), envelope.Erasure{Ref: "case 17"})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(receipt.CachesClearBy))
			if _, err := there.email(t.Context(), "7"); !errors.Is(err, envelope.ErrErased) {
				t.Fatal("still there:", err)
			}
		})
	}
	_ = testErasure // TestErasure, in a test file
}

// Without a second process there is nothing to wait for.
func ExampleNew_erasureHere() {
	testErasure := func(t testing.TB) {
		r := envelopetest.New(t, nil)
		u := users{r.Tenant("acme"), map[string][]byte{}}
		if err := u.save(t.Context(), "7", "ada@example.com"); err != nil {
			t.Fatal(err)
		}
		receipt, err := r.Tenant("acme").Subject("7").Erase(t.Context(), envelope.Erasure{Ref: "case 17"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = u.email(t.Context(), "7")
		fmt.Println(len(receipt.Keys), "key destroyed:", envelope.ActionFor(err))
	}
	run(testErasure) // go test does
	// Output: 1 key destroyed: skip
}
