package tlsconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// jsonFields are the fields of an object that nobody took yet.
type jsonFields map[string]json.RawMessage

// strictObject returns the fields of the one object that data is. encoding/json alone takes repeated fields, fields in another case, and null for anything.
func strictObject(data []byte) (jsonFields, error) {
	if len(data) > maxPolicyBytes {
		return nil, fmt.Errorf("%d bytes: want at most %d", len(data), maxPolicyBytes)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	} else if t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	fields := jsonFields{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		key := name.(string) // what else comes before a value is an error of Token
		if _, twice := fields[key]; twice {
			return nil, fmt.Errorf("field %.64q is there twice", key)
		}
		if string(value) == "null" {
			return nil, fmt.Errorf("field %.64q is null: remove it or give it a value", key)
		}
		fields[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something comes after the object")
	}
	return fields, nil
}

// take moves a field to where, and says whether it was there.
func (f jsonFields) take(name string, where any) (bool, error) {
	value, ok := f[name]
	if !ok {
		return false, nil
	}
	delete(f, name)
	if err := json.Unmarshal(value, where); err != nil {
		return true, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

// rest returns an error that names a field which nobody took, or nil.
func (f jsonFields) rest() error {
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("unknown field %.64q", slices.Min(slices.Collect(maps.Keys(f))))
}
