package field

import (
	"bytes"
	"crypto/subtle"
	"database/sql/driver"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Field is a column whose values are sealed in the database: a T, NULL, or unset, which is its zero value and neither. [Table.Seal] seals it and [Table.Open] opens it; to a driver it shows ciphertext alone, and to printers,
// loggers, encoders and dumpers none of its plaintext, which a closure holds. So reflect.DeepEqual of two Fields with values is false: use Equal, as go-cmp does by itself. A Field is a value
// like any other: copies are independent, and one that is shared between goroutines must not be scanned, sealed or opened meanwhile.
type Field[T any] struct {
	_       [0]func()
	state   state
	value   func() T   // plaintext: nil where there is none
	record  []byte     // what the database has or gets: nil where that is not sealed
	foreign func() any // what was scanned and is no record
}

// state is what a Field or Index holds.
type state uint8

const (
	unset   state = iota
	null          // NULL
	open          // a value that is not sealed
	sealed        // a record, not opened
	both          // a record and its value
	foreign       // scanned, and no record
)

func (s state) String() string {
	return [...]string{"[unset]", "[null]", "[unsealed]", "[sealed]", "[sealed]", "[foreign]"}[s]
}

// ErrUnsealed says that a value was to be written, or encoded, that [Table.Seal] has not sealed, or that is unset.
var ErrUnsealed = errors.New("not sealed: call Table.Seal before it is written")

// Of returns a Field with the value v. v must not be changed any more where it is a slice.
func Of[T any](v T) Field[T] { return Field[T]{state: open, value: func() T { return v }} }

// Null returns a Field that is NULL. A column with an Index goes through [Table.Seal] then too, or the Index keeps the token of what was there.
func Null[T any]() Field[T] { return Field[T]{state: null} }

// Get returns the value, and whether there is one: not where the Field is unset, NULL or not opened.
func (f Field[T]) Get() (T, bool) {
	if f.value == nil {
		var zero T
		return zero, false
	}
	return f.value(), true
}

// IsNull tells whether the Field is NULL.
func (f Field[T]) IsNull() bool { return f.state == null }

// Equal tells whether both have equal values, or are both NULL, or both unset, or, where one of them is not opened, have the same record.
func (f Field[T]) Equal(o Field[T]) bool {
	switch {
	case f.value != nil && o.value != nil:
		return equal(f.value(), o.value())
	case f.record != nil && o.record != nil:
		return bytes.Equal(f.record, o.record)
	}
	return f.state == o.state && (f.state == unset || f.state == null)
}

func equal[T any](a, b T) bool {
	if e, ok := any(a).(interface{ Equal(T) bool }); ok {
		return e.Equal(b)
	}
	x, err := appendValue(nil, &a)
	y, err2 := appendValue(nil, &b)
	return err == nil && err2 == nil && subtle.ConstantTimeCompare(x, y) == 1
}

// Value implements [driver.Valuer]: the record as []byte, or nil for NULL. It fails with [ErrUnsealed] on all else, so that no plaintext reaches a driver. The record is that of the row for which it was sealed: one that was
// copied to another row, or whose row has another id since, is written and does not open there, so seal after the last change.
func (f Field[T]) Value() (driver.Value, error) {
	switch {
	case f.state == null:
		return nil, nil
	case f.record != nil:
		return f.record, nil
	}
	return nil, refuseWrite(f.state)
}

func refuseWrite(s state) error {
	if s == unset {
		return fmt.Errorf("field: unset, and not NULL: %w", ErrUnsealed)
	}
	return fmt.Errorf("field: %w", ErrUnsealed)
}

// Scan implements sql.Scanner: it takes ciphertext as bytes, and nil as NULL. It opens nothing. What is no record is no value either; [Table.Open] says so, for this
// column alone, so that one damaged row does not break a page of rows.
func (f *Field[T]) Scan(src any) error {
	*f = Field[T]{}
	switch src := src.(type) {
	case nil:
		f.state = null
	case []byte:
		return f.ScanBytes(given(src))
	case string:
		if b := fromText(src); len(b) > 0 && b[0] == recordByte {
			return f.ScanBytes(b)
		}
		f.state, f.foreign = foreign, func() any { return src }
	default:
		f.state, f.foreign = foreign, func() any { return src }
	}
	return nil
}

// ScanBytes is Scan of bytes, by which pgx hands them over in text mode too.
func (f *Field[T]) ScanBytes(src []byte) error {
	*f = Field[T]{}
	if src == nil {
		f.state = null
		return nil
	}
	own := bytes.Clone(src)
	if len(own) > 0 && own[0] == recordByte {
		f.state, f.record = sealed, own
	} else {
		f.state, f.foreign = foreign, func() any { return own }
	}
	return nil
}

// given returns what a driver handed over as bytes: some give a slice that is nil for an empty value, while NULL is nil without a type.
func given(src []byte) []byte {
	if src == nil {
		return []byte{}
	}
	return src
}

const recordByte = 0xf5 // FORMAT.md section 2

// fromText returns the bytes that PostgreSQL's text form of a bytea stands for, or those of s where it is none.
func fromText(s string) []byte {
	if digits, ok := strings.CutPrefix(s, `\x`); ok {
		if b, err := hex.DecodeString(digits); err == nil {
			return b
		}
	}
	return []byte(s)
}

// MarshalJSON returns the record in base64, or null for NULL: what a cache may hold. It fails with [ErrUnsealed] where Value does.
func (f Field[T]) MarshalJSON() ([]byte, error) {
	if f.state != null && f.record == nil {
		return nil, refuseWrite(f.state)
	}
	return json.Marshal(f.record)
}

// UnmarshalJSON reads what MarshalJSON has written, and no plaintext.
func (f *Field[T]) UnmarshalJSON(b []byte) error {
	var record []byte
	if err := json.Unmarshal(b, &record); err != nil || record != nil && (len(record) == 0 || record[0] != recordByte) {
		return errors.New("field: JSON of a Field must be a record in base64, or null")
	}
	return f.ScanBytes(record)
}

// MarshalText returns the record in base64, or nothing for NULL, for encoders such as those of XML and YAML. It fails with [ErrUnsealed] where Value does.
func (f Field[T]) MarshalText() ([]byte, error) {
	if f.state != null && f.record == nil {
		return nil, refuseWrite(f.state)
	}
	return base64.StdEncoding.AppendEncode(nil, f.record), nil
}

// UnmarshalText reads what MarshalText has written, and no plaintext.
func (f *Field[T]) UnmarshalText(b []byte) error {
	record, err := base64.StdEncoding.AppendDecode(nil, b)
	if err != nil || len(record) > 0 && record[0] != recordByte {
		return errors.New("field: text of a Field must be a record in base64, or nothing")
	}
	return f.ScanBytes(record)
}

// Format prints what String returns for every verb.
func (f Field[T]) Format(s fmt.State, _ rune) { io.WriteString(s, f.String()) }

// String returns whether the Field is sealed, unsealed, NULL or unset, in brackets.
func (f Field[T]) String() string { return f.state.String() }

// LogValue returns what String does.
func (f Field[T]) LogValue() slog.Value { return slog.StringValue(f.String()) }

// GormDataType has GORM make columns of bytes of Fields.
func (f Field[T]) GormDataType() string { return "bytes" }
