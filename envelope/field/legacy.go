package field

import (
	"bytes"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/envelope"
)

// adopt has plaintext from before be the value, not sealed. What it can't read for certain stays as it was scanned.
func (f *Field[T]) adopt() error {
	src := f.foreign()
	if inTextForm(src) {
		return fmt.Errorf(`%w: text in PostgreSQL's form of bytes, \x and hexadecimal digits: make the column one of bytes`, envelope.ErrFormat)
	}
	v, ok := legacyValue[T](src)
	if !ok {
		return fmt.Errorf("%w: what the column holds is no plaintext of type %v", envelope.ErrFormat, reflect.TypeFor[T]())
	}
	f.state, f.value, f.foreign = open, func() T { return v }, nil
	return nil
}

// inTextForm tells whether what was scanned could be bytes in PostgreSQL's text form. Bytes that a record in that form was stored as are not sealed again, and of text nobody knows whether
// the column has it so, or the driver has made it of other bytes.
func inTextForm(src any) bool {
	text, isText := src.(string)
	if b, ok := src.([]byte); ok {
		text = string(b)
	}
	digits, ok := strings.CutPrefix(text, `\x`)
	if !ok {
		return false
	}
	b, err := hex.DecodeString(digits)
	return err == nil && (isText || len(b) > 0 && b[0] == recordByte)
}

// legacyValue reads what a driver hands over for a column with plaintext: in the ways in which a program without this package would have read a T, the most particular first. The value is
// what opens again once it is sealed; where none would, there is none.
func legacyValue[T any](src any) (value T, ok bool) {
	switch v := any(&value).(type) {
	case *string:
		*v, ok = legacyText(src)
		return value, ok
	case *[]byte:
		*v, ok = legacyBytes(src)
		return value, ok
	}
	for _, read := range []func(v, src any) bool{readTime, scanned, unmarshalText, unmarshalJSON, unmarshalBinary, readKind, unmarshalInt} {
		var v, zero T
		if !read(&v, src) {
			continue
		}
		once, err := appendValue(nil, &v)
		if err != nil {
			continue
		}
		opened, err := parseValue[T](bytes.Clone(once))
		if err != nil {
			continue
		}
		if twice, err := appendValue(nil, &opened); err == nil && bytes.Equal(once, twice) {
			return opened, true
		}
		value = zero
	}
	return value, false
}

func legacyBytes(src any) ([]byte, bool) {
	switch src := src.(type) {
	case []byte:
		return src, true
	case string:
		return []byte(src), true
	}
	return nil, false
}

// legacyText returns text, and refuses bytes that are none: they are damaged, or no plaintext.
func legacyText(src any) (string, bool) {
	b, ok := legacyBytes(src)
	if !ok || !utf8.Valid(b) {
		return "", false
	}
	return string(b), true
}

// scanned has a type read itself that knows how to from a driver.
func scanned(v, src any) bool {
	s, ok := v.(interface{ Scan(src any) error })
	if b, isBytes := src.([]byte); isBytes {
		src = bytes.Clone(b) // which it may keep or change
	}
	return ok && s.Scan(src) == nil
}

func unmarshalText(v, src any) bool {
	u, ok := v.(encoding.TextUnmarshaler)
	text, isText := legacyText(src)
	return ok && isText && u.UnmarshalText([]byte(text)) == nil
}

func unmarshalJSON(v, src any) bool {
	u, ok := v.(json.Unmarshaler)
	b, isBytes := legacyBytes(src)
	return ok && isBytes && json.Valid(b) && u.UnmarshalJSON(bytes.Clone(b)) == nil
}

func unmarshalBinary(v, src any) bool {
	u, ok := v.(encoding.BinaryUnmarshaler)
	b, isBytes := src.([]byte)
	return ok && isBytes && u.UnmarshalBinary(bytes.Clone(b)) == nil
}

// unmarshalInt is for types such as big.Int in columns of integers.
func unmarshalInt(v, src any) bool {
	n, ok := src.(int64)
	return ok && unmarshalText(v, strconv.FormatInt(n, 10))
}

// readKind reads by the underlying type, as database/sql does.
func readKind(v, src any) bool {
	r := reflect.ValueOf(v).Elem()
	text, isText := legacyText(src)
	switch {
	case r.Kind() == reflect.String && isText:
		r.SetString(text)
		return true
	case r.Kind() == reflect.Slice && r.Type().Elem().Kind() == reflect.Uint8:
		b, ok := legacyBytes(src)
		if ok {
			r.SetBytes(bytes.Clone(b))
		}
		return ok
	case r.Kind() == reflect.Bool:
		b, ok := legacyBool(src)
		r.SetBool(b)
		return ok
	case r.CanInt():
		n, ok := src.(int64)
		if isText {
			var err error
			n, err = strconv.ParseInt(text, 10, 64)
			ok = err == nil
		}
		if ok = ok && !r.OverflowInt(n); ok {
			r.SetInt(n)
		}
		return ok
	case r.CanUint():
		n, ok := src.(int64)
		u := uint64(n)
		ok = ok && n >= 0
		if isText {
			var err error
			u, err = strconv.ParseUint(text, 10, 64)
			ok = err == nil
		}
		if ok = ok && !r.OverflowUint(u); ok {
			r.SetUint(u)
		}
		return ok
	case r.CanFloat():
		f, ok := legacyFloat(src, r.Type().Bits())
		r.SetFloat(f)
		return ok
	}
	return false
}

// legacyBool knows true and t in words, and the 0 and 1 of databases without booleans.
func legacyBool(src any) (value, ok bool) {
	switch src := src.(type) {
	case bool:
		return src, true
	case int64:
		return src == 1, src == 0 || src == 1
	}
	text, ok := legacyText(src)
	value, err := strconv.ParseBool(text)
	return value, ok && err == nil
}

// legacyFloat reads a number, or text, which is rounded to the bits that the type has. A number that they don't hold is refused.
func legacyFloat(src any, bits int) (f float64, ok bool) {
	switch src := src.(type) {
	case float64:
		f, ok = src, true
	case int64: // SQLite stores 3.0 so in a column of numbers
		const exact = 1 << 53
		f, ok = float64(src), src >= -exact && src <= exact
	default:
		text, isText := legacyText(src)
		var err error
		f, err = strconv.ParseFloat(text, bits)
		ok = isText && err == nil
	}
	return f, ok && (bits == 64 || math.IsNaN(f) || float64(float32(f)) == f)
}

// readTime reads a time of the driver's, or in the forms of RFC 3339, PostgreSQL, SQLite, and the Go drivers for it. Without a zone it is UTC.
func readTime(v, src any) bool {
	t, ok := v.(*time.Time)
	if !ok {
		return false
	}
	if *t, ok = src.(time.Time); ok {
		return true
	}
	text, ok := legacyText(src)
	if !ok {
		return false
	}
	text, _, _ = strings.Cut(text, " m=") // the monotonic clock, which time.Time prints
	const date = "2006-01-02"
	if len(text) > len(date) && text[len(date)] == 'T' {
		text = text[:len(date)] + " " + text[len(date)+1:]
	}
	for _, layout := range []string{
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00:00",
		"2006-01-02 15:04:05 -0700 MST", "2006-01-02 15:04:05", "2006-01-02 15:04", date,
	} {
		var err error
		if *t, err = time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}
