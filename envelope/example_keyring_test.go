package envelope_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
)

// exampleKeyring returns a Keyring over a key in a file and a store in memory. That of a service has a key at a KMS and a
// store on disk or in a database: nothing but the lines that open them changes.
func exampleKeyring(o *envelope.KeyringOptions) (r *envelope.Keyring, remove func()) {
	key, _, removeKey := openKey()
	r, err := envelope.NewKeyring("acme-prod", memstore.New(), envelope.SingleRoot(key.Key()), o)
	if err != nil {
		log.Fatal(err)
	}
	return r, func() {
		r.Close()
		removeKey()
	}
}

func ExampleNewKeyring() {
	ctx := context.Background()
	key, _, remove := openKey()
	defer remove()
	store := memstore.New()
	defer store.Close()

	r, err := envelope.NewKeyring("acme-prod", store, envelope.SingleRoot(key.Key()), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close() // before the store and the key
	record, err := r.Tenant("globex").Seal(ctx, []byte("hello"), envelope.Bind("notes", "text", "7"))
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := r.Tenant("globex").Open(ctx, record, envelope.Bind("notes", "text", "7"))
	fmt.Printf("%s %v, %d bytes more\n", plaintext, err, len(record)-len(plaintext))
	// Output: hello <nil>, 57 bytes more
}

// Each customer has keys of its own.
func ExampleKeyring_Tenant() {
	ctx := context.Background()
	r, remove := exampleKeyring(nil)
	defer remove()

	note := envelope.Bind("notes", "text", "7")
	record, err := r.Tenant("globex").Seal(ctx, []byte("hello"), note)
	if err != nil {
		log.Fatal(err)
	}
	_, err = r.Tenant("initech").Open(ctx, record, note)
	fmt.Println(errors.Is(err, envelope.ErrWrongScope))
	// Output: true
}

// Each person has a key of its own, so that one can be erased. The identifier is not stored, and does not print.
func ExampleTenant_Subject() {
	ctx := context.Background()
	r, remove := exampleKeyring(nil)
	defer remove()

	ada := r.Tenant("globex").Subject("ada@example.com")
	email := envelope.Bind("users", "email", "7")
	record, err := ada.Seal(ctx, []byte("ada@example.com"), email)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := ada.Erase(ctx, envelope.Erasure{Ref: "case 17"}); err != nil {
		log.Fatal(err)
	}
	_, err = ada.Open(ctx, record, email)
	fmt.Println(ada)
	fmt.Println(errors.Is(err, envelope.ErrErased))
	// Output:
	// envelope.Subject(tenant "globex")
	// true
}

// What is sealed for one row and column does not open in another.
func ExampleBind() {
	ctx := context.Background()
	r, remove := exampleKeyring(nil)
	defer remove()

	salary := func(employee string) envelope.Binding { return envelope.Bind("employees", "salary", employee) }
	record, err := r.Tenant("globex").Seal(ctx, []byte("250000"), salary("1"))
	if err != nil {
		log.Fatal(err)
	}
	_, err = r.Tenant("globex").Open(ctx, record, salary("2"))
	fmt.Println(errors.Is(err, envelope.ErrOpen))
	// Output: true
}

// A new version seals from now on. Old records open as before, and Reseal moves them.
func ExampleTenant_rotate() {
	ctx := context.Background()
	r, remove := exampleKeyring(nil)
	defer remove()

	globex, note := r.Tenant("globex"), envelope.Bind("notes", "text", "7")
	record, err := globex.Seal(ctx, []byte("hello"), note)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := globex.Rotate(ctx); err != nil {
		log.Fatal(err)
	}
	stale, err := r.Stale(ctx, record)
	if err != nil {
		log.Fatal(err)
	}
	resealed, err := globex.Reseal(ctx, record, note)
	if err != nil {
		log.Fatal(err)
	}
	still, err := r.Stale(ctx, resealed)
	fmt.Println(stale, still, err)
	// Output: true false <nil>
}

// What a consumer of a queue does after an error.
func ExampleActionFor() {
	ctx := context.Background()
	r, remove := exampleKeyring(nil)
	defer remove()
	r.Tenant("globex").Disable(ctx, "unpaid")

	_, err := r.Tenant("globex").Seal(ctx, []byte("hello"), envelope.Bind("notes", "text", "7"))
	switch envelope.ActionFor(err) {
	case envelope.None:
		fmt.Println("go on")
	case envelope.Retry:
		fmt.Println("later, with a pause")
	case envelope.Skip:
		fmt.Println("drop it: the data was erased on purpose")
	case envelope.Hold:
		fmt.Println("keep it, and tell a person:", envelope.Class(err))
	case envelope.Reject:
		fmt.Println("to the dead letters: it is corrupt, or not ours")
	case envelope.Fix:
		fmt.Println("stop: the program is wrong:", err)
	}
	// Output: keep it, and tell a person: disabled
}

// The audit trail says who did what and why.
func ExampleWithActor() {
	var lines bytes.Buffer
	handler := slog.NewTextHandler(&lines, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Value.String() == "" {
			return slog.Attr{}
		}
		return a
	}})
	r, remove := exampleKeyring(&envelope.KeyringOptions{Audit: envelope.NewLogAuditor(slog.New(handler))})
	defer remove()

	ctx := envelope.WithActor(context.Background(), "eve@acme.example", "ticket 9")
	if err := r.Tenant("globex").Disable(ctx, "unpaid"); err != nil {
		log.Fatal(err)
	}
	lines.WriteTo(os.Stdout)
	// Output:
	// msg="key disable" outcome=started tenant=globex ref=unpaid actor=eve@acme.example purpose="ticket 9"
	// msg="key disable" outcome=ok tenant=globex ref=unpaid actor=eve@acme.example purpose="ticket 9"
}
