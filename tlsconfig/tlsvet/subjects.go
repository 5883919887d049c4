package tlsvet

import (
	"go/ast"
	"go/types"
	"strings"
)

// subject is one value of a watched type: a literal, or what a variable or field holds.
type subject struct {
	kind    string
	lit     *ast.CompositeLit // nil if it is not from a literal
	fresh   bool              // nothing was set in it before, so that what is not seen to be set is not set
	set     map[string][]*setting
	holders []types.Object
}

// setting is one assignment to a field.
type setting struct {
	of    *subject
	field string // such as "Config.MinVersion"
	value ast.Expr
	at    ast.Node
	fn    ast.Node // the outermost function it is in, or nil
}

// literal notes a literal and what it sets.
func (f *facts) literal(n *ast.CompositeLit, stack []ast.Node) {
	kind := f.kindOf(f.info.TypeOf(n))
	if kind == "" {
		return
	}
	s := &subject{kind: kind, lit: n, fresh: true, set: map[string][]*setting{}}
	f.subjects = append(f.subjects, s)
	for _, e := range n.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok {
				f.add(s, kind+"."+key.Name, kv.Value, kv, stack)
			}
		}
	}
	var child ast.Node = n
	for i := len(stack) - 2; i >= 0; i-- {
		switch up := stack[i].(type) {
		case *ast.UnaryExpr, *ast.ParenExpr:
			child = up
			continue
		case *ast.AssignStmt:
			for j, v := range up.Rhs {
				if v == child && j < len(up.Lhs) {
					f.hold(s, f.base(up.Lhs[j]))
				}
			}
		case *ast.ValueSpec:
			for j, v := range up.Values {
				if v == child && j < len(up.Names) {
					f.hold(s, f.info.Defs[up.Names[j]])
				}
			}
		case *ast.KeyValueExpr:
			if key, ok := up.Key.(*ast.Ident); ok {
				f.hold(s, f.info.Uses[key])
			}
		}
		return
	}
}

func (f *facts) hold(s *subject, obj types.Object) {
	if obj != nil {
		f.held[obj] = append(f.held[obj], s)
		s.holders = append(s.holders, obj)
	}
	if s.lit == nil {
		f.subjects = append(f.subjects, s)
	}
}

func (f *facts) add(s *subject, field string, value ast.Expr, at ast.Node, stack []ast.Node) {
	set := &setting{of: s, field: field, value: value, at: at, fn: outermost(stack)}
	s.set[field] = append(s.set[field], set)
	f.settings = append(f.settings, set)
}

func (f *facts) assign(n *ast.AssignStmt, stack []ast.Node, last bool) {
	for i, left := range n.Lhs {
		var right ast.Expr
		if len(n.Lhs) == len(n.Rhs) {
			right = n.Rhs[i]
		} else if i == 0 {
			right = n.Rhs[0]
		} else {
			continue
		}
		if !last {
			if obj := f.base(left); obj != nil {
				f.assigned[obj] = append(f.assigned[obj], right)
				f.fresh(obj, right)
			}
			continue
		}
		sel, ok := ast.Unparen(left).(*ast.SelectorExpr)
		if !ok {
			continue
		}
		field := f.fieldOf(sel.Sel)
		if field == "" {
			continue
		}
		obj := f.base(sel.X)
		subjects := f.held[obj]
		if len(subjects) == 0 {
			s := &subject{kind: strings.Split(field, ".")[0], set: map[string][]*setting{}}
			f.hold(s, obj)
			subjects = []*subject{s}
		}
		for _, s := range subjects {
			if !s.fresh {
				f.loose[field] = append(f.loose[field], obj)
			}
		}
		f.add(subjects[0], field, right, n, stack)
		for _, s := range subjects[1:] {
			s.set[field] = append(s.set[field], subjects[0].set[field][len(subjects[0].set[field])-1])
		}
	}
}

// fresh notes what new makes.
func (f *facts) fresh(obj types.Object, right ast.Expr) {
	c, ok := ast.Unparen(right).(*ast.CallExpr)
	if !ok || len(c.Args) != 1 || f.kindOf(f.info.TypeOf(right)) == "" {
		return
	}
	if name, ok := c.Fun.(*ast.Ident); ok && f.info.Uses[name] == types.Universe.Lookup("new") {
		f.hold(&subject{kind: f.kindOf(f.info.TypeOf(right)), fresh: true, set: map[string][]*setting{}}, obj)
	}
}
