package field

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// Open opens what a row's columns have scanned, each on its own. The error joins a [ColumnError] for every column that it could not open: it has no value then, and a record is written back as it
// was. Errors are those of envelope.Tenant.Open, and envelope.ErrFormat where the database has what is no record, or a value of another type. Columns that were not scanned, are NULL or have a value already are left alone.
func (t *Table[R]) Open(ctx context.Context, tn envelope.Tenant, r *R) error {
	if r == nil {
		return fmt.Errorf("field: table %.64q: %w: the row is nil", t.name, kms.ErrInvalid)
	}
	k := keys[R]{table: t, tenant: tn, row: r}
	var failed []error
	for _, c := range t.columns {
		if err := t.openColumn(ctx, &k, c); err != nil {
			failed = append(failed, t.fail(c.name, err))
		}
	}
	return errors.Join(failed...)
}

// openColumn opens a column where it has something to open.
func (t *Table[R]) openColumn(ctx context.Context, k *keys[R], c *column) error {
	f := c.cell(unsafe.Pointer(k.row))
	switch f.phase() {
	case sealed:
	case foreign:
		if !c.legacy {
			return errForeign
		}
		if err := f.adopt(); err != nil {
			return err
		}
		t.met[c.name].Add(1)
		return nil
	default:
		return nil
	}
	place, err := k.place(c)
	if err != nil {
		return err
	}
	record := f.sealedRecord()
	buf := make([]byte, 0, max(len(record)-envelope.RecordOverhead, 0))
	if k.bySubject(c) {
		buf, err = k.subject.AppendOpen(ctx, buf, record, place)
	} else {
		buf, err = k.tenant.AppendOpen(ctx, buf, record, place)
	}
	if err != nil {
		return err
	}
	return f.opened(buf)
}

var errForeign = fmt.Errorf("%w: the column holds what is no record: for plaintext from before see Migrating", envelope.ErrFormat)

func (f *Field[T]) supported() error { return supported[T]() }

func (f *Field[T]) phase() state { return f.state }

func (f *Field[T]) sealedRecord() []byte { return f.record }

func (f *Field[T]) at(p unsafe.Pointer) cell { return (*Field[T])(p) }

// plaintext returns type and value, with room for what sealing adds, and some more.
func (f *Field[T]) plaintext(room int) ([]byte, error) {
	room += 1 + envelope.RecordOverhead
	switch value := any(f.value).(type) { // as it is no allocation
	case func() string:
		s := value()
		return append(append(make([]byte, 0, len(s)+room), typeString), s...), nil
	case func() []byte:
		b := value()
		return append(append(make([]byte, 0, len(b)+room), typeBytes), b...), nil
	}
	v := f.value()
	return appendValue(make([]byte, 0, 32+room), &v)
}

// sealedAs takes over the record of the value.
func (f *Field[T]) sealedAs(record []byte) {
	f.state, f.record, f.foreign = both, record, nil
}

// opened takes over what the record held.
func (f *Field[T]) opened(plaintext []byte) error {
	if f, ok := any(f).(*Field[string]); ok { // what most are, with one allocation less
		kind, b, err := splitType(plaintext)
		if err == nil && kind != typeString {
			err = mistyped[string](kind, len(b))
		}
		if err != nil {
			clear(plaintext)
			return err
		}
		s := unsafe.String(unsafe.SliceData(b), len(b)) // nobody else has b
		f.state, f.value = both, func() string { return s }
		return nil
	}
	v, err := parseValue[T](plaintext)
	if _, keeps := any(f).(*Field[[]byte]); err != nil || !keeps {
		clear(plaintext)
	}
	if err != nil {
		return err
	}
	f.state, f.value = both, func() T { return v }
	return nil
}

// words returns the value as an index takes it.
func (f *Field[T]) words() (string, bool) {
	if f.value == nil {
		return "", false
	}
	v := f.value()
	switch v := any(&v).(type) {
	case *string:
		return *v, true
	case *[]byte:
		return string(*v), true
	case encoding.TextMarshaler:
		b, err := v.MarshalText()
		return string(b), err == nil
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return strconv.FormatInt(r.Int(), 10), true
	case r.CanUint():
		return strconv.FormatUint(r.Uint(), 10), true
	case r.Kind() == reflect.String:
		return r.String(), true
	}
	return "", false
}

// indexable tells whether words knows the type.
func (f *Field[T]) indexable() bool {
	if _, ok := any(new(T)).(encoding.TextMarshaler); ok {
		return true
	}
	zero := Of(*new(T))
	_, ok := zero.words()
	return ok
}
