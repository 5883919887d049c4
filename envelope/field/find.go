package field

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// Query is a search by a blind index: the tokens to ask the database for, and what tells the rows that were looked for from those that only share a token. It is safe for concurrent use.
type Query[R any] struct {
	terms [][]byte
	keep  func(*R) bool // a closure: it knows the value
}

// Find returns the search for the rows whose column has a value, as the index's normalizer compares them, or begins with it where the index is one of prefixes. column is that of the Index, or
// the indexed column where it has one index. It fails with kms.ErrInvalid when there is no such index, or the value is empty after normalization, too long, or shorter than the prefix; other errors are those of
// envelope.Tenant.AppendToken.
func (t *Table[R]) Find(ctx context.Context, tn envelope.Tenant, column, value string) (*Query[R], error) {
	q, err := t.find(ctx, tn, column, value)
	if err != nil {
		return nil, t.fail(column, err)
	}
	return q, nil
}

func (t *Table[R]) find(ctx context.Context, tn envelope.Tenant, name, value string) (*Query[R], error) {
	c, x, err := t.indexOf(name)
	if err != nil {
		return nil, err
	}
	q := &Query[R]{}
	for _, norm := range x.norms {
		token, err := x.token(ctx, tn, norm, value)
		if err != nil {
			return nil, err
		}
		if token != nil && !slices.ContainsFunc(q.terms, func(have []byte) bool { return bytes.Equal(have, token) }) {
			q.terms = append(q.terms, token)
		}
	}
	if len(q.terms) == 0 {
		if x.prefix > 0 {
			return nil, fmt.Errorf("%w: nothing to find: the value has fewer than %d characters", kms.ErrInvalid, x.prefix)
		}
		return nil, fmt.Errorf("%w: nothing to find: the value is empty", kms.ErrInvalid)
	}
	want, err := normalize(x.norms[0], value)
	if err != nil {
		return nil, err
	}
	q.keep = func(r *R) bool {
		words, ok := c.cell(unsafe.Pointer(r)).words()
		if !ok {
			return false
		}
		have, err := normalize(x.norms[0], words)
		if err != nil {
			return false
		}
		if x.prefix > 0 {
			return strings.HasPrefix(have, want)
		}
		return have == want
	}
	return q, nil
}

// indexOf returns the index that a name means, and its column.
func (t *Table[R]) indexOf(name string) (*column, *blind, error) {
	for _, c := range t.columns {
		for _, x := range c.indexes {
			if x.name == name {
				return c, x, nil
			}
		}
	}
	for _, c := range t.columns {
		switch {
		case c.name != name:
		case len(c.indexes) == 1:
			return c, c.indexes[0], nil
		case len(c.indexes) > 1:
			return nil, nil, fmt.Errorf("%w: the column has several indexes: name one of them", kms.ErrInvalid)
		}
	}
	return nil, nil, fmt.Errorf("%w: there is no such index", kms.ErrInvalid)
}

// Terms returns the tokens: for "email_eq = ANY($1)" in PostgreSQL, or one placeholder each in "email_eq IN (?, ?)". There is at least one, and a second while an older normalizer is searched too.
func (q *Query[R]) Terms() [][]byte {
	out := make([][]byte, len(q.terms))
	for i, term := range q.terms {
		out[i] = bytes.Clone(term)
	}
	return out
}

// Keep tells whether a row that the database found, and [Table.Open] has opened, has the value. Short tokens are shared by different values: without Keep a search finds strangers. It is false for a row
// that could not be opened.
func (q *Query[R]) Keep(r *R) bool { return r != nil && q.keep(r) }

// String returns nothing of the value.
func (q *Query[R]) String() string { return "field.Query" }
