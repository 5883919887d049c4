package awskms_test

import (
	"context"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/awskms"
)

func ExampleNew() {
	server, stop := standIn() // for AWS
	defer stop()
	arn := server.CreateKey("eu-north-1")
	client := server.Client("eu-north-1") // yours is kms.NewFromConfig(cfg) of the SDK

	ctx := context.Background()
	key, err := awskms.New(ctx, client, arn, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	wrapped, err := key.Wrap(ctx, []byte("a data key"), kms.Context{"tenant": "acme"})
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := key.Unwrap(ctx, wrapped, kms.Context{"tenant": "acme"})
	fmt.Println(string(plaintext), err)
	_, err = key.Unwrap(ctx, wrapped, kms.Context{"tenant": "other"})
	fmt.Println(kms.Class(err))
	// Output:
	// a data key <nil>
	// ciphertext
}

func ExampleOpener() {
	server, stop := standIn() // for AWS
	defer stop()
	arn := server.CreateKey("eu-north-1")
	server.CreateAlias("alias/app", arn)
	cfg := server.Config("eu-north-1") // yours is from the SDK's package config

	ctx := context.Background()
	openers := kms.Openers{"awskms": awskms.Opener(cfg)}
	key, err := openers.Open(ctx, "awskms:///alias/app?region=eu-north-1")
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	fmt.Println(key.Ref().KeyID == arn)
	fmt.Println(key.Check(ctx))
	// Output:
	// true
	// <nil>
}

func ExampleOpenerWith() {
	server, stop := standIn() // for AWS
	defer stop()
	arn := server.CreateKey("eu-north-1")
	cfg := server.Config("eu-north-1") // yours is from the SDK's package config

	openers := kms.Openers{"awskms": awskms.OpenerWith(cfg, &awskms.Options{
		Key: &kms.Options{Timeout: 3 * time.Second, Concurrency: 16},
	})}
	key, err := openers.Open(context.Background(), "awskms:///"+arn)
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	fmt.Println(key.Ref().Provider == awskms.Provider)
	// Output:
	// true
}

// standIn starts a stand-in for AWS KMS outside of a test.
func standIn() (server *awskmstest.Server, stop func()) {
	tb := &exampleTB{}
	return awskmstest.New(tb), func() {
		for i := len(tb.cleanups) - 1; i >= 0; i-- {
			tb.cleanups[i]()
		}
	}
}

// exampleTB is what the stand-in needs of a test.
type exampleTB struct {
	testing.TB
	cleanups []func()
}

func (tb *exampleTB) Helper()          {}
func (tb *exampleTB) Cleanup(f func()) { tb.cleanups = append(tb.cleanups, f) }
