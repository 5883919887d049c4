package secret

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/holdfast-go/holdfast/kms"
)

// walk finds the Texts of a configuration, and what is wrong with it.
type walk struct {
	targets []target
	errs    []error
	paths   map[string]string // of the fields that have places, by place
	seen    map[seen]bool
}

// target is a Text to open.
type target struct {
	field  *Text
	path   string // of the field, such as "Primary.DSN"
	place  string
	sealed string // "" where an optional one is empty
}

// section walks the fields of v, an addressable struct, whose places start with place.
func (w *walk) section(v reflect.Value, path, place string) {
	at := seen{v.Addr().Pointer(), v.Type(), 0}
	if w.seen[at] { // a cycle, or one Text that would need two places
		w.refuse(path, "pointers lead to it in two ways: tag one of them `secret:\"-\"`")
		return
	}
	w.seen[at] = true
	for i := range v.NumField() {
		f := v.Type().Field(i)
		w.field(v.Field(i), f, strings.TrimPrefix(path+"."+f.Name, "."), place)
	}
}

func (w *walk) field(v reflect.Value, f reflect.StructField, path, place string) {
	tag, err := parseTag(f.Tag)
	if err != nil {
		w.fail(path, err)
		return
	}
	if tag.skip {
		return
	}
	of := v // a section itself, invalid where the pointer to it is nil
	if f.Type.Kind() == reflect.Pointer {
		of = v.Elem()
	}
	switch section := isSection(f.Type); {
	case f.Type == textType:
		w.text(v, tag, path, join(place, tag.name))
	case !section && tag.name != "":
		w.refuse(path, "the tag is for a field of type secret.Text, or a struct with such fields, not for %s", f.Type)
	case tag.optional:
		w.refuse(path, "optional is for a field of type secret.Text: a struct that may be missing is a nil pointer")
	case section && of.IsValid():
		w.section(of, path, join(place, tag.name))
	case !section && hides(v, map[seen]bool{}):
		w.refuse(path, "it holds a secret.Text where none can be resolved: use fields and structs, and neither slices, arrays, maps nor interfaces, or tag it `secret:\"-\"`")
	}
}

func (w *walk) text(v reflect.Value, tag tag, path, place string) {
	switch other := w.paths[place]; {
	case tag.name == "":
		w.refuse(path, "a secret.Text needs a tag with its place, such as `secret:\"db\"`, or `secret:\"-\"` to be left as it is")
		return
	case !v.CanSet():
		w.refuse(path, "it is not exported: export it and what it is in, or tag it `secret:\"-\"`")
		return
	case other != "":
		w.refuse(path, "%s has the place %q already", other, place)
		return
	}
	w.paths[place] = path
	field := v.Addr().Interface().(*Text)
	w.targets = append(w.targets, target{field, path, place, strings.TrimSpace(field.Reveal())})
	if w.targets[len(w.targets)-1].sealed == "" && !tag.optional {
		w.fail(path, fmt.Errorf("place %q: %w: it is empty; where it may be so, tag it `secret:\"%s,optional\"`", place, ErrNotSealed, tag.name))
	}
}

func (w *walk) refuse(path, format string, args ...any) {
	w.fail(path, fmt.Errorf("%w: %s", kms.ErrInvalid, fmt.Sprintf(format, args...)))
}

func (w *walk) fail(path string, err error) { w.errs = append(w.errs, fmt.Errorf("%s: %w", path, err)) }

// seen is a place in memory that was looked at.
type seen struct {
	at  uintptr
	t   reflect.Type
	len int // of a slice
}
