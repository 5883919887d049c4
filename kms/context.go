package kms

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/internal/reserved"
)

// Context is what a wrapped key belongs to: names and values that must be the same
// when it is unwrapped. It is authenticated, not secret: providers write
// it to their audit logs, so put no secrets and no personal data into it.
//
// Keys and values are UTF-8. Keys are not empty and do not start with
// "holdfast:"; the canonical form takes at most 8 KiB. A nil Context is an empty one.
// A Context is a map: reading it from several goroutines is safe, changing it is not.
type Context map[string]string

// maxContext bounds the canonical form of a Context, in bytes.
const maxContext = 8 << 10

// Canonical returns the one byte form of c, which drivers authenticate:
// FORMAT.md section 5. It fails with [ErrInvalid] when c breaks the
// rules of [Context]; keys that start with "holdfast:" pass here, since
// this module's own packages use them.
func (c Context) Canonical() ([]byte, error) {
	const op = "encode context"
	size := 2
	keys := make([]string, 0, min(len(c), maxContext/4))
	for key, value := range c {
		if key == "" {
			return nil, &Error{Op: op, Err: fmt.Errorf("%w: a context key is empty", ErrInvalid)}
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, &Error{Op: op, Err: fmt.Errorf("%w: context key %.64q or its value is not UTF-8", ErrInvalid, key)}
		}
		if len(key) > maxContext || len(value) > maxContext || size+4+len(key)+len(value) > maxContext {
			return nil, &Error{Op: op, Err: fmt.Errorf("%w: context over %d bytes", ErrInvalid, maxContext)}
		}
		size += 4 + len(key) + len(value)
		keys = append(keys, key)
	}
	slices.Sort(keys)
	b := binary.BigEndian.AppendUint16(make([]byte, 0, size), uint16(len(keys)))
	for _, key := range keys {
		b = appendString16(b, key)
		b = appendString16(b, c[key])
	}
	return b, nil
}

// ParseContext reads the form that [Context.Canonical] writes, and nothing
// else: pairs out of order, twice the same key, bytes after the end and whatever
// Canonical refuses fail with [ErrInvalid].
func ParseContext(canonical []byte) (Context, error) {
	refuse := func(what string) (Context, error) {
		return nil, &Error{Op: "parse context", Err: fmt.Errorf("%w: %s", ErrInvalid, what)}
	}
	if len(canonical) < 2 || len(canonical) > maxContext {
		return refuse("a context takes 2 bytes to 8 KiB")
	}
	n, rest := int(binary.BigEndian.Uint16(canonical)), canonical[2:]
	if n > len(rest)/5 { // lengths and one byte of key
		return refuse("more pairs announced than there are")
	}
	c := make(Context, n)
	last := ""
	for range n {
		key, afterKey, ok := cut16(rest)
		value, afterValue, ok2 := cut16(afterKey)
		switch {
		case !ok || !ok2:
			return refuse("context is cut short")
		case string(key) <= last: // "" is the smallest, so this refuses the empty key too
			return refuse("context keys are empty, repeated or out of order")
		case !utf8.Valid(key) || !utf8.Valid(value):
			return refuse("context is not UTF-8")
		}
		last, rest = string(key), afterValue
		c[last] = string(value)
	}
	if len(rest) > 0 {
		return refuse("bytes after the context")
	}
	return c, nil
}

// checkContext checks what a caller gave.
func checkContext(ctx context.Context, c Context) error {
	if !reserved.Allowed(ctx) {
		for key := range c {
			if strings.HasPrefix(key, reserved.Prefix) {
				return fmt.Errorf("%w: context key %.64q is reserved: choose one that does not start with %q", ErrInvalid, key, reserved.Prefix)
			}
		}
	}
	if _, err := c.Canonical(); err != nil {
		return err.(*Error).Err
	}
	return nil
}

func appendString16(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// cut16 cuts a 16-bit length and as many bytes off the front of b.
func cut16(b []byte) (part, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < n {
		return nil, nil, false
	}
	return b[2:n:n], b[n:], true
}
