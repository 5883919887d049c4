package kmstest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// How a provider's test runs the suite. A Fake stands for the provider here.
func ExampleRun() {
	testContract := func(t *testing.T) {
		kmstest.Run(t, func(*testing.T) kmstest.Harness {
			f := kmstest.NewFake("key-1")
			return kmstest.Harness{
				Driver: f.Driver(),
				Other:  kmstest.NewFake("key-2").Driver(),
				Calls:  func() int { return f.Count("") },
				Reopen: f.Driver,
				Disable: func(context.Context) error {
					f.SetState(kms.Disabled)
					return nil
				},
				Outage: func() (undo func()) {
					f.Always(kmstest.Fault{Err: kms.ErrUnavailable})
					return func() { f.Always() }
				},
			}
		})
	}
	_ = testContract // TestContract, in a test file
}

func ExampleNewFake() {
	fake := kmstest.NewFake("key-1")
	key, err := kms.NewKey(fake.Driver(), &kms.Options{Attempts: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	ctx, tenant := context.Background(), kms.Context{"tenant": "acme"}
	wrapped, err := key.Wrap(ctx, []byte("a key"), tenant)
	if err != nil {
		log.Fatal(err)
	}
	unwrap := func() error {
		_, err := key.Unwrap(ctx, wrapped, tenant)
		return err
	}

	fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
	fmt.Println("in an outage:", errors.Is(unwrap(), kms.ErrUnavailable))
	fake.Always()
	fmt.Println("after it:", unwrap())
	fake.SetState(kms.Disabled)
	fmt.Println("switched off:", errors.Is(unwrap(), kms.ErrDisabled))
	fmt.Println("asked for acme:", fake.Calls()[0].Context["tenant"] == "acme")
	// Output:
	// in an outage: true
	// after it: <nil>
	// switched off: true
	// asked for acme: true
}

// Two processes use one key, and the one in the west loses the way to the KMS. When it is back, it learns late of what was changed.
func ExampleFake_Always_partition() {
	fake := kmstest.NewFake("key-1")
	north, west := fake.Driver(), fake.Driver()
	fake.Always(kmstest.Fault{Driver: west, Err: kms.ErrUnavailable})
	ctx := context.Background()
	wrapped, err := north.Wrap(ctx, []byte("a key"), nil)
	fmt.Println("north:", err)
	_, err = west.Unwrap(ctx, wrapped, nil)
	fmt.Println("west:", err)

	fake.Always()
	fake.Lag(time.Hour, west)
	fake.SetState(kms.Disabled)
	_, err = north.Unwrap(ctx, wrapped, nil)
	fmt.Println("north:", err)
	_, err = west.Unwrap(ctx, wrapped, nil)
	fmt.Println("west:", err)
	// Output:
	// north: <nil>
	// west: provider unavailable
	// north: key is disabled
	// west: <nil>
}

// A service that throttles a call twice and then takes it.
func ExampleFake_Script() {
	fake := kmstest.NewFake("key-1")
	key, err := kms.NewKey(fake.Driver(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	busy := kmstest.Fault{Err: &kms.Error{Err: kms.ErrThrottled, Retryable: true, RetryAfter: time.Millisecond}}
	fake.Script(busy, busy)
	_, err = key.Wrap(context.Background(), []byte("a key"), nil)
	fmt.Println(err, fake.Count("wrap"))
	// Output: <nil> 3
}
