package envelope

import (
	"bytes"
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// Sealer seals and opens self-contained messages under a KMS key. It is safe for concurrent use. Make one
// with [NewSealer].
type Sealer struct {
	key *kms.Key
	// reuse takes a data key that may serve other messages too; nil: each message has its own. It is a function so
	// that dumpers that follow unexported fields don't reach the keys.
	reuse func(ctx context.Context, k *kms.Key, canonical []byte, ec kms.Context, size int64) (dataKey, error)
}

// SealerOptions are the options of [NewSealer]; nil and the zero value are the defaults.
type SealerOptions struct {
	// Reuse has [Sealer.Seal] use one data key for several messages of byte-equal context, to save
	// calls to the KMS. nil means a data key for each message. Giving a recipient one of
	// the messages then gives them all. At most 1024 contexts have a key at hand. Streams always have
	// a key of their own.
	Reuse *Limits
}

// NewSealer returns a Sealer that wraps data keys under k, which stays the caller's to close. It makes no I/O. It fails with
// kms.ErrInvalid when k is nil or a limit is missing.
func NewSealer(k *kms.Key, o *SealerOptions) (*Sealer, error) {
	if k == nil {
		return nil, fmt.Errorf("envelope: %w: the KMS key is nil", kms.ErrInvalid)
	}
	s := &Sealer{key: k}
	if o != nil && o.Reuse != nil {
		r, err := edge(newReuse(*o.Reuse))
		if err != nil {
			return nil, err
		}
		s.reuse = r.take
	}
	return s, nil
}

// Seal returns a message of plaintext, bound to ec: one call to the KMS. It is longer than
// plaintext by the header, some 200 bytes under kms/local and more under others or with a long context, by 106, and by 32 for each further 64 KiB. Everything is in memory at once; for more than some MiB
// use [Sealer.NewWriter].
func (s *Sealer) Seal(ctx context.Context, plaintext []byte, ec kms.Context) ([]byte, error) {
	return edge(s.seal(ctx, plaintext, ec))
}

func (s *Sealer) seal(ctx context.Context, plaintext []byte, ec kms.Context) ([]byte, error) {
	canon, err := canonical(ec)
	if err != nil {
		return nil, err
	}
	var d dataKey
	if s.reuse == nil {
		d, err = newDataKey(ctx, s.key, ec)
	} else {
		d, err = s.reuse(ctx, s.key, canon, ec, int64(len(plaintext)))
	}
	if err != nil {
		return nil, err
	}
	defer d.clear()
	header, err := buildHeader(&d.key, canon, d.wrapped, smallest(canon, d.wrapped))
	if err != nil {
		return nil, err
	}
	size, err := aead.SealedSize(int64(len(plaintext)), 0)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(make([]byte, 0, len(header)+int(size)))
	out.Write(header)
	body := d.body()
	defer body.Destroy()
	w, err := aead.NewWriter(out, body, bodyContext(canon), nil)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	if _, err := w.Write(plaintext); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Open returns the plaintext of a message whose context is ec. It makes one call to the KMS, once format and context
// are as they should be. Errors: [ErrOpen], [ErrFormat], [ErrTruncated], and those of the KMS. On an
// error nothing of the plaintext is returned.
func (s *Sealer) Open(ctx context.Context, message []byte, ec kms.Context) ([]byte, error) {
	src := bytes.NewReader(message)
	r, err := s.NewReader(ctx, src, ec, nil)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(make([]byte, 0, src.Len())) // a stream is longer than its plaintext
	if _, err := r.WriteTo(out); err != nil {
		clear(out.Bytes())
		return edge[[]byte](nil, err)
	}
	return out.Bytes(), nil
}

// Format prints the KMS key's name, for every verb.
func (s *Sealer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "envelope.Sealer(%v)", s.key) }

// edge puts the package's name before an error on its way out.
func edge[T any](v T, err error) (T, error) {
	if err != nil {
		err = fmt.Errorf("envelope: %w", err)
	}
	return v, err
}
