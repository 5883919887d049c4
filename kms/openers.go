package kms

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// OpenFunc opens the key that u names. A provider's Opener returns one.
type OpenFunc func(ctx context.Context, u *url.URL) (*Key, error)

// Openers maps URI schemes, in lower case, to what opens them: for programs
// that take their key from a configuration file. A program lists the providers it means to use,
// and links no others. Opening from several goroutines is safe, changing the
// map meanwhile is not.
type Openers map[string]OpenFunc

// Open opens the key that uri names with the opener of its scheme. It fails
// with [ErrInvalid] when uri can't be parsed or nothing is listed for its
// scheme, and as that opener does.
func (o Openers) Open(ctx context.Context, uri string) (*Key, error) {
	u, err := url.Parse(uri)
	if err != nil {
		// The parser's error repeats the text, which may hold a password.
		return nil, &Error{Op: "open", Err: fmt.Errorf("%w: the key's URI can't be parsed", ErrInvalid)}
	}
	open := o[u.Scheme]
	if open == nil {
		known := strings.Join(slices.Sorted(maps.Keys(o)), ", ")
		return nil, &Error{Op: "open", Err: fmt.Errorf("%w: no opener for the scheme %.64q of the key's URI; known are: %s", ErrInvalid, u.Scheme, known)}
	}
	return open(ctx, u)
}
