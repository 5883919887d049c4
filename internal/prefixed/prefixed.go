// Package prefixed is how package envelope has a stream that package aead seals start with a header of its own.
package prefixed

import "io"

// Source is a source of plaintext for aead.NewSealReader. What that reads begins with Prefix, as it is.
type Source struct {
	io.Reader
	Prefix []byte
}
