package secret

import "reflect"

var textType = reflect.TypeFor[Text]()

// isSection tells whether t is a struct that has a Text in it, or a pointer to one.
func isSection(t reflect.Type) bool {
	inner := t
	if t.Kind() == reflect.Pointer {
		inner = t.Elem()
	}
	return inner != textType && inner.Kind() == reflect.Struct && reach(t)[textType]
}

// reach returns the types that values of t can hold, as far as the types say: what is behind an interface is not among them.
func reach(t reflect.Type) map[reflect.Type]bool {
	found := map[reflect.Type]bool{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		if found[t] {
			return
		}
		found[t] = true
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
			add(t.Elem())
		case reflect.Map:
			add(t.Key())
			add(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				if f := t.Field(i); f.Tag.Get(tagKey) != "-" {
					add(f.Type)
				}
			}
		}
	}
	add(t)
	return found
}

// hides tells whether there is a Text in v, also behind interfaces. Of structs behind these it looks at exported fields alone: what else
// is in them is not a configuration's, and may change meanwhile.
func hides(v reflect.Value, done map[seen]bool) bool {
	types := reach(v.Type())
	if types[textType] {
		return true
	}
	if !anyInterface(types) {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Map:
		if visited(done, v, 0) {
			return false
		}
	case reflect.Slice:
		if visited(done, v, v.Len()) {
			return false
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && hides(v.Elem(), done)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if hides(v.Index(i), done) {
				return true
			}
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			if hides(i.Key(), done) || hides(i.Value(), done) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get(tagKey) != "-" && hides(v.Field(i), done) {
				return true
			}
		}
	}
	return false
}

func visited(done map[seen]bool, v reflect.Value, n int) bool {
	at := seen{v.Pointer(), v.Type(), n}
	was := done[at]
	done[at] = true
	return was
}

func anyInterface(types map[reflect.Type]bool) bool {
	for t := range types {
		if t.Kind() == reflect.Interface {
			return true
		}
	}
	return false
}
