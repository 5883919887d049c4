//go:build !fips140v1.0

// Examples can't skip themselves, and the FIPS module v1.0.0 has no HPKE where it is enforced.

package hpke_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/kms/local"
)

func ExampleNewRecipient() {
	priv, err := hpke.GenerateKey(hpke.MLKEM768X25519)
	if err != nil {
		log.Fatal(err)
	}
	text := priv.Public().PEM() // which goes to the service that only writes

	pub, err := hpke.ParsePublicKey(text)
	if err != nil {
		log.Fatal(err)
	}
	key, err := hpke.NewRecipient(pub, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	ctx := context.Background()
	wrapped, err := key.Wrap(ctx, []byte("a data key"), kms.Context{"tenant": "acme"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = key.Unwrap(ctx, wrapped, kms.Context{"tenant": "acme"})
	fmt.Println(len(wrapped.Blob), errors.Is(err, kms.ErrInvalid))
	// Output: 1152 true
}

func ExampleNewIdentity() {
	priv, err := hpke.GenerateKey(hpke.MLKEM1024P384)
	if err != nil {
		log.Fatal(err)
	}
	key, err := hpke.NewIdentity(priv, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	ctx := context.Background()
	wrapped, err := key.Wrap(ctx, []byte("a data key"), kms.Context{"tenant": "acme"})
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := key.Unwrap(ctx, wrapped, kms.Context{"tenant": "acme"})
	fmt.Println(string(plaintext), err)
	_, err = key.Unwrap(ctx, wrapped, kms.Context{"tenant": "globex"})
	fmt.Println(errors.Is(err, kms.ErrCiphertext))
	// Output:
	// a data key <nil>
	// true
}

// A private key file that another key seals, here one on the same machine.
func ExampleOpener() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	f, err := local.Create(filepath.Join(dir, "key.json"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	// Once, when the key pair is made.
	priv, err := hpke.GenerateKey(0)
	if err != nil {
		log.Fatal(err)
	}
	sealed, err := priv.Seal(ctx, f.Key())
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "backup.pem")
	if err := hpke.WriteFile(path, sealed); err != nil {
		log.Fatal(err)
	}

	// At every start.
	openers := kms.Openers{"hpke": hpke.Opener(&hpke.Options{SealedUnder: f.Key()})}
	key, err := openers.Open(ctx, "hpke://"+filepath.ToSlash(path))
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	fmt.Println(key.Ref().KeyID == priv.Public().ID(), key.Check(ctx))
	// Output: true <nil>
}

// WriteFile makes a file that only its owner can read, and never replaces one.
func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	priv, err := hpke.GenerateKey(0)
	if err != nil {
		log.Fatal(err)
	}
	text := priv.PEM()
	defer clear(text)
	path := filepath.Join(dir, "private.pem")
	fmt.Println(hpke.WriteFile(path, text))
	fmt.Println(errors.Is(hpke.WriteFile(path, text), os.ErrExist))
	// Output:
	// <nil>
	// true
}
