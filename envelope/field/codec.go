package field

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"
	"unsafe"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// The first byte of a column's plaintext says what the value is: FORMAT.md section 10.
const (
	typeString byte = 1 + iota
	typeBytes
	typeBool
	typeInt
	typeUint
	typeFloat
	typeTime
	typeBinary
	typeText
	typeJSON

	padded byte = 0x80 // is added where padding follows
)

// appendValue appends the type and the bytes of a value.
func appendValue[T any](dst []byte, v *T) ([]byte, error) {
	switch v := any(v).(type) {
	case *string:
		return append(append(dst, typeString), *v...), nil
	case *[]byte:
		return append(append(dst, typeBytes), *v...), nil
	case *time.Time:
		return appendTime(append(dst, typeTime), *v), nil
	}
	switch m := any(v).(type) {
	case encoding.BinaryMarshaler:
		return marshaled(dst, typeBinary, m.MarshalBinary)
	case encoding.TextMarshaler:
		return marshaled(dst, typeText, m.MarshalText)
	case json.Marshaler:
		return marshaled(dst, typeJSON, m.MarshalJSON)
	}
	r := reflect.ValueOf(v).Elem()
	switch {
	case r.Kind() == reflect.String:
		return append(append(dst, typeString), r.String()...), nil
	case r.Kind() == reflect.Slice && r.Type().Elem().Kind() == reflect.Uint8:
		return append(append(dst, typeBytes), r.Bytes()...), nil
	case r.Kind() == reflect.Bool:
		b := byte(0)
		if r.Bool() {
			b = 1
		}
		return append(dst, typeBool, b), nil
	case r.CanInt():
		return binary.BigEndian.AppendUint64(append(dst, typeInt), uint64(r.Int())), nil
	case r.CanUint():
		return binary.BigEndian.AppendUint64(append(dst, typeUint), r.Uint()), nil
	case r.CanFloat():
		return binary.BigEndian.AppendUint64(append(dst, typeFloat), math.Float64bits(r.Float())), nil
	}
	return dst, unsupported[T]()
}

// marshaled appends what a value makes of itself. Its error may hold the value, and is not passed on.
func marshaled(dst []byte, kind byte, marshal func() ([]byte, error)) ([]byte, error) {
	b, err := marshal()
	if err != nil || kind == typeJSON && !json.Valid(b) { // which would not be read back
		return dst, fmt.Errorf("%w: the value does not marshal itself", kms.ErrInvalid)
	}
	return append(append(dst, kind), b...), nil
}

func unsupported[T any]() error {
	return fmt.Errorf("%w: a Field of %v: take a string, []byte, bool, number or time.Time, or a type that marshals and unmarshals itself (binary, text or JSON)", kms.ErrInvalid, reflect.TypeFor[T]())
}

// supported tells whether a T can be written and read back.
func supported[T any]() error {
	v := any(new(T))
	var reads bool
	switch v.(type) {
	case encoding.BinaryMarshaler:
		_, reads = v.(encoding.BinaryUnmarshaler)
	case encoding.TextMarshaler:
		_, reads = v.(encoding.TextUnmarshaler)
	case json.Marshaler:
		_, reads = v.(json.Unmarshaler)
	default:
		_, err := appendValue(nil, new(T))
		return err
	}
	if !reads {
		return unsupported[T]()
	}
	return nil
}

// parseValue reads the value that appendValue has written. A string or []byte keeps b.
func parseValue[T any](b []byte) (v T, err error) {
	kind, b, err := splitType(b)
	if err != nil {
		return v, err
	}
	ok := false
	switch p := any(&v).(type) {
	case *string:
		if ok = kind == typeString; ok {
			*p = unsafe.String(unsafe.SliceData(b), len(b)) // nobody else has b
		}
	case *[]byte:
		if ok = kind == typeBytes; ok {
			*p = b
		}
	case *time.Time:
		*p, ok = parseTime(kind, b)
	default:
		ok = unmarshal(p, kind, b) || parseKind(reflect.ValueOf(p).Elem(), kind, b)
	}
	if !ok {
		var zero T
		return zero, mistyped[T](kind, len(b))
	}
	return v, nil
}

// splitType returns the type of what was written, and its bytes without padding.
func splitType(b []byte) (kind byte, body []byte, err error) {
	if len(b) == 0 {
		return 0, nil, fmt.Errorf("%w: no type", envelope.ErrFormat)
	}
	kind, body = b[0]&^padded, b[1:]
	if kind != b[0] {
		body, err = unpad(body)
	}
	return kind, body, err
}

func mistyped[T any](kind byte, n int) error {
	return fmt.Errorf("%w: a value of type %02x and %d bytes is no %v", envelope.ErrFormat, kind, n, reflect.TypeFor[T]())
}

// unmarshal has a value read itself.
func unmarshal(p any, kind byte, b []byte) bool {
	switch kind {
	case typeBinary:
		if u, ok := p.(encoding.BinaryUnmarshaler); ok {
			return u.UnmarshalBinary(b) == nil
		}
	case typeText:
		if u, ok := p.(encoding.TextUnmarshaler); ok {
			return u.UnmarshalText(b) == nil
		}
	case typeJSON:
		if u, ok := p.(json.Unmarshaler); ok {
			return json.Valid(b) && u.UnmarshalJSON(b) == nil
		}
	}
	return false
}

// parseKind reads a value whose underlying type is known.
func parseKind(r reflect.Value, kind byte, b []byte) bool {
	number := func(want byte) (uint64, bool) {
		if kind != want || len(b) != 8 {
			return 0, false
		}
		return binary.BigEndian.Uint64(b), true
	}
	switch {
	case r.Kind() == reflect.String && kind == typeString:
		r.SetString(string(b))
		return true
	case r.Kind() == reflect.Slice && r.Type().Elem().Kind() == reflect.Uint8 && kind == typeBytes:
		r.SetBytes(bytes.Clone(b))
		return true
	case r.Kind() == reflect.Bool && kind == typeBool && len(b) == 1 && b[0] <= 1:
		r.SetBool(b[0] == 1)
		return true
	case r.CanInt():
		n, ok := number(typeInt)
		if ok = ok && !r.OverflowInt(int64(n)); ok {
			r.SetInt(int64(n))
		}
		return ok
	case r.CanUint():
		n, ok := number(typeUint)
		if ok = ok && !r.OverflowUint(n); ok {
			r.SetUint(n)
		}
		return ok
	case r.CanFloat():
		n, ok := number(typeFloat)
		f := math.Float64frombits(n)
		if exact := r.Kind() == reflect.Float64 || math.IsNaN(f) || float64(float32(f)) == f; ok && exact {
			r.SetFloat(f)
			return true
		}
	}
	return false
}

const timeSize = 8 + 4 + 4

// appendTime appends seconds since 1970, nanoseconds and the offset from UTC in seconds.
func appendTime(dst []byte, t time.Time) []byte {
	_, offset := t.Zone()
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Unix()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
	return binary.BigEndian.AppendUint32(dst, uint32(int32(offset)))
}

func parseTime(kind byte, b []byte) (t time.Time, ok bool) {
	if kind != typeTime || len(b) != timeSize {
		return t, false
	}
	nanoseconds := binary.BigEndian.Uint32(b[8:])
	if nanoseconds >= 1e9 {
		return t, false
	}
	t = time.Unix(int64(binary.BigEndian.Uint64(b)), int64(nanoseconds))
	if offset := int(int32(binary.BigEndian.Uint32(b[12:]))); offset != 0 {
		return t.In(time.FixedZone("", offset)), true
	}
	return t.UTC(), true
}
