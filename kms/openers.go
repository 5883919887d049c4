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
//
// A key's URI has three parts, here in the form of RFC 3986:
//
//	uri   = scheme ":///" name [ "?" query ]
//	name  = what the provider calls the key: a path of a file, an ARN, an alias
//	query = parameters of the provider, each at most once
//
//	local:///var/lib/app/key.json
//	hpke:///etc/app/recovery.pem
//	awskms:///arn:aws:kms:eu-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
//	awskms:///alias/app?region=eu-north-1
//
// Paths may be percent-encoded. There is no host, no user and no fragment, and a parameter that the provider does not know is refused. A URI
// holds no secrets: credentials and passphrases are given to the provider's Opener.
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
