package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/holdfast-go/holdfast/kms"
)

// redacted is what every Text prints as, also an empty one.
const redacted = "[secret]"

// Text is a secret text, such as a database password. A closure holds it, so that printers, loggers, encoders, debuggers' dumps and failed
// assertions show [secret] or the address of code, however deep in a value it lies. [Text.Reveal] is the only way out.
//
// As text and in JSON it is [secret] too, so that a configuration can be logged. That does not become a Text when it is read back, which would be a
// service with the password "[secret]". Any other text does.
//
// The zero Text is empty. A Text does not change and is safe for concurrent use. It is not comparable, and reflect.DeepEqual of two is false unless both are
// empty: use Equal. Memory that held it can't be cleared in Go, and is the garbage collector's.
type Text struct {
	reveal func() string // nil for the empty one
}

// NewText returns a Text of s.
func NewText(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{func() string { return s }}
}

// Reveal returns the secret: call it where it is used, and keep nothing of what it returns.
func (t Text) Reveal() string {
	if t.reveal == nil {
		return ""
	}
	return t.reveal()
}

// Equal tells whether both are the same. Its time depends on their lengths, and not on what is in them.
func (t Text) Equal(o Text) bool {
	a, b := sha256.Sum256([]byte(t.Reveal())), sha256.Sum256([]byte(o.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns [secret].
func (t Text) String() string { return redacted }

// Format prints what String returns for every verb.
func (t Text) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns what String does.
func (t Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns what String does, for JSON and YAML too. Nothing reads it back.
func (t Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes text as it is, so that any decoder of configuration loads a Text, usually one that [Resolve] opens. It fails with [kms.ErrInvalid] on [secret].
func (t *Text) UnmarshalText(text []byte) error {
	s := string(text)
	if err := refusePrinted(s); err != nil {
		return atEdge(err)
	}
	*t = NewText(s)
	return nil
}

// refusePrinted refuses what a Text prints as.
func refusePrinted(s string) error {
	if strings.TrimSpace(s) == redacted {
		return fmt.Errorf("%w: %s is what a secret prints as, and no secret: it comes from a printed configuration", kms.ErrInvalid, redacted)
	}
	return nil
}
