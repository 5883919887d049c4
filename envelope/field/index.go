package field

import (
	"bytes"
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Index is a column with the tokens of a blind index, which [Table.Seal] fills together with the column that it is of, and [Table.Find] searches. A value that is NULL or empty has
// none: then it is NULL. Its zero value is unset, and no driver takes it.
type Index struct {
	_     [0]func()
	state state
	token []byte
}

// IsNull tells whether the Index is NULL.
func (x Index) IsNull() bool { return x.state == null }

// Equal tells whether both have the same token, or are both NULL, or both unset.
func (x Index) Equal(o Index) bool { return x.state == o.state && bytes.Equal(x.token, o.token) }

// Value implements [driver.Valuer]: the token as []byte, or nil for NULL. It fails with [ErrUnsealed] where the Index is unset.
func (x Index) Value() (driver.Value, error) {
	switch x.state {
	case null:
		return nil, nil
	case sealed:
		return x.token, nil
	}
	return nil, refuseWrite(x.state)
}

// Scan implements sql.Scanner: it takes a token as bytes, and nil as NULL. What is neither is kept out: that breaks no page, and is not written back.
func (x *Index) Scan(src any) error {
	switch src := src.(type) {
	case nil:
		return x.ScanBytes(nil)
	case []byte:
		return x.ScanBytes(given(src))
	case string:
		return x.ScanBytes(fromText(src))
	}
	*x = Index{state: foreign}
	return nil
}

// ScanBytes is Scan of bytes, by which pgx hands them over in text mode too.
func (x *Index) ScanBytes(src []byte) error {
	*x = Index{state: null}
	if src != nil {
		*x = Index{state: sealed, token: bytes.Clone(src)}
	}
	return nil
}

// MarshalJSON returns the token in base64, or null for NULL. It fails with [ErrUnsealed] where Value does.
func (x Index) MarshalJSON() ([]byte, error) {
	if x.state != null && x.state != sealed {
		return nil, refuseWrite(x.state)
	}
	return json.Marshal(x.token)
}

// UnmarshalJSON reads what MarshalJSON has written.
func (x *Index) UnmarshalJSON(b []byte) error {
	var token []byte
	if err := json.Unmarshal(b, &token); err != nil {
		return errors.New("field: JSON of an Index must be a token in base64, or null")
	}
	return x.ScanBytes(token)
}

// MarshalText returns the token in base64, or nothing for NULL. It fails with [ErrUnsealed] where Value does.
func (x Index) MarshalText() ([]byte, error) {
	if x.state != null && x.state != sealed {
		return nil, refuseWrite(x.state)
	}
	return base64.StdEncoding.AppendEncode(nil, x.token), nil
}

// UnmarshalText reads what MarshalText has written.
func (x *Index) UnmarshalText(b []byte) error {
	token, err := base64.StdEncoding.AppendDecode(nil, b)
	if err != nil {
		return errors.New("field: text of an Index must be a token in base64, or nothing")
	}
	return x.ScanBytes(token)
}

// Format prints what String returns for every verb.
func (x Index) Format(s fmt.State, _ rune) { io.WriteString(s, x.String()) }

// String returns "[index]", or that it is NULL or unset, in brackets.
func (x Index) String() string {
	if x.state == sealed {
		return "[index]"
	}
	return x.state.String()
}

// LogValue returns what String does.
func (x Index) LogValue() slog.Value { return slog.StringValue(x.String()) }

// GormDataType has GORM make columns of bytes of Indexes.
func (x Index) GormDataType() string { return "bytes" }
