package kmsotel_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmsotel"
	"github.com/holdfast-go/holdfast/kms/local"
)

func ExampleNew() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	exporter := tracetest.NewInMemoryExporter() // a program would export to its collector
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	observer, err := kmsotel.New(&kmsotel.Options{TracerProvider: tracers})
	if err != nil {
		log.Fatal(err)
	}
	f, err := local.Create(filepath.Join(dir, "key.json"), &local.Options{
		Key: &kms.Options{Observer: observer, ObserveContext: []string{"purpose"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	ctx := context.Background()
	ec := kms.Context{"tenant": "acme", "purpose": "invoices"}
	wrapped, err := f.Key().Wrap(ctx, []byte("a key of 1 to 64 bytes"), ec)
	if err != nil {
		log.Fatal(err)
	}
	_, err = f.Key().Unwrap(ctx, wrapped, kms.Context{"tenant": "other", "purpose": "invoices"})
	fmt.Println(kms.Class(err))
	for _, span := range exporter.GetSpans() {
		fmt.Print(span.Name, ":")
		for _, name := range []attribute.Key{"class", "context.purpose", "context.tenant"} {
			all := attribute.NewSet(span.Attributes...)
			if value, ok := all.Value("holdfast.kms." + name); ok {
				fmt.Printf(" %s=%s", name, value.AsString())
			}
		}
		fmt.Println()
	}
	// Output:
	// ciphertext
	// kms wrap: class=ok context.purpose=invoices
	// kms unwrap: class=ciphertext context.purpose=invoices
}
