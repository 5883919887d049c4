package envelope

import (
	"bytes"
	"context"

	"github.com/holdfast-go/holdfast/aead"
)

// Reseal returns the record under the scope's current key: a copy of it where it is already, or else opened and sealed again, in the same process and call. Errors are those of Open and Seal.
func (s scope) Reseal(ctx context.Context, record []byte, b Binding) ([]byte, error) {
	plaintext, err := s.Open(ctx, record, b)
	if err != nil {
		return nil, err
	}
	defer clear(plaintext)
	out, err := s.Seal(ctx, plaintext, b)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(out[:recordHeader], record[:recordHeader]) {
		return bytes.Clone(record), nil
	}
	return out, nil
}

// Stale tells whether a record or managed stream, of which the first 17 bytes are enough, was sealed under another key than its scope's current one, so that Reseal would change it. It asks the store and opens nothing: a hint, since anyone can
// write those bytes. It fails with ErrFormat, ErrTruncated, ErrUnknownKey and ErrUnavailable, and with ErrErased where the key is destroyed.
func (r *Keyring) Stale(ctx context.Context, record []byte) (bool, error) {
	if r == nil || r.get == nil {
		return edge(false, invalid("zero Keyring: use NewKeyring"))
	}
	return edge(r.get().stale(ctx, record))
}

func (r *ring) stale(ctx context.Context, record []byte) (bool, error) {
	if len(record) > 0 && record[0] != recordByte && record[0] != streamByte {
		return false, ErrFormat
	}
	if len(record) < recordHeader {
		return false, ErrTruncated
	}
	if err := r.begin(); err != nil {
		return false, err
	}
	defer r.work.Done()
	id := aead.KeyID(record[1:recordHeader])
	owner, err := r.owner(ctx, id)
	if err != nil {
		return false, err
	}
	if owner == "" {
		return false, &Error{KeyID: id, Err: ErrUnknownKey}
	}
	rows, err := r.read(ctx, owner)
	if err != nil {
		return false, err
	}
	k := rows.find(kindData, id)
	switch {
	case k == nil:
		return false, &Error{KeyID: id, Err: ErrUnknownKey}
	case k.Destroyed != nil:
		return false, &Error{KeyID: id, Since: *k.Destroyed, Ref: k.Ref, Err: ErrErased}
	}
	return k.Version != rows.latest(kindData), nil
}
