package envelope

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Binding says what a record belongs to, such as a table, a column and a row, and must be the same when the record is opened. It is
// authenticated and stored nowhere. The zero Binding is refused, for a record without one can be moved
// to any other place of its tenant's. Prepare a Binding once for many records where they share it: it is an immutable, comparable
// value.
type Binding struct{ parts string }

// Bind returns the Binding of parts, whose boundaries and order count: Bind("users", "email", id).
func Bind(parts ...string) Binding {
	n := 0
	for _, p := range parts {
		n += 4 + len(p)
	}
	var b strings.Builder
	b.Grow(n)
	for _, p := range parts {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(p)))
		b.Write(size[:])
		b.WriteString(p)
	}
	return Binding{b.String()}
}

// Format prints what String returns for every verb.
func (b Binding) Format(f fmt.State, _ rune) { io.WriteString(f, b.String()) }

// String returns nothing of the parts, which may be personal data.
func (b Binding) String() string {
	if b == (Binding{}) {
		return "envelope.Binding(zero)"
	}
	return "envelope.Binding"
}
