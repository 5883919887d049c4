package secret_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/kms/local"
)

// exampleTenant returns a tenant over a key in a file and a store in memory. That of a service has a key at a KMS and a store on disk or in a database.
func exampleTenant() (tn envelope.Tenant, remove func()) {
	dir, err := os.MkdirTemp("", "holdfast")
	if err != nil {
		log.Fatal(err)
	}
	key, err := local.Create(filepath.Join(dir, "key.json"), nil)
	if err != nil {
		log.Fatal(err)
	}
	r, err := envelope.NewKeyring("acme-prod", memstore.New(), envelope.SingleRoot(key.Key()), nil)
	if err != nil {
		log.Fatal(err)
	}
	return r.Tenant("config"), func() {
		r.Close()
		key.Close()
		os.RemoveAll(dir)
	}
}

// exampleSeal does what the command holdfast does once, before the service runs.
func exampleSeal(tn envelope.Tenant, place, text string) string {
	sealed, err := secret.SealText(context.Background(), tn, place, secret.NewText(text))
	if err != nil {
		log.Fatal(err)
	}
	return sealed
}

func ExampleNewText() {
	password := secret.NewText("hunter2")
	fmt.Printf("%v %+q %#v\n", password, password, password)
	fmt.Println(password.Equal(secret.NewText("hunter2")), len(password.Reveal()))
	// Output:
	// [secret] [secret] [secret]
	// true 7
}

func ExampleSealText() {
	ctx := context.Background()
	tn, remove := exampleTenant()
	defer remove()

	sealed, err := secret.SealText(ctx, tn, "db", secret.NewText("postgres://app:hunter2@db/app"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.HasPrefix(sealed, "enc:v1:"), len(sealed))

	text, err := secret.OpenText(ctx, tn, "db", sealed)
	fmt.Println(text, len(text.Reveal()), err)

	_, err = secret.OpenText(ctx, tn, "smtp", sealed) // pasted elsewhere
	fmt.Println(errors.Is(err, envelope.ErrOpen))
	// Output:
	// true 122
	// [secret] 29 <nil>
	// true
}

func ExampleResolve() {
	ctx := context.Background()
	tn, remove := exampleTenant()
	defer remove()
	file := fmt.Appendf(nil, `{"Listen": ":8080", "DSN": %q, "SMTP": {"Host": "mail", "Password": %q}}`,
		exampleSeal(tn, "db", "postgres://app:hunter2@db/app"), exampleSeal(tn, "smtp/password", "correct horse"))

	var cfg struct {
		Listen string
		DSN    secret.Text `secret:"db"`
		SMTP   struct {
			Host     string
			Password secret.Text `secret:"password"`
		} `secret:"smtp"`
		Hook secret.Text `secret:"hook,optional"`
	}
	if err := json.Unmarshal(file, &cfg); err != nil {
		log.Fatal(err)
	}
	if err := secret.Resolve(ctx, tn, &cfg); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", cfg)
	fmt.Println(len(cfg.DSN.Reveal()), cfg.SMTP.Password.Equal(secret.NewText("correct horse")))
	// Output:
	// {Listen::8080 DSN:[secret] SMTP:{Host:mail Password:[secret]} Hook:[secret]}
	// 29 true
}

// A password that nobody has sealed stops the service at its start, and is not in the error.
func ExampleResolve_notSealed() {
	ctx := context.Background()
	tn, remove := exampleTenant()
	defer remove()

	cfg := struct {
		DSN secret.Text `secret:"db"`
	}{secret.NewText("postgres://app:hunter2@db/app")}
	err := secret.Resolve(ctx, tn, &cfg)
	fmt.Println(errors.Is(err, secret.ErrNotSealed))
	fmt.Println(err)
	// Output:
	// true
	// secret: DSN: place "db": invalid: the value is not sealed: seal it with SealText or the command holdfast
}
