package aead_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/holdfast-go/holdfast/aead"
)

func ExampleNewKey() {
	key := aead.NewKey()
	same, err := aead.ParseKey(key.Bytes()) // in practice, after wrapping and unwrapping it
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(same.Equal(key), same.ID() == key.ID())
	// Output: true true
}

func ExampleParseKey() {
	_, err := aead.ParseKey([]byte("a password is not a key"))
	fmt.Println(errors.Is(err, aead.ErrKeySize))
	// Output: true
}

func ExampleKey_Seal() {
	key := aead.NewKey()
	// The additional data is not stored. It ties the record to its place: it opens nowhere else.
	place := []byte("invoices/17/iban")

	sealed := key.Seal(nil, []byte("DE02 1203 0000 0000 2020 51"), place)

	iban, err := key.Open(nil, sealed, place)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(iban))

	_, err = key.Open(nil, sealed, []byte("invoices/18/iban"))
	fmt.Println(errors.Is(err, aead.ErrOpen))
	// Output:
	// DE02 1203 0000 0000 2020 51
	// true
}

func ExampleKey_Derive() {
	root := aead.NewKey()
	exports := root.Derive("export", []byte("customer 17"), []byte("2026"))
	again := root.Derive("export", []byte("customer 17"), []byte("2026"))
	other := root.Derive("export", []byte("customer 18"), []byte("2026"))
	fmt.Println(exports.Equal(again), exports.Equal(other))
	// Output: true false
}

// sealTo shows how to write a stream: an error on the way leaves one that opens nowhere.
func sealTo(dst io.Writer, src io.Reader, key *aead.Key) error {
	w, err := aead.NewWriter(dst, key, []byte("backup 2026-01-31"), nil)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.Copy(w, src); err != nil {
		return err
	}
	return w.Close()
}

func ExampleNewWriter() {
	key := aead.NewKey()
	var sealed bytes.Buffer
	if err := sealTo(&sealed, strings.NewReader("a long file"), key); err != nil {
		log.Fatal(err)
	}
	size, err := aead.SealedSize(int64(len("a long file")), 0)
	fmt.Println(sealed.Len(), size, err)
	// Output: 117 117 <nil>
}

func ExampleNewReader() {
	key := aead.NewKey()
	var sealed bytes.Buffer
	if err := sealTo(&sealed, strings.NewReader("a long file\n"), key); err != nil {
		log.Fatal(err)
	}
	r, err := aead.NewReader(&sealed, key, []byte("backup 2026-01-31"), nil)
	if err != nil {
		log.Fatal(err)
	}
	// Until Copy returns nil, what was written is authentic but may not be all.
	if _, err := io.Copy(os.Stdout, r); err != nil {
		log.Fatal(err)
	}
	// Output: a long file
}

func ExampleNewReaderAt() {
	key := aead.NewKey()
	var sealed bytes.Buffer
	if err := sealTo(&sealed, strings.NewReader("a long file"), key); err != nil {
		log.Fatal(err)
	}
	r, err := aead.NewReaderAt(bytes.NewReader(sealed.Bytes()), int64(sealed.Len()), key, []byte("backup 2026-01-31"), nil)
	if err != nil {
		log.Fatal(err)
	}
	word := make([]byte, 4)
	if _, err := r.ReadAt(word, 2); err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Size(), string(word))
	// Output: 11 long
}

func ExampleNewSealReader() {
	key := aead.NewKey()
	r, err := aead.NewSealReader(strings.NewReader("a long file"), key, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	upload, err := io.ReadAll(r) // in practice, the body of a request
	if err != nil {
		log.Fatal(err)
	}
	opened, err := aead.NewReader(bytes.NewReader(upload), key, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := io.ReadAll(opened)
	fmt.Println(string(plaintext), err)
	// Output: a long file <nil>
}
