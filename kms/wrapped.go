package kms

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// Ref names a key at a provider. It is no secret. A Ref is a comparable value.
type Ref struct {
	Provider string // "awskms", "local", "hpke", ...: 1 to 255 bytes
	KeyID    string // the provider's canonical name, never an alias: an ARN, a resource name; up to 65535 bytes
}

// String returns provider:keyid, or the provider alone where there is no key id.
func (r Ref) String() string {
	if r.KeyID == "" {
		return r.Provider
	}
	return r.Provider + ":" + r.KeyID
}

// Wrapped is a key that a provider encrypted. It is safe to store, next to what
// the key seals. Treat it as a value: two goroutines may use one as long as neither
// changes Blob.
type Wrapped struct {
	Ref            // the key it was wrapped under
	Version string // the provider's key version, "" where it has none; up to 255 bytes
	Blob    []byte // what the provider returned; 1 to 65535 bytes
}

func (w Wrapped) check() error {
	switch {
	case len(w.Provider) == 0 || len(w.Provider) > math.MaxUint8:
		return fmt.Errorf("%w: provider must be 1 to 255 bytes", ErrInvalid)
	case len(w.KeyID) > math.MaxUint16:
		return fmt.Errorf("%w: key id over 65535 bytes", ErrInvalid)
	case len(w.Version) > math.MaxUint8:
		return fmt.Errorf("%w: version over 255 bytes", ErrInvalid)
	case len(w.Blob) == 0 || len(w.Blob) > math.MaxUint16:
		return fmt.Errorf("%w: blob must be 1 to 65535 bytes", ErrInvalid)
	}
	return nil
}

// AppendBinary appends the form that FORMAT.md section 5 defines to b and returns the
// extended slice. It fails with [ErrInvalid] when a field is longer than its
// limit, or provider or blob are empty.
func (w Wrapped) AppendBinary(b []byte) ([]byte, error) {
	if err := w.check(); err != nil {
		return nil, &Error{Op: "encode wrapped key", Err: err}
	}
	return w.appendTo(b), nil
}

// appendTo is AppendBinary of what check has passed.
func (w Wrapped) appendTo(b []byte) []byte {
	b = append(append(b, byte(len(w.Provider))), w.Provider...)
	b = appendString16(b, w.KeyID)
	b = append(append(b, byte(len(w.Version))), w.Version...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(w.Blob)))
	return append(b, w.Blob...)
}

// ParseWrapped reads what [Wrapped.AppendBinary] wrote from the front of b and
// returns it, as a copy, with the bytes of b that follow. It fails with
// [ErrInvalid]. What it returns is not authenticated: [Key.Unwrap] uses it to
// select among keys that were configured, never to find one.
func ParseWrapped(b []byte) (w Wrapped, rest []byte, err error) {
	w, rest, err = parseWrapped(b)
	if err != nil {
		return Wrapped{}, nil, &Error{Op: "parse wrapped key", Err: err}
	}
	return w, rest, nil
}

// parseWrapped is ParseWrapped without the package's prefix on its errors.
func parseWrapped(b []byte) (w Wrapped, rest []byte, err error) {
	provider, rest, ok1 := cut8(b)
	keyID, rest, ok2 := cut16(rest)
	version, rest, ok3 := cut8(rest)
	blob, rest, ok4 := cut16(rest)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return Wrapped{}, nil, fmt.Errorf("%w: cut short", ErrInvalid)
	}
	w = Wrapped{
		Ref:     Ref{Provider: string(provider), KeyID: string(keyID)},
		Version: string(version),
		Blob:    bytes.Clone(blob),
	}
	if err := w.check(); err != nil {
		return Wrapped{}, nil, err
	}
	return w, rest[:len(rest):len(rest)], nil
}

// cut8 cuts an 8-bit length and as many bytes off the front of b.
func cut8(b []byte) (part, rest []byte, ok bool) {
	if len(b) < 1 {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	if len(b) < n {
		return nil, nil, false
	}
	return b[1:n:n], b[n:], true
}
