package awskmstest

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// constraints bind a grant to encryption contexts.
type constraints struct {
	EncryptionContextEquals map[string]string
	EncryptionContextSubset map[string]string
}

// UnmarshalJSON refuses constraints that the stand-in does not know, so that none is silently ignored.
func (c *constraints) UnmarshalJSON(b []byte) error {
	type plain constraints
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*plain)(c))
}

// allow compares names without regard to case, and values with.
func (c *constraints) allow(context map[string]string) bool {
	if c == nil {
		return true
	}
	equals := c.EncryptionContextEquals
	return holds(context, c.EncryptionContextSubset) &&
		(equals == nil || len(equals) == len(context) && holds(context, equals) && holds(equals, context))
}

// holds tells whether pairs has each of some.
func holds(pairs, some map[string]string) bool {
	for name, value := range some {
		found := false
		for n, v := range pairs {
			found = found || strings.EqualFold(n, name) && v == value
		}
		if !found {
			return false
		}
	}
	return true
}

// check applies the limits of CreateGrant.
func (c *constraints) check() error {
	if c == nil {
		return nil
	}
	for _, context := range []map[string]string{c.EncryptionContextEquals, c.EncryptionContextSubset} {
		if len(context) > 8 {
			return fail("ValidationException", "a constraint takes 8 encryption context pairs at most")
		}
		for _, value := range context {
			if utf8.RuneCountInString(value) > 384 {
				return fail("ValidationException", "an encryption context value of a constraint takes 384 characters at most")
			}
		}
	}
	return nil
}
