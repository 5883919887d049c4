package kms

import (
	"encoding/binary"
	"fmt"
	"math"
)

// anyProvider is the provider of what AnyOf wraps. Its blob lists what its members wrapped: FORMAT.md section 5.
const anyProvider = "any"

// maxRecipients is the most that one list holds.
const maxRecipients = 16

// Recipients returns the wrapped keys of w, each able to open alone: the 1 to 16 that AnyOf wrapped, in
// their order and as copies, or w itself. Providers that this program does not know are among them. It fails with [ErrInvalid]
// when the provider of w is "any" and w breaks a rule of FORMAT.md section 5. None of what it returns is authenticated.
func (w Wrapped) Recipients() ([]Wrapped, error) {
	list, err := w.recipients()
	if err != nil {
		return nil, &Error{Op: "parse recipients", Err: err}
	}
	return list, nil
}

// recipients is Recipients without the package's prefix on its errors.
func (w Wrapped) recipients() ([]Wrapped, error) {
	if w.Provider != anyProvider {
		return []Wrapped{w}, nil
	}
	if err := w.check(); err != nil {
		return nil, err
	}
	if w.KeyID != "" || w.Version != "" {
		return nil, fmt.Errorf("%w: a list of recipients has a key id or a version", ErrInvalid)
	}
	if w.Blob[0] == 0 || w.Blob[0] > maxRecipients {
		return nil, fmt.Errorf("%w: a list has 1 to %d recipients", ErrInvalid, maxRecipients)
	}
	list, rest := make([]Wrapped, w.Blob[0]), w.Blob[1:]
	for i := range list {
		one, after, ok := cut16(rest)
		if !ok {
			return nil, fmt.Errorf("%w: recipient %d is cut short", ErrInvalid, i)
		}
		inner, more, err := parseWrapped(one)
		if err != nil {
			return nil, fmt.Errorf("recipient %d: %w", i, err)
		}
		if len(more) > 0 {
			return nil, fmt.Errorf("%w: bytes after recipient %d", ErrInvalid, i)
		}
		list[i], rest = inner, after
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: bytes after the last recipient", ErrInvalid)
	}
	return list, checkRecipients(list)
}

// wrapAny returns the list that [Wrapped.Recipients] reads. It fails with ErrInvalid, without the package's prefix.
func wrapAny(list []Wrapped) (Wrapped, error) {
	if len(list) == 0 || len(list) > maxRecipients {
		return Wrapped{}, fmt.Errorf("%w: a list has 1 to %d recipients, not %d", ErrInvalid, maxRecipients, len(list))
	}
	if err := checkRecipients(list); err != nil {
		return Wrapped{}, err
	}
	blob := []byte{byte(len(list))}
	for i, inner := range list {
		if err := inner.check(); err != nil {
			return Wrapped{}, fmt.Errorf("recipient %d: %w", i, err)
		}
		one := inner.appendTo(nil)
		if n := len(blob) + 2 + len(one); n > math.MaxUint16 {
			return Wrapped{}, fmt.Errorf("%w: the list takes %d bytes up to recipient %d of %d, and %d is the limit: use fewer recipients", ErrInvalid, n, i, len(list), math.MaxUint16)
		}
		blob = binary.BigEndian.AppendUint16(blob, uint16(len(one)))
		blob = append(blob, one...)
	}
	return Wrapped{Ref: Ref{Provider: anyProvider}, Blob: blob}, nil
}

// checkRecipients refuses a list in a list, and two recipients of one key.
func checkRecipients(list []Wrapped) error {
	seen := make(map[Ref]bool, len(list))
	for i, inner := range list {
		if inner.Provider == anyProvider {
			return fmt.Errorf("%w: recipient %d is a list itself", ErrInvalid, i)
		}
		if seen[inner.Ref] {
			return fmt.Errorf("%w: recipient %d, %.300q, stands twice", ErrInvalid, i, inner.Ref.String())
		}
		seen[inner.Ref] = true
	}
	return nil
}
