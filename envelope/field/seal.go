package field

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"
	"unsafe"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// Seal seals the columns of a row that have a value, and fills their indexes, before the row is inserted or updated: those named, or all where none is named. A value that was sealed before is sealed
// again; what is NULL, or was scanned and not opened, stays as it is. Naming a column that is unset, or was scanned and not opened, is an error. When Seal fails nothing of the row has changed. Errors are [ColumnError]s of those of
// envelope.Tenant.Seal.
func (t *Table[R]) Seal(ctx context.Context, tn envelope.Tenant, r *R, columns ...string) error {
	for _, name := range columns {
		if !slices.ContainsFunc(t.columns, func(c *column) bool { return c.name == name }) {
			return fmt.Errorf("field: table %.64q: %w: there is no sealed column %.64q", t.name, kms.ErrInvalid, name)
		}
	}
	if r == nil {
		return fmt.Errorf("field: table %.64q: %w: the row is nil", t.name, kms.ErrInvalid)
	}
	k := keys[R]{table: t, tenant: tn, row: r}
	var few [8]written
	work := few[:0]
	for _, c := range t.columns {
		if len(columns) > 0 && !slices.Contains(columns, c.name) {
			continue
		}
		w, err := t.sealColumn(ctx, &k, c, len(columns) > 0)
		if err != nil {
			return t.fail(c.name, err)
		}
		work = append(work, w)
	}
	k.apply(work)
	return nil
}

// apply has columns and their indexes be what they become.
func (k *keys[R]) apply(work []written) {
	for i := range work {
		w := &work[i]
		if w.record != nil {
			w.cell.sealedAs(w.record)
		}
		for j, token := range w.tokens {
			*k.index(w.indexes[j]) = token
		}
	}
}

// written is what a column and its indexes become.
type written struct {
	cell    cell
	record  []byte // nil where it stays as it is
	indexes []*blind
	tokens  []Index
}

// keys is where the columns of a row find what they are sealed with.
type keys[R any] struct {
	table   *Table[R]
	tenant  envelope.Tenant
	subject envelope.Subject
	person  bool // subject is set
	row     *R
	id      string
}

// cell returns the Field of a row that is a column's.
func (c *column) cell(row unsafe.Pointer) cell { return c.like.at(unsafe.Add(row, c.offset)) }

func (k *keys[R]) index(x *blind) *Index {
	return (*Index)(unsafe.Add(unsafe.Pointer(k.row), x.offset))
}

// place returns the binding of a column, and has the subject be known where its key is needed.
func (k *keys[R]) place(c *column) (b envelope.Binding, err error) {
	if k.bySubject(c) && !k.person {
		id := k.table.subject(k.row)
		if id == "" {
			return b, errNoSubject
		}
		k.subject, k.person = k.tenant.Subject(id), true
	}
	if c.bySubject {
		return envelope.Bind(c.table, c.binding), nil
	}
	if k.id == "" {
		if k.id, err = k.table.rowID(k.row); err != nil {
			return b, err
		}
	}
	return envelope.Bind(c.table, c.binding, k.id), nil
}

// bySubject tells whether the subject's key seals a column.
func (k *keys[R]) bySubject(c *column) bool { return k.table.subject != nil && !c.ofTenant }

// sealColumn seals a column and computes its indexes.
func (t *Table[R]) sealColumn(ctx context.Context, k *keys[R], c *column, named bool) (written, error) {
	w := written{cell: c.cell(unsafe.Pointer(k.row))}
	switch w.cell.phase() {
	case unset:
		if named {
			return w, fmt.Errorf("%w: it is unset: give it a value, or Null", kms.ErrInvalid)
		}
		return w, nil
	case null:
		w.clearIndexes(c)
		return w, nil
	case open, both:
	default:
		if named {
			return w, fmt.Errorf("%w: it was scanned and has no value: open it before, or give it a value", kms.ErrInvalid)
		}
		return w, nil // as it was scanned
	}
	place, err := k.place(c)
	if err != nil {
		return w, err
	}
	buf, err := w.cell.plaintext(c.pad + 1)
	if err != nil {
		return w, err
	}
	if c.pad > 0 {
		buf = pad(buf, c.pad)
	}
	if k.bySubject(c) {
		w.record, err = k.subject.AppendSeal(ctx, buf[:0], buf, place)
	} else {
		w.record, err = k.tenant.AppendSeal(ctx, buf[:0], buf, place)
	}
	if err != nil || &w.record[0] != &buf[0] { // it was sealed in place where there was room
		clear(buf)
	}
	if err != nil {
		return w, err
	}
	return w, t.fillIndexes(ctx, k, &w, c)
}

// clearIndexes has the indexes of a column be NULL.
func (w *written) clearIndexes(c *column) {
	w.indexes, w.tokens = c.indexes, make([]Index, len(c.indexes))
	for i := range w.tokens {
		w.tokens[i].state = null
	}
}

// fillIndexes computes the tokens of a column's value.
func (t *Table[R]) fillIndexes(ctx context.Context, k *keys[R], w *written, c *column) error {
	if len(c.indexes) == 0 {
		return nil
	}
	w.clearIndexes(c)
	value, ok := w.cell.words()
	if !ok {
		return errNoWords
	}
	for i, x := range c.indexes {
		token, err := x.token(ctx, k.tenant, x.norms[0], value)
		if err != nil {
			return t.fail(x.name, err)
		}
		if token != nil {
			w.tokens[i] = Index{state: sealed, token: token}
		}
	}
	return nil
}

var errNoWords = fmt.Errorf("%w: this value can't be indexed", kms.ErrInvalid)

// token returns the token of a value, or nil where it has none.
func (x *blind) token(ctx context.Context, tn envelope.Tenant, norm, value string) ([]byte, error) {
	value, err := normalize(norm, value)
	if err != nil || value == "" {
		return nil, err
	}
	if x.prefix > 0 {
		if value = firstCharacters(value, x.prefix); value == "" {
			return nil, nil
		}
	}
	in := make([]byte, 0, len(norm)+1+len(value))
	in = append(append(append(in, norm...), 0), value...)
	out, err := tn.AppendToken(ctx, nil, in, x.place)
	clear(in)
	if err != nil {
		return nil, err
	}
	return out[:x.size:x.size], nil
}

// firstCharacters returns the first n characters of s, or "" where it has fewer.
func firstCharacters(s string, n int) string {
	at := 0
	for range n {
		_, size := utf8.DecodeRuneInString(s[at:])
		if size == 0 {
			return ""
		}
		at += size
	}
	return s[:at]
}
