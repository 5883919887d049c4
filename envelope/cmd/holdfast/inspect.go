package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
)

// The first bytes of FORMAT.md.
const (
	recordByte  = 0xf5
	messageByte = 0xf6
	streamByte  = 0xf7
	laterByte   = 0xf8
)

const (
	keyHeader    = 17 // bytes of a record or stream that name its key
	streamHeader = 74
	minSegment   = 40
	maxSegment   = 1 << 30 // the most that any reader accepts
)

// inspect says what the bytes on standard input are.
func inspect(stdin io.Reader, stdout io.Writer) error {
	s, err := readSample(stdin)
	if err != nil {
		return err
	}
	var p page
	switch s.head[0] {
	case recordByte:
		err = p.record(s)
	case messageByte:
		err = p.message(s)
	case streamByte:
		err = p.stream(s)
	default:
		err = fmt.Errorf("%w: it is of a later release", envelope.ErrFormat)
	}
	if err != nil {
		return err
	}
	p.row("written as", "%s", s.form)
	p.row("trust", "unauthenticated: anyone can have written this, and only opening it tells")
	_, err = stdout.Write(p)
	return err
}

// page is what is shown.
type page []byte

func (p *page) row(name, format string, args ...any) {
	*p = fmt.Appendf(*p, "%-12s%s\n", name, fmt.Sprintf(format, args...))
}

func (p *page) record(s *sample) error {
	if s.size < int64(envelope.RecordOverhead) {
		return cut("a record has at least %d bytes, not %d", envelope.RecordOverhead, s.size)
	}
	if s.size > int64(envelope.RecordOverhead+envelope.MaxRecord) {
		return fmt.Errorf("%w: a record has at most %d bytes", envelope.ErrFormat, envelope.RecordOverhead+envelope.MaxRecord)
	}
	p.row("what", "a record of a tenant or subject, of %d bytes", s.size)
	p.row("key id", "%x", s.head[1:keyHeader])
	p.row("plaintext", "%d bytes", s.size-int64(envelope.RecordOverhead))
	p.row("place", "unknown: a record does not hold what it belongs to")
	return nil
}

func (p *page) stream(s *sample) error {
	if s.size < keyHeader {
		return cut("a stream of a tenant or subject has at least %d bytes, not %d", keyHeader+streamHeader, s.size)
	}
	p.row("what", "a stream of a tenant or subject, of %d bytes", s.size)
	p.row("key id", "%x", s.head[1:keyHeader])
	if err := p.body(s, keyHeader); err != nil {
		return err
	}
	p.row("place", "unknown: a stream does not hold what it belongs to")
	return nil
}

func (p *page) message(s *sample) error {
	info, err := envelope.Inspect(s.head)
	if err != nil {
		return err
	}
	p.row("what", "a message that opens with a KMS key alone, of %d bytes", s.size)
	p.row("header", "%d bytes, of which %d are spare", info.HeaderSize, info.Spare)
	if err := p.body(s, info.HeaderSize); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(info.Context)) {
		p.row("context", "%q = %q", name, info.Context[name])
	}
	for _, w := range info.Wrapped {
		version := ""
		if w.Version != "" {
			version = ", version " + strconv.Quote(w.Version)
		}
		p.row("opens with", "%q%s, %d bytes", w.Ref.String(), version, len(w.Blob))
	}
	return nil
}

// body shows the stream that begins at a place.
func (p *page) body(s *sample, at int) error {
	header := s.head[min(at, len(s.head)):]
	if len(header) < streamHeader {
		return cut("the header of the stream in it has %d bytes, not %d", streamHeader, len(header))
	}
	segment := binary.BigEndian.Uint32(header[2:])
	if header[0] != 0 || header[1] != 0 || binary.BigEndian.Uint32(header[6:]) != 32 || segment < minSegment || segment > maxSegment {
		return fmt.Errorf("%w: the header of the stream in it", envelope.ErrFormat)
	}
	size, err := aead.PlaintextSize(s.size-int64(at), int(segment))
	if err != nil {
		return err
	}
	p.row("plaintext", "%d bytes, in segments of %d", size, segment)
	return nil
}

func cut(format string, args ...any) error {
	return fmt.Errorf("%w: %s", envelope.ErrTruncated, fmt.Sprintf(format, args...))
}

var errUnknown = errors.New("this is nothing that Holdfast writes: neither its bytes, nor hex or base64 of them, nor a sealed text")
