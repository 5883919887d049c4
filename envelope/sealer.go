package envelope

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// Sealer seals and opens self-contained messages under a KMS key. It is safe for concurrent use. Make one
// with [NewSealer].
type Sealer struct {
	key   *kms.Key
	reuse *reuse // nil: a data key for each message
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
		if err := o.Reuse.check(); err != nil {
			return nil, err
		}
		s.reuse = &reuse{limits: *o.Reuse, keys: map[string]*reused{}}
	}
	return s, nil
}

// Seal returns a message of plaintext, bound to ec: one call to the KMS. It is longer than
// plaintext by the header, some 200 bytes and more with a long context, by 106, and by 32 for each further 64 KiB. Everything is in memory at once; for more than some MiB
// use [Sealer.NewWriter].
func (s *Sealer) Seal(ctx context.Context, plaintext []byte, ec kms.Context) ([]byte, error) {
	context, err := canonical(ec)
	if err != nil {
		return nil, err
	}
	var d dataKey
	if s.reuse == nil {
		d, err = newDataKey(ctx, s.key, ec)
	} else {
		d, err = s.reuse.take(ctx, s.key, context, ec, int64(len(plaintext)))
	}
	if err != nil {
		return nil, err
	}
	defer d.clear()
	header, err := buildHeader(&d.key, context, d.wrapped, 0, granule, 0)
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
	w, err := aead.NewWriter(out, body, bodyContext(context), nil)
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
		return nil, fmt.Errorf("envelope: %w", err)
	}
	return out.Bytes(), nil
}

// NewWriter starts a message on w as a stream: its header of 4096 bytes or a multiple, with room for rewrapping, then
// what is written to the result, which must be closed as [aead.Writer] says. ctx bounds the call to the KMS and not the writing.
func (s *Sealer) NewWriter(ctx context.Context, w io.Writer, ec kms.Context, o *aead.StreamOptions) (*aead.Writer, error) {
	header, body, ad, err := s.start(ctx, ec)
	if err != nil {
		return nil, err
	}
	defer body.Destroy()
	n, err := w.Write(header)
	if err == nil && n != len(header) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return nil, fmt.Errorf("envelope: write header: %w", err)
	}
	return aead.NewWriter(w, body, ad, o)
}

// NewSealReader is the pull side of [Sealer.NewWriter]: reading the result gives the message of what src has.
// Its Size method tells the message's length for an upload.
func (s *Sealer) NewSealReader(ctx context.Context, src io.Reader, ec kms.Context, o *aead.StreamOptions) (*aead.SealReader, error) {
	header, body, ad, err := s.start(ctx, ec)
	if err != nil {
		return nil, err
	}
	defer body.Destroy()
	r, err := aead.NewSealReader(src, body, ad, o)
	if err != nil {
		return nil, err
	}
	r.Prepend(header)
	return r, nil
}

// start makes the header, body key and additional data of a stream.
func (s *Sealer) start(ctx context.Context, ec kms.Context) (header []byte, body *aead.Key, ad []byte, err error) {
	context, err := canonical(ec)
	if err != nil {
		return nil, nil, nil, err
	}
	d, err := newDataKey(ctx, s.key, ec)
	if err != nil {
		return nil, nil, nil, err
	}
	defer d.clear()
	header, err = buildHeader(&d.key, context, d.wrapped, 0, streamBlock, streamSpare)
	if err != nil {
		return nil, nil, nil, err
	}
	return header, d.body(), bodyContext(context), nil
}

// NewReader opens the message that r reads, whose context is ec; the result is as [aead.Reader] says. It reads the header, makes one
// call to the KMS, which ctx bounds, and checks the header and the start of the body. Errors are those of [Sealer.Open] and
// of r.
func (s *Sealer) NewReader(ctx context.Context, r io.Reader, ec kms.Context, o *aead.StreamOptions) (*aead.Reader, error) {
	header, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	body, ad, err := s.openBody(ctx, header, ec)
	if err != nil {
		return nil, err
	}
	defer body.Destroy()
	return wrapError(aead.NewReader(r, body, ad, o))
}

// NewReaderAt opens the message of size bytes in r, whose context is ec, for reading at any place; the result is as
// [aead.ReaderAt] says. Calls and errors are those of [Sealer.NewReader].
func (s *Sealer) NewReaderAt(ctx context.Context, r io.ReaderAt, size int64, ec kms.Context, o *aead.StreamOptions) (*aead.ReaderAt, error) {
	header, err := readHeader(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	body, ad, err := s.openBody(ctx, header, ec)
	if err != nil {
		return nil, err
	}
	defer body.Destroy()
	rest := size - int64(len(header))
	return wrapError(aead.NewReaderAt(io.NewSectionReader(r, int64(len(header)), rest), rest, body, ad, o))
}

// openBody returns the body key and additional data of the message with that header.
func (s *Sealer) openBody(ctx context.Context, b []byte, ec kms.Context) (*aead.Key, []byte, error) {
	h, d, err := openHeader(ctx, s.key, b, ec)
	if err != nil {
		return nil, nil, err
	}
	defer d.clear()
	return d.body(), bodyContext(h.context), nil
}

// readHeader reads a whole header; its length is bounded before it is believed.
func readHeader(r io.Reader) ([]byte, error) {
	b := make([]byte, prefixSize, 512)
	if err := readFull(r, b); err != nil {
		return nil, err
	}
	size, err := HeaderSize(b)
	if err != nil {
		return nil, err
	}
	b = append(b, make([]byte, size-prefixSize)...)
	return b, readFull(r, b[prefixSize:])
}

func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = ErrTruncated
	}
	if err != nil {
		return fmt.Errorf("envelope: read header: %w", err)
	}
	return nil
}

func wrapError[T any](v T, err error) (T, error) {
	if err != nil {
		err = fmt.Errorf("envelope: %w", err)
	}
	return v, err
}
