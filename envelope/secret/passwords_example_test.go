package secret_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/kms/local"
)

// examplePepper returns a pepper under a key in a file, with its keys in memory. A service has a key at a KMS, and a store
// that lasts.
func examplePepper() (pepper envelope.Tenant, remove func()) {
	dir, err := os.MkdirTemp("", "holdfast")
	if err != nil {
		log.Fatal(err)
	}
	key, err := local.Create(filepath.Join(dir, "key.json"), nil)
	if err != nil {
		log.Fatal(err)
	}
	keyring, err := envelope.NewKeyring("acme-prod", memstore.New(), envelope.SingleRoot(key.Key()), nil)
	if err != nil {
		log.Fatal(err)
	}
	return keyring.Tenant("password-pepper"), func() {
		keyring.Close()
		key.Close()
		os.RemoveAll(dir)
	}
}

// Sign-up and sign-in. The table has a row for each account, by its immutable id.
func ExamplePasswords() {
	ctx := context.Background()
	pepper, remove := examplePepper()
	defer remove()
	passwords, err := secret.NewPasswords(pepper, nil)
	if err != nil {
		log.Fatal(err)
	}
	ids := map[string]string{}    // by name
	hashes := map[string][]byte{} // by id

	signUp := func(name, id string, password secret.Text) error {
		stored, err := passwords.Hash(ctx, id, password)
		if err != nil {
			return err
		}
		ids[name], hashes[id] = id, stored
		return nil
	}
	signIn := func(name string, password secret.Text) (bool, error) {
		id, known := ids[name]
		if !known {
			return false, passwords.Dummy(ctx, password) // takes as long as a wrong password
		}
		ok, rehash, err := passwords.Verify(ctx, id, password, hashes[id])
		if !rehash {
			return ok, err
		}
		if stored, err := passwords.Hash(ctx, id, password); err == nil {
			hashes[id] = stored // where it fails the old one still serves
		}
		return ok, nil
	}

	if err := signUp("ada", "0192f3c1", secret.NewText("correct horse")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(signIn("ada", secret.NewText("correct horse")))
	fmt.Println(signIn("ada", secret.NewText("incorrect horse")))
	fmt.Println(signIn("bob", secret.NewText("correct horse")))
	// Output:
	// true <nil>
	// false <nil>
	// false <nil>
}

// Twice OWASP's memory, and no more than four hashes at once: 152 MiB.
func ExampleNewPasswords() {
	pepper, remove := examplePepper()
	defer remove()
	_, err := secret.NewPasswords(pepper, &secret.PasswordOptions{Memory: 38 << 10, Concurrent: 4})
	fmt.Println(err)
	_, err = secret.NewPasswords(pepper, &secret.PasswordOptions{Memory: 64}) // KiB, not MiB
	fmt.Println(err)
	// Output:
	// <nil>
	// secret: invalid: PasswordOptions.Memory is 64: set it to 19456 to 1048576, or to 0 for 19456
}

// A pepper's key is replaced and the table follows, without any password.
func ExamplePasswords_Repepper() {
	ctx := context.Background()
	pepper, remove := examplePepper()
	defer remove()
	passwords, err := secret.NewPasswords(pepper, nil)
	if err != nil {
		log.Fatal(err)
	}
	stored, err := passwords.Import(ctx, "0192f3c1", "$pbkdf2-sha256$i=4096$"+
		"c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$NIyJ28vTKy8y2BS4EW6EzysXNH68GAAYHE4qH7jdU+HGNVGMfaxH6Q") // from another system
	if err != nil {
		log.Fatal(err)
	}
	if _, err := pepper.Rotate(ctx); err != nil {
		log.Fatal(err)
	}
	stored, err = passwords.Repepper(ctx, "0192f3c1", stored)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(passwords.Verify(ctx, "0192f3c1", secret.NewText("passwordPASSWORDpassword"), stored))
	// Output: true true <nil>
}
