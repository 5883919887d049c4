package field

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// Spec is what a [Table] can't see in the struct of its rows.
type Spec[R any] struct {
	// Row returns the id of a row, which its values are bound to: 1 to 255 bytes, never changed, and known before the row is inserted, such as a UUIDv7. Required, unless every
	// column says bind=subject. A Backfill needs it all the same.
	Row func(*R) string
	// Subject returns the id of the person that a row is about, whose key then seals every column that does not say key=tenant. nil means that there are no such persons: the tenant's key seals.
	Subject func(*R) string
	// Indexes has the plan of every Index, from [PlanIndex], by its column. Keep the Stats of a plan as constants in the program: under a plan of another length nothing is found that was stored before, and no UNIQUE
	// constraint sees it, until [Table.Backfill] has been over the table.
	Indexes map[string]Plan
}

// Table seals and opens the rows of a table, which are of type R: a struct with Fields. It is safe for concurrent use. It makes no I/O but what the keys of the tenant need.
type Table[R any] struct {
	name    string
	row     func(*R) string
	subject func(*R) string
	columns []*column
	indexes []*blind
	met     map[string]*atomic.Int64 // legacy values that were met, by column; nil where none are expected
}

// NewTable returns the Table of a name, which values are bound to, and of rows of type R, a struct. Its Fields and Indexes have tags: the name of the column, then options.
//
//	Email   field.Field[string] `seal:"email"`
//	Phone   field.Field[string] `seal:"phone,pad=32"`                  // length rounded up to a multiple of 32 bytes
//	Token   field.Field[[]byte] `seal:"token,as=users.oauth_token"`    // goes on opening what another table and column name has sealed: as= is what it is bound to
//	Address field.Field[string] `seal:"address,bind=subject"`          // bound to the person and not to the row: for ids that the database assigns
//	Invoice field.Field[int64]  `seal:"invoice,key=tenant"`            // outlives the person
//	EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1"`
//	EmailAb field.Index         `seal:"email_ab,of=email,norm=email/v1,prefix=3"` // finds by the first 3 characters, and what they begin
//	NameEq  field.Index         `seal:"name_eq,of=name,norm=email/v1,was=casefold/v1"` // finds what was indexed under an older normalizer too
//
// It fails with kms.ErrInvalid on a Field without a tag, a tag without a Field, a type that can't be sealed, names that two columns are bound to, and an Index without a plan.
func NewTable[R any](name string, s Spec[R]) (*Table[R], error) {
	t := &Table[R]{name: name, row: s.Row, subject: s.Subject}
	err := checkName("table", name)
	if typ := reflect.TypeFor[R](); err == nil && typ.Kind() != reflect.Struct {
		err = fmt.Errorf("%w: rows must be structs, not %v", kms.ErrInvalid, typ)
	} else if err == nil {
		err = t.collect(typ, 0)
	}
	if err == nil {
		err = t.check(s.Indexes)
	}
	if err != nil {
		return nil, fmt.Errorf("field: table %.64q: %w", name, err)
	}
	return t, nil
}

// collect reads the tags of a struct, which is at an offset in the row, and of those that it embeds.
func (t *Table[R]) collect(typ reflect.Type, base uintptr) error {
	for f := range typ.Fields() {
		offset := base + f.Offset
		text, tagged := f.Tag.Lookup("seal")
		isCell, isIndex := isField(f.Type), f.Type == indexType
		var err error
		switch {
		case (isCell || isIndex) && !tagged:
			err = fmt.Errorf("%w: it needs a seal tag with the name of its column", kms.ErrInvalid)
		case tagged && !isCell && !isIndex:
			err = fmt.Errorf("%w: a seal tag belongs to a field.Field or field.Index, not to a %v", kms.ErrInvalid, f.Type)
		case tagged && !f.IsExported():
			err = fmt.Errorf("%w: it must be exported", kms.ErrInvalid)
		case isCell:
			var c *column
			if c, err = newColumn(t.name, text, t.subject != nil); err == nil {
				c.offset, c.like = offset, reflect.New(f.Type).Interface().(cell)
				t.columns = append(t.columns, c)
				err = c.like.supported()
			}
		case isIndex:
			var x *blind
			if x, err = newBlind(text); err == nil {
				x.offset = offset
				t.indexes = append(t.indexes, x)
			}
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			err = t.collect(f.Type, offset)
		case hides(f.Type, nil):
			err = fmt.Errorf("%w: Fields must be of the row itself or embedded, not within a %v", kms.ErrInvalid, f.Type)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

// isField tells whether a type is a Field, and not one that embeds a Field and has its methods.
func isField(typ reflect.Type) bool {
	c, ok := reflect.New(typ).Interface().(cell)
	return ok && reflect.TypeOf(c.at(nil)) == reflect.PointerTo(typ)
}

// hides tells whether a Field or Index is somewhere within a type.
func hides(typ reflect.Type, seen []reflect.Type) bool {
	if typ == indexType || reflect.PointerTo(typ).Implements(cellType) {
		return true
	}
	if slices.Contains(seen, typ) {
		return false
	}
	seen = append(seen, typ)
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return hides(typ.Elem(), seen)
	case reflect.Struct:
		for f := range typ.Fields() {
			if hides(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// check refuses what does not fit together, and gives each column its indexes.
func (t *Table[R]) check(plans map[string]Plan) error {
	if len(t.columns) == 0 {
		return fmt.Errorf("%w: there is no Field", kms.ErrInvalid)
	}
	names, bound := map[string]bool{}, map[envelope.Binding]bool{}
	for _, c := range t.columns {
		place := envelope.Bind(c.table, c.binding)
		switch {
		case names[c.name]:
			return fmt.Errorf("%w: column %.64q stands twice", kms.ErrInvalid, c.name)
		case bound[place]:
			return fmt.Errorf("%w: column %.64q is bound to what another column is bound to", kms.ErrInvalid, c.name)
		case t.row == nil && !c.bySubject:
			return fmt.Errorf("%w: column %.64q is bound to the row, and Spec.Row is nil", kms.ErrInvalid, c.name)
		}
		names[c.name], bound[place] = true, true
	}
	for _, x := range t.indexes {
		i := slices.IndexFunc(t.columns, func(c *column) bool { return c.name == x.of })
		plan, planned := plans[x.name]
		switch {
		case names[x.name]:
			return fmt.Errorf("%w: column %.64q stands twice", kms.ErrInvalid, x.name)
		case i < 0:
			return fmt.Errorf("%w: index %.64q is of %.64q, which is no column", kms.ErrInvalid, x.name, x.of)
		case !t.columns[i].like.indexable():
			return fmt.Errorf("%w: index %.64q is of a type that has no text to index", kms.ErrInvalid, x.name)
		case !planned || !plan.planned():
			return fmt.Errorf("%w: index %.64q has no plan: put one from PlanIndex in Spec.Indexes", kms.ErrInvalid, x.name)
		case x.prefix > 0 && plan.Bits() == uniqueBits:
			return fmt.Errorf("%w: index %.64q is of prefixes, which different values share: plan it with Stats of the prefixes, and not as unique", kms.ErrInvalid, x.name)
		}
		c := t.columns[i]
		x.size, x.place = plan.Bits()/8, envelope.Bind(c.table, c.binding, x.as)
		if bound[x.place] {
			return fmt.Errorf("%w: index %.64q has the tokens of another index", kms.ErrInvalid, x.name)
		}
		names[x.name], bound[x.place] = true, true
		c.indexes = append(c.indexes, x)
	}
	for name := range plans {
		if !slices.ContainsFunc(t.indexes, func(x *blind) bool { return x.name == name }) {
			return fmt.Errorf("%w: there is a plan for %.64q, which is no index", kms.ErrInvalid, name)
		}
	}
	return nil
}

// IndexColumns returns the columns with tokens of what a subject's key seals, or of all where there are no subjects: to be set to NULL when a person is erased, for tokens outlive the person's key, and still tell
// who knows a value that it was there.
func (t *Table[R]) IndexColumns() []string {
	var names []string
	for _, c := range t.columns {
		if t.subject != nil && c.ofTenant {
			continue
		}
		for _, x := range c.indexes {
			names = append(names, x.name)
		}
	}
	return names
}

// rowID returns what a row's values are bound to.
func (t *Table[R]) rowID(r *R) (string, error) {
	id := t.row(r)
	switch {
	case id == "" || id == "0" || strings.Trim(id, "0-") == "" && len(id) == 36:
		return "", errNoRow
	case len(id) > maxName:
		return "", fmt.Errorf("%w: the id of a row must have at most %d bytes", kms.ErrInvalid, maxName)
	}
	return id, nil
}

var (
	errNoRow     = fmt.Errorf("%w: the row has no id yet: make it before INSERT, such as a UUIDv7, or bind the column with bind=subject", kms.ErrInvalid)
	errNoSubject = fmt.Errorf("%w: Spec.Subject names nobody for this row", kms.ErrInvalid)
)

// ColumnError is why a column could not be sealed, opened or searched.
type ColumnError struct {
	Table, Column string
	Err           error
}

// Error returns table, column and cause.
func (e *ColumnError) Error() string {
	return fmt.Sprintf("field: %s.%s: %v", e.Table, e.Column, e.Err)
}

// Unwrap returns the cause.
func (e *ColumnError) Unwrap() error { return e.Err }

// fail names the column of an error once.
func (t *Table[R]) fail(column string, err error) error {
	if named := (*ColumnError)(nil); errors.As(err, &named) {
		return err
	}
	return &ColumnError{t.name, column, err}
}
