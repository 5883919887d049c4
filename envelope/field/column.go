package field

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// cell is what a table does with a *Field[T].
type cell interface {
	at(p unsafe.Pointer) cell // the *Field[T] that p points to
	supported() error
	indexable() bool
	phase() state
	plaintext(room int) ([]byte, error)
	sealedAs(record []byte)
	sealedRecord() []byte
	opened(plaintext []byte) error
	words() (string, bool)
	adopt() error
}

// column is a Field of a row, as its tag describes it.
type column struct {
	name      string
	offset    uintptr // in the row
	like      cell    // a *Field[T], of which at is asked
	table     string
	binding   string // its name in the binding
	pad       int
	bySubject bool // bound to the subject, not to the row
	ofTenant  bool // under the tenant's key where there are subjects
	legacy    bool // may hold plaintext from before
	indexes   []*blind
}

// blind is an Index of a row, as its tag describes it.
type blind struct {
	name   string
	offset uintptr // in the row
	of     string
	as     string
	norms  []string // the first is current
	prefix int      // characters; 0 means the whole value
	size   int      // of its tokens, in bytes
	place  envelope.Binding
}

var (
	cellType  = reflect.TypeFor[cell]()
	indexType = reflect.TypeFor[Index]()
)

// tag is a parsed `seal:"..."`.
type tag struct {
	name    string
	options map[string]string
}

var (
	fieldOptions = map[string]bool{"as": true, "pad": true, "bind": true, "key": true}
	indexOptions = map[string]bool{"as": true, "of": true, "norm": true, "was": true, "prefix": true}
)

// parseTag reads a tag: a column's name, then options that are allowed here.
func parseTag(text string, allowed map[string]bool) (tag, error) {
	name, rest, more := strings.Cut(text, ",")
	if err := checkName("column", name); err != nil {
		return tag{}, err
	}
	t := tag{name: name, options: map[string]string{}}
	for more {
		var option string
		option, rest, more = strings.Cut(rest, ",")
		key, value, _ := strings.Cut(option, "=")
		switch {
		case !allowed[key]:
			return tag{}, fmt.Errorf("%w: unknown option %.64q", kms.ErrInvalid, option)
		case value == "":
			return tag{}, fmt.Errorf("%w: option %.64q has no value", kms.ErrInvalid, key)
		case t.options[key] != "":
			return tag{}, fmt.Errorf("%w: option %.64q stands twice", kms.ErrInvalid, key)
		}
		t.options[key] = value
	}
	return t, nil
}

const maxName = 255 // bytes

func checkName(what, name string) error {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '\ufffd' }) {
		return fmt.Errorf("%w: the name of a %s must be 1 to %d bytes of UTF-8 without white space", kms.ErrInvalid, what, maxName)
	}
	return nil
}

// number reads an option that is a number, or 0 where it is not there.
func (t tag) number(option string, least, most int) (int, error) {
	text, ok := t.options[option]
	if !ok {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%w: %s=%.64q must be %d to %d", kms.ErrInvalid, option, text, least, most)
	}
	return n, nil
}

// newColumn reads the tag of a Field.
func newColumn(table, text string, subjects bool) (*column, error) {
	t, err := parseTag(text, fieldOptions)
	if err != nil {
		return nil, err
	}
	c := &column{name: t.name, table: table, binding: t.name}
	if as := t.options["as"]; as != "" {
		if dot := strings.LastIndexByte(as, '.'); dot >= 0 { // a table's name may have one, as public.users
			c.table, as = as[:dot], as[dot+1:]
			if err := checkName("table", c.table); err != nil {
				return nil, err
			}
		}
		if err := checkName("column", as); err != nil {
			return nil, err
		}
		c.binding = as
	}
	if c.pad, err = t.number("pad", 2, maxPad); err != nil {
		return nil, err
	}
	for option, only := range map[string]string{"bind": "subject", "key": "tenant"} {
		if v := t.options[option]; v != "" && (v != only || !subjects) {
			return nil, fmt.Errorf("%w: %s=%.64q: it can be %s, where Spec.Subject is set", kms.ErrInvalid, option, v, only)
		}
	}
	c.bySubject, c.ofTenant = t.options["bind"] != "", t.options["key"] != ""
	if c.bySubject && c.ofTenant {
		return nil, fmt.Errorf("%w: bind=subject needs the subject's key, and key=tenant is another", kms.ErrInvalid)
	}
	return c, nil
}

// newBlind reads the tag of an Index.
func newBlind(text string) (*blind, error) {
	t, err := parseTag(text, indexOptions)
	if err != nil {
		return nil, err
	}
	x := &blind{name: t.name, of: t.options["of"], as: t.options["as"]}
	if x.of == "" {
		return nil, fmt.Errorf("%w: an Index needs of= with the column that it is of", kms.ErrInvalid)
	}
	if x.as == "" {
		x.as = x.name
	}
	x.norms = []string{t.options["norm"]}
	if x.norms[0] == "" {
		x.norms[0] = "exact/v1"
	}
	if was := t.options["was"]; was != "" {
		x.norms = append(x.norms, was)
	}
	for _, norm := range x.norms {
		if !knownNormalizer(norm) {
			return nil, fmt.Errorf("%w: unknown normalizer %.64q", kms.ErrInvalid, norm)
		}
	}
	if len(x.norms) == 2 && x.norms[0] == x.norms[1] {
		return nil, fmt.Errorf("%w: norm= and was= are the same", kms.ErrInvalid)
	}
	x.prefix, err = t.number("prefix", 1, 64)
	return x, err
}
