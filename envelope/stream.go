package envelope

import (
	"context"
	"fmt"
	"io"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/prefixed"
	"github.com/holdfast-go/holdfast/internal/whole"
	"github.com/holdfast-go/holdfast/kms"
)

// NewWriter starts a message on w as a stream: its header of 4096 bytes or a multiple, with room for rewrapping, then
// what is written to the result, which must be closed as [aead.Writer] says. ctx bounds the call to the KMS and not the writing.
func (s *Sealer) NewWriter(ctx context.Context, w io.Writer, ec kms.Context, o *aead.StreamOptions) (*aead.Writer, error) {
	return edge(s.newWriter(ctx, w, ec, o))
}

func (s *Sealer) newWriter(ctx context.Context, w io.Writer, ec kms.Context, o *aead.StreamOptions) (*aead.Writer, error) {
	header, body, ad, err := s.start(ctx, ec, o)
	if err != nil {
		return nil, err
	}
	defer body.Destroy()
	if _, err := whole.Write(w, header); err != nil {
		return nil, fmt.Errorf("write header: %w", err)
	}
	return aead.NewWriter(w, body, ad, o)
}

// NewSealReader is the pull side of [Sealer.NewWriter]: reading the result gives the message of what src has.
// Its Size method tells the message's length for an upload.
func (s *Sealer) NewSealReader(ctx context.Context, src io.Reader, ec kms.Context, o *aead.StreamOptions) (*aead.SealReader, error) {
	header, body, ad, err := s.start(ctx, ec, o)
	if err != nil {
		return edge[*aead.SealReader](nil, err)
	}
	defer body.Destroy()
	return edge(aead.NewSealReader(&prefixed.Source{Reader: src, Prefix: header}, body, ad, o))
}

// start makes the header, body key and additional data of a stream.
func (s *Sealer) start(ctx context.Context, ec kms.Context, o *aead.StreamOptions) (header []byte, body *aead.Key, ad []byte, err error) {
	if err := o.Validate(); err != nil { // before anything is called or written
		return nil, nil, nil, err
	}
	canon, err := canonical(ec)
	if err != nil {
		return nil, nil, nil, err
	}
	d, err := newDataKey(ctx, s.key, ec)
	if err != nil {
		return nil, nil, nil, err
	}
	defer d.clear()
	header, err = buildHeader(&d.key, canon, d.wrapped, roomy(canon, d.wrapped))
	if err != nil {
		return nil, nil, nil, err
	}
	return header, d.body(), bodyContext(canon), nil
}

// NewReader opens the message that r reads, whose context is ec; the result is as [aead.Reader] says. It reads the header, makes one
// call to the KMS, which ctx bounds, and checks the header and the start of the body. Errors are those of [Sealer.Open] and
// of r.
func (s *Sealer) NewReader(ctx context.Context, r io.Reader, ec kms.Context, o *aead.StreamOptions) (*aead.Reader, error) {
	return edge(s.newReader(ctx, r, ec, o))
}

func (s *Sealer) newReader(ctx context.Context, r io.Reader, ec kms.Context, o *aead.StreamOptions) (*aead.Reader, error) {
	_, body, ad, err := s.openBody(ctx, r, ec, o)
	if err != nil {
		return nil, err
	}
	defer body.Destroy()
	return aead.NewReader(r, body, ad, o)
}

// NewReaderAt opens the message of size bytes in r, whose context is ec, for reading at any place; the result is as
// [aead.ReaderAt] says. Calls and errors are those of [Sealer.NewReader].
func (s *Sealer) NewReaderAt(ctx context.Context, r io.ReaderAt, size int64, ec kms.Context, o *aead.StreamOptions) (*aead.ReaderAt, error) {
	return edge(s.newReaderAt(ctx, r, size, ec, o))
}

func (s *Sealer) newReaderAt(ctx context.Context, r io.ReaderAt, size int64, ec kms.Context, o *aead.StreamOptions) (*aead.ReaderAt, error) {
	start, body, ad, err := s.openBody(ctx, io.NewSectionReader(r, 0, size), ec, o)
	if err != nil {
		return nil, err
	}
	defer body.Destroy()
	return aead.NewReaderAt(io.NewSectionReader(r, start, size-start), size-start, body, ad, o)
}

// openBody reads a header off r and returns where the body starts, its key and its additional data.
func (s *Sealer) openBody(ctx context.Context, r io.Reader, ec kms.Context, o *aead.StreamOptions) (start int64, body *aead.Key, ad []byte, err error) {
	if err := o.Validate(); err != nil {
		return 0, nil, nil, err
	}
	b, err := readHeader(r)
	if err != nil {
		return 0, nil, nil, err
	}
	h, d, err := openHeader(ctx, s.key, b, ec)
	if err != nil {
		return 0, nil, nil, err
	}
	defer d.clear()
	return int64(h.size), d.body(), bodyContext(h.canonical), nil
}
