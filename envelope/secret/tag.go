package secret

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/holdfast-go/holdfast/kms"
)

const tagKey = "secret"

// tag is what a field's tag says.
type tag struct {
	name     string // a place, or the first steps of those within a struct; "" where there is no tag
	optional bool
	skip     bool
}

// parseTag reads the tag of a field: `secret:"db"`, `secret:"db,optional"`, `secret:"-"`, or none.
func parseTag(f reflect.StructTag) (tag, error) {
	text, ok := f.Lookup(tagKey)
	if !ok {
		return tag{}, nil
	}
	if text == "-" {
		return tag{skip: true}, nil
	}
	name, option, more := strings.Cut(text, ",")
	if more && option != "optional" {
		return tag{}, fmt.Errorf("%w: the tag has the option %.64q: the only one is optional", kms.ErrInvalid, option)
	}
	if name == "-" {
		return tag{}, fmt.Errorf("%w: the tag - takes no option", kms.ErrInvalid)
	}
	if err := checkPlace(name); err != nil {
		return tag{}, err
	}
	return tag{name: name, optional: more}, nil
}
