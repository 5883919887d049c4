//go:build !fips140v1.0

package hpke_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/kms/local"
)

// A file that was sealed under one key gets a recovery key as a second recipient, whose private half lies offline. Once the first
// key is lost, that half alone opens it.
func ExampleNewRecipient_recovery() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path, ec, ctx := filepath.Join(dir, "backup"), kms.Context{"object": "backup"}, context.Background()
	inUse, err := local.Create(filepath.Join(dir, "key.json"), nil)
	if err != nil {
		log.Fatal(err)
	}
	seal(path, inUse.Key(), ec)

	offline, err := hpke.GenerateKey(0) // on a machine that is then switched off
	if err != nil {
		log.Fatal(err)
	}
	recovery, err := hpke.NewRecipient(offline.Public(), nil)
	if err != nil {
		log.Fatal(err)
	}
	both, err := kms.AnyOf([]*kms.Key{inUse.Key(), recovery}, nil)
	if err != nil {
		log.Fatal(err)
	}
	sealer, err := envelope.NewSealer(both, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := sealer.RewrapFile(ctx, path, ec); err != nil { // the header alone
		log.Fatal(err)
	}

	if err := inUse.Destroy(ctx); err != nil { // the day that nobody hopes for
		log.Fatal(err)
	}
	identity, err := hpke.NewIdentity(offline, nil)
	if err != nil {
		log.Fatal(err)
	}
	sealer, err = envelope.NewSealer(identity, nil)
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	r, err := sealer.NewReader(ctx, file, ec, nil)
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := io.ReadAll(r)
	fmt.Println(string(plaintext), err)
	// Output: all that we have <nil>
}

// seal writes a sealed file.
func seal(path string, key *kms.Key, ec kms.Context) {
	sealer, err := envelope.NewSealer(key, nil)
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	w, err := sealer.NewWriter(context.Background(), &file, ec, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(w, "all that we have"); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		log.Fatal(err)
	}
}
