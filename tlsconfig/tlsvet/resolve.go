package tlsvet

import (
	"go/ast"
	"go/constant"
	"go/types"
	"slices"
)

// maxDepth is how many variables and calls a value is followed through.
const maxDepth = 5

// values returns what an expression may stand for, as far as this package says: through variables, parameters and functions of its own.
// What it can't follow stands for itself.
func (f *facts) values(e ast.Expr) []ast.Expr {
	return f.follow(e, maxDepth, map[types.Object]bool{})
}

func (f *facts) follow(e ast.Expr, depth int, seen map[types.Object]bool) []ast.Expr {
	e = ast.Unparen(e)
	if t, ok := f.info.Types[e]; ok && t.Value != nil || depth == 0 {
		return []ast.Expr{e}
	}
	var next []ast.Expr
	switch n := e.(type) {
	case *ast.Ident:
		obj := f.info.ObjectOf(n)
		if obj == nil || seen[obj] {
			return []ast.Expr{e}
		}
		seen[obj] = true
		next = f.assigned[obj]
	case *ast.SelectorExpr:
		if obj, ok := f.info.ObjectOf(n.Sel).(*types.Var); ok && obj.IsField() && f.fieldOf(n.Sel) == "" && !obj.Exported() && !seen[obj] {
			seen[obj] = true
			next = f.assigned[obj]
		}
	case *ast.CallExpr:
		var body ast.Node
		if fn := f.callee(n.Fun); fn != nil && f.decls[fn] != nil {
			body = f.decls[fn]
		}
		if body != nil {
			for _, r := range f.returns[body] {
				if len(r.Results) > 0 {
					next = append(next, r.Results[0])
				}
			}
		}
	}
	if len(next) == 0 {
		return []ast.Expr{e}
	}
	var all []ast.Expr
	for _, v := range next {
		all = append(all, f.follow(v, depth-1, seen)...)
	}
	return all
}

// holds says whether a variable may hold a subject, or a clone of it, that was made elsewhere in this package.
func (f *facts) holds(obj types.Object, s *subject) bool {
	for _, e := range f.assigned[obj] {
		if f.standsFor(e, s, maxDepth) {
			return true
		}
	}
	return false
}

// standsFor says whether an expression may stand for a subject or a clone of it.
func (f *facts) standsFor(e ast.Expr, s *subject, depth int) bool {
	for _, v := range append(f.values(e), e) {
		if c, ok := v.(*ast.CallExpr); ok && depth > 0 {
			if sel, ok := ast.Unparen(c.Fun).(*ast.SelectorExpr); ok && sel.Sel.Name == "Clone" && f.standsFor(sel.X, s, depth-1) {
				return true
			}
		}
		if u, ok := v.(*ast.UnaryExpr); ok {
			v = ast.Unparen(u.X)
		}
		if lit, ok := v.(*ast.CompositeLit); ok && lit == s.lit {
			return true
		}
		if obj := f.base(v); obj != nil && slices.Contains(s.holders, obj) {
			return true
		}
	}
	return false
}

// constants returns the constants that an expression may stand for.
func (f *facts) constants(e ast.Expr) []constant.Value {
	var all []constant.Value
	for _, v := range f.values(e) {
		if t := f.info.Types[v]; t.Value != nil {
			all = append(all, t.Value)
		}
	}
	return all
}

// constant returns the constant that an expression itself is, or nil.
func (f *facts) constant(e ast.Expr) constant.Value { return f.info.Types[ast.Unparen(e)].Value }

// texts returns the strings that an expression may stand for.
func (f *facts) texts(e ast.Expr) []string {
	var all []string
	for _, c := range f.constants(e) {
		if c.Kind() == constant.String {
			all = append(all, constant.StringVal(c))
		}
	}
	return all
}

// numbers returns the whole numbers that an expression may stand for.
func (f *facts) numbers(e ast.Expr) []int64 {
	var all []int64
	for _, c := range f.constants(e) {
		if n, ok := constant.Int64Val(constant.ToInt(c)); ok && c.Kind() == constant.Int {
			all = append(all, n)
		}
	}
	return all
}

// elements returns what is in the lists that an expression may stand for, and whether that is all of it.
func (f *facts) elements(e ast.Expr) (all []ast.Expr, whole bool) {
	return f.list(e, map[ast.Expr]bool{})
}

func (f *facts) list(e ast.Expr, seen map[ast.Expr]bool) (all []ast.Expr, whole bool) {
	whole = true
	for _, v := range f.values(e) {
		if seen[v] {
			continue // x = append(x, ...) again
		}
		seen[v] = true
		switch v := v.(type) {
		case *ast.CompositeLit:
			all = append(all, v.Elts...)
		case *ast.CallExpr:
			whole = false
			name, ok := v.Fun.(*ast.Ident)
			if !ok || f.info.Uses[name] != types.Universe.Lookup("append") || v.Ellipsis.IsValid() {
				continue
			}
			first, _ := f.list(v.Args[0], seen)
			all = append(append(all, first...), v.Args[1:]...)
		default:
			whole = false
		}
	}
	return all, whole
}

// bodies returns the functions of this package that an expression may stand for.
func (f *facts) bodies(e ast.Expr) []ast.Node {
	var all []ast.Node
	for _, v := range f.values(e) {
		if lit, ok := v.(*ast.FuncLit); ok {
			all = append(all, lit)
		} else if fn := f.callee(v); fn != nil && f.decls[fn] != nil && f.decls[fn].Body != nil {
			all = append(all, f.decls[fn])
		}
	}
	return all
}

// isNil says whether an expression is nil.
func (f *facts) isNil(e ast.Expr) bool { return f.info.Types[ast.Unparen(e)].IsNil() }

// inside says whether n is within a function or other node.
func inside(n, around ast.Node) bool {
	return around != nil && around.Pos() <= n.Pos() && n.End() <= around.End()
}

// callsIn returns the calls within a node.
func (f *facts) callsIn(around ast.Node) []call {
	var all []call
	for _, c := range f.calls {
		if inside(c, around) {
			all = append(all, c)
		}
	}
	return all
}
