package main

import (
	"errors"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/kms"
)

// advice returns what to look at after an error, "" where its text says it.
func advice(err error) string {
	switch {
	case errors.Is(err, secret.ErrNotSealed):
		return "open reads a sealed text, enc:v1:..., and nothing around it."
	case errors.Is(err, envelope.ErrWrongScope):
		return "It was sealed for another -tenant."
	case errors.Is(err, envelope.ErrUnknownKey):
		return "The store does not have the key that sealed it: are -store and -tenant those that it was sealed with?"
	case errors.Is(err, kms.ErrCiphertext), errors.Is(err, kms.ErrNotFound):
		return "Are -key, -deployment and -store those of the same service?"
	case errors.Is(err, kms.ErrAccessDenied):
		return "May this user use -key? A local key with a passphrase needs -passphrase-file."
	}
	return ""
}
