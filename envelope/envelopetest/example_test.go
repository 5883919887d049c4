package envelopetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// run stands for go test, which calls tests with a *testing.T.
func run(test func(t testing.TB)) {
	t := &exampleT{}
	defer func() {
		for len(t.cleanups) > 0 {
			last := len(t.cleanups) - 1
			t.cleanups[last]()
			t.cleanups = t.cleanups[:last]
		}
	}()
	test(t)
}

type exampleT struct {
	testing.TB
	cleanups []func()
}

func (*exampleT) Helper()                   {}
func (t *exampleT) Cleanup(f func())        { t.cleanups = append(t.cleanups, f) }
func (*exampleT) Context() context.Context  { return context.Background() }
func (*exampleT) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (*exampleT) Fatalf(s string, a ...any) { panic(fmt.Sprintf(s, a...)) }

// users is what is tested here: it keeps e-mail addresses, each under the key of its person.
type users struct {
	tenant envelope.Tenant
	emails map[string][]byte
}

func (u *users) save(ctx context.Context, id, email string) error {
	record, err := u.tenant.Subject(id).Seal(ctx, []byte(email), envelope.Bind("users", "email", id))
	if err == nil {
		u.emails[id] = record
	}
	return err
}

func (u *users) email(ctx context.Context, id string) (string, error) {
	email, err := u.tenant.Subject(id).Open(ctx, u.emails[id], envelope.Bind("users", "email", id))
	return string(email), err
}

func ExampleNew() {
	testUsers := func(t testing.TB) {
		r := envelopetest.New(t, nil)
		u := users{r.Tenant("acme"), map[string][]byte{}}
		if err := u.save(t.Context(), "7", "ada@example.com"); err != nil {
			t.Fatal(err)
		}
		email, err := u.email(t.Context(), "7")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(email)
	}
	run(testUsers) // go test does
	// Output: ada@example.com
}

// What a service does while its KMS can't be reached: whose keys are in memory notices nothing, and others are told to come back later. In a synctest bubble the test could
// also wait until the keys in memory have had their time.
func ExampleNew_outage() {
	testOutage := func(t testing.TB) {
		fake := kmstest.NewFake("key")
		r := envelopetest.New(t, &envelopetest.Options{Fake: fake})
		u := users{r.Tenant("acme"), map[string][]byte{}}
		if err := u.save(t.Context(), "7", "ada@example.com"); err != nil {
			t.Fatal(err)
		}

		fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
		_, err := u.email(t.Context(), "7")
		fmt.Println("a key in memory:", envelope.ActionFor(err))
		cold := users{r.Tenant("globex"), map[string][]byte{}}
		err = cold.save(t.Context(), "8", "bob@example.com")
		fmt.Println("a new customer:", envelope.ActionFor(err), errors.Is(err, kms.ErrUnavailable))
	}
	run(testOutage) // go test does
	// Output:
	// a key in memory: none
	// a new customer: retry true
}
