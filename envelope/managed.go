package envelope

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/prefixed"
	"github.com/holdfast-go/holdfast/internal/whole"
)

const streamByte = 0xf7

// NewWriter starts a managed stream on w, bound to b, under the scope's current key: 17 bytes that name the key, then what is written to the result, which must be closed
// as [aead.Writer] says. ctx bounds what store and KMS are asked, not the writing. A stream once opened goes on whatever becomes of the key. Errors are those of Seal and of w.
func (s scope) NewWriter(ctx context.Context, w io.Writer, b Binding, o *aead.StreamOptions) (*aead.Writer, error) {
	key, ad, err := s.startStream(ctx, b, o)
	if err != nil {
		return edge[*aead.Writer](nil, err)
	}
	defer key.Destroy()
	if _, err := whole.Write(w, ad[:recordHeader]); err != nil {
		return edge[*aead.Writer](nil, fmt.Errorf("write header: %w", err))
	}
	return edge(aead.NewWriter(w, key, ad, o))
}

// NewSealReader is the pull side of NewWriter: reading the result gives the stream of what src has.
func (s scope) NewSealReader(ctx context.Context, src io.Reader, b Binding, o *aead.StreamOptions) (*aead.SealReader, error) {
	key, ad, err := s.startStream(ctx, b, o)
	if err != nil {
		return edge[*aead.SealReader](nil, err)
	}
	defer key.Destroy()
	return edge(aead.NewSealReader(&prefixed.Source{Reader: src, Prefix: bytes.Clone(ad[:recordHeader])}, key, ad, o))
}

// NewReader opens the managed stream that r reads; the result is as [aead.Reader] says. It reads the first bytes and checks them. Errors are those of Open and
// of r.
func (s scope) NewReader(ctx context.Context, r io.Reader, b Binding, o *aead.StreamOptions) (*aead.Reader, error) {
	key, ad, err := s.openStream(ctx, r, b, o)
	if err != nil {
		return edge[*aead.Reader](nil, err)
	}
	defer key.Destroy()
	return edge(aead.NewReader(r, key, ad, o))
}

// NewReaderAt opens the managed stream of size bytes in r for reading at any place; the result is as [aead.ReaderAt] says. Errors are those of NewReader.
func (s scope) NewReaderAt(ctx context.Context, r io.ReaderAt, size int64, b Binding, o *aead.StreamOptions) (*aead.ReaderAt, error) {
	key, ad, err := s.openStream(ctx, io.NewSectionReader(r, 0, size), b, o)
	if err != nil {
		return edge[*aead.ReaderAt](nil, err)
	}
	defer key.Destroy()
	const start = int64(recordHeader)
	return edge(aead.NewReaderAt(io.NewSectionReader(r, start, size-start), size-start, key, ad, o))
}

// startStream returns the key and the additional data of a new stream, which begin with its header.
func (s *scope) startStream(ctx context.Context, b Binding, o *aead.StreamOptions) (*aead.Key, []byte, error) {
	r, err := s.ready(b)
	if err == nil {
		err = o.Validate() // before anything is asked or written
	}
	if err != nil {
		return nil, nil, err
	}
	var key *aead.Key
	var ad []byte
	err = r.sealing(ctx, s, func(k *liveKey) (ok bool) {
		ad = streamContext(k.id, b)
		key, ok = k.stream()
		return ok
	})
	if err != nil {
		return nil, nil, s.explain(err, aead.KeyID{})
	}
	return key, ad, nil
}

// openStream reads the header off r and returns the key and the additional data of the stream.
func (s *scope) openStream(ctx context.Context, from io.Reader, b Binding, o *aead.StreamOptions) (*aead.Key, []byte, error) {
	r, err := s.ready(b)
	if err == nil {
		err = o.Validate()
	}
	if err != nil {
		return nil, nil, err
	}
	id, err := streamKey(from)
	if err != nil {
		return nil, nil, err
	}
	var key *aead.Key
	err = r.opening(ctx, s, id, func(k *liveKey) (ok bool) {
		key, ok = k.stream()
		return ok
	})
	if err != nil {
		return nil, nil, s.explain(err, id)
	}
	return key, streamContext(id, b), nil
}

// stream returns the key of streams. It tells whether the key is there.
func (k *liveKey) stream() (*aead.Key, bool) {
	k.touch()
	b, ok := k.derived("stream")
	defer clear(b[:])
	if !ok {
		return nil, false
	}
	key, err := aead.ParseKey(b[:])
	if err != nil {
		panic("envelope: internal error: " + err.Error()) // 32 bytes are a key
	}
	return key, true
}

// streamKey reads the id of the key that sealed a stream.
func streamKey(from io.Reader) (aead.KeyID, error) {
	var header [recordHeader]byte
	n, err := whole.Read(from, header[:])
	switch {
	case n > 0 && header[0] != streamByte:
		return aead.KeyID{}, fmt.Errorf("%w: no managed stream starts with %02x", ErrFormat, header[0])
	case err == io.EOF:
		return aead.KeyID{}, ErrTruncated
	case err != nil:
		return aead.KeyID{}, fmt.Errorf("read header: %w", err)
	}
	return aead.KeyID(header[1:]), nil
}

// streamContext is the additional data of a stream: FORMAT.md section 4.
func streamContext(id aead.KeyID, b Binding) []byte {
	ad := append(make([]byte, 0, recordHeader+len(b.parts)), streamByte)
	return append(append(ad, id[:]...), b.parts...)
}
