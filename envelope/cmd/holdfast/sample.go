package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/holdfast-go/holdfast/envelope"
)

const maxHead = 1 << 20 // bytes in memory: text has to be shorter, and every header is

// sample is the beginning of what was read.
type sample struct {
	form string // how it was written
	head []byte // not empty
	size int64  // of all of it
}

// readSample reads r to its end, and keeps as much as says what it is.
func readSample(r io.Reader) (*sample, error) {
	head, err := io.ReadAll(io.LimitReader(r, maxHead))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	if len(head) == 0 {
		return nil, fmt.Errorf("%w: there is nothing on standard input", envelope.ErrTruncated)
	}
	if known(head) {
		rest, err := io.Copy(io.Discard, r)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return &sample{"bytes", head, int64(len(head)) + rest}, nil
	}
	if len(head) == maxHead {
		return nil, fmt.Errorf("%w, or text longer than %d bytes: decode it first", errUnknown, maxHead)
	}
	return decodeText(head)
}

// decodeText decodes a sealed text, hex or base64.
func decodeText(text []byte) (*sample, error) {
	text = bytes.TrimSpace(text)
	if body, ok := bytes.CutPrefix(text, []byte("enc:")); ok {
		version, body, _ := bytes.Cut(body, []byte(":"))
		if string(version) != "v1" {
			return nil, fmt.Errorf("%w: a sealed text of another version than 1", envelope.ErrFormat)
		}
		b, err := base64.RawURLEncoding.Strict().DecodeString(string(body))
		if err != nil || bytes.ContainsAny(body, "\r\n") || len(b) == 0 || b[0] != recordByte {
			return nil, fmt.Errorf("%w: a sealed text without a record in base64url", envelope.ErrFormat)
		}
		return &sample{fmt.Sprintf("a sealed text (enc:v1) of %d bytes", len(text)), b, int64(len(b))}, nil
	}
	text = bytes.Join(bytes.Fields(text), nil)
	digits := bytes.TrimPrefix(bytes.TrimPrefix(text, []byte(`\x`)), []byte("0x")) // psql writes \x
	if b, err := hex.DecodeString(string(digits)); err == nil && known(b) {
		return &sample{"hex", b, int64(len(b))}, nil
	}
	text = bytes.TrimRight(text, "=")
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if b, err := e.DecodeString(string(text)); err == nil && known(b) {
			return &sample{"base64", b, int64(len(b))}, nil
		}
	}
	return nil, errUnknown
}

// known tells whether b starts as something of ours.
func known(b []byte) bool { return len(b) > 0 && b[0] >= recordByte && b[0] <= laterByte }
