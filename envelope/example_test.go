package envelope_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

// The key of these examples is in a file. That of a service is more often at a KMS: nothing but
// the line that opens it changes.
func openKey() (key *local.File, dir string, remove func()) {
	dir, err := os.MkdirTemp("", "holdfast")
	if err != nil {
		log.Fatal(err)
	}
	key, err = local.Create(filepath.Join(dir, "key.json"), nil)
	if err != nil {
		log.Fatal(err)
	}
	return key, dir, func() {
		key.Close()
		os.RemoveAll(dir)
	}
}

func ExampleNewSealer() {
	ctx := context.Background()
	key, _, remove := openKey()
	defer remove()

	s, err := envelope.NewSealer(key.Key(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ec := kms.Context{"tenant": "acme", "object": "invoices/7"}
	message, err := s.Seal(ctx, []byte("3 chairs"), ec)
	if err != nil {
		log.Fatal(err)
	}

	plaintext, err := s.Open(ctx, message, ec)
	fmt.Printf("%s %v\n", plaintext, err)

	// What was sealed for one tenant does not open for another.
	_, err = s.Open(ctx, message, kms.Context{"tenant": "other", "object": "invoices/7"})
	fmt.Println(errors.Is(err, envelope.ErrOpen))
	// Output:
	// 3 chairs <nil>
	// true
}

// One data key for many small messages, so that not each costs a call to the KMS.
func ExampleNewSealer_reuse() {
	key, _, remove := openKey()
	defer remove()

	s, err := envelope.NewSealer(key.Key(), &envelope.SealerOptions{
		Reuse: &envelope.Limits{Messages: 1000, Bytes: 64 << 20, Age: 5 * time.Minute},
	})
	if err != nil {
		log.Fatal(err)
	}
	message, err := s.Seal(context.Background(), []byte("3 chairs"), kms.Context{"topic": "orders"})
	fmt.Println(len(message) > 0, err)
	// Output: true <nil>
}

func ExampleSealer_NewWriter() {
	ctx := context.Background()
	key, dir, remove := openKey()
	defer remove()
	s, err := envelope.NewSealer(key.Key(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ec := kms.Context{"object": "backup"}

	// A file that an error cut short does not open.
	backup := func(path string, src io.Reader) (err error) {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		w, err := s.NewWriter(ctx, f, ec, nil)
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := io.Copy(w, src); err != nil {
			return err
		}
		return w.Close()
	}

	path := filepath.Join(dir, "backup")
	if err := backup(path, strings.NewReader("all the rows")); err != nil {
		log.Fatal(err)
	}
	message, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := s.Open(ctx, message, ec)
	fmt.Printf("%s %v\n", plaintext, err)
	// Output: all the rows <nil>
}

func ExampleSealer_NewReader() {
	ctx := context.Background()
	key, _, remove := openKey()
	defer remove()
	s, err := envelope.NewSealer(key.Key(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ec := kms.Context{"object": "backup"}
	message, err := s.Seal(ctx, []byte("all the rows"), ec)
	if err != nil {
		log.Fatal(err)
	}

	r, err := s.NewReader(ctx, bytes.NewReader(message), ec, nil)
	if err != nil {
		log.Fatal(err)
	}
	var restored strings.Builder
	_, err = io.Copy(&restored, r) // only without an error is it all
	fmt.Println(restored.String(), err)

	// A message that was cut says so.
	r, err = s.NewReader(ctx, bytes.NewReader(message[:len(message)-1]), ec, nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = io.Copy(io.Discard, r)
	fmt.Println(errors.Is(err, envelope.ErrTruncated))
	// Output:
	// all the rows <nil>
	// true
}

func ExampleSealer_NewReaderAt() {
	ctx := context.Background()
	key, _, remove := openKey()
	defer remove()
	s, err := envelope.NewSealer(key.Key(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ec := kms.Context{"object": "alphabet"}
	message, err := s.Seal(ctx, []byte("abcdefghijklmnopqrstuvwxyz"), ec)
	if err != nil {
		log.Fatal(err)
	}

	r, err := s.NewReaderAt(ctx, bytes.NewReader(message), int64(len(message)), ec, nil)
	if err != nil {
		log.Fatal(err)
	}
	p := make([]byte, 3)
	_, err = r.ReadAt(p, 10)
	fmt.Printf("%d %s %v\n", r.Size(), p, err)
	// Output: 26 klm <nil>
}

// An upload that wants a Reader and a length.
func ExampleSealer_NewSealReader() {
	ctx := context.Background()
	key, _, remove := openKey()
	defer remove()
	s, err := envelope.NewSealer(key.Key(), nil)
	if err != nil {
		log.Fatal(err)
	}

	src := strings.NewReader("all the rows")
	r, err := s.NewSealReader(ctx, src, kms.Context{"object": "backup"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	length, err := r.Size(src.Size())
	if err != nil {
		log.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r) // put in its place a request with this body and length
	fmt.Println(n == length, n, err)
	// Output: true 4214 <nil>
}

// What a message says of itself is for finding the key and the records that belong to it.
func ExampleInspect() {
	key, _, remove := openKey()
	defer remove()
	s, err := envelope.NewSealer(key.Key(), nil)
	if err != nil {
		log.Fatal(err)
	}
	message, err := s.Seal(context.Background(), []byte("3 chairs"), kms.Context{"tenant": "acme"})
	if err != nil {
		log.Fatal(err)
	}

	info, err := envelope.Inspect(message)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.HeaderSize, info.Context, info.Wrapped[0].Provider, info.Wrapped[0].Version)
	// Output: 192 map[tenant:acme] local 1
}

func ExampleSealer_RewrapFile() {
	ctx := context.Background()
	key, dir, remove := openKey()
	defer remove()
	s, err := envelope.NewSealer(key.Key(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ec := kms.Context{"object": "backup"}
	path := filepath.Join(dir, "backup")
	message, err := s.Seal(ctx, []byte("all the rows"), ec)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(path, message, 0o600); err != nil {
		log.Fatal(err)
	}

	if err := key.Rotate(ctx); err != nil {
		log.Fatal(err)
	}
	if err := s.RewrapFile(ctx, path, ec); err != nil {
		log.Fatal(err)
	}

	f, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	info, err := envelope.Inspect(message)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("before: version", info.Wrapped[0].Version)
	header := make([]byte, info.HeaderSize)
	if _, err := io.ReadFull(f, header); err != nil {
		log.Fatal(err)
	}
	if info, err = envelope.Inspect(header); err != nil {
		log.Fatal(err)
	}
	fmt.Println("after: version", info.Wrapped[0].Version)
	// Output:
	// before: version 1
	// after: version 2
}
