package tlsvet

import (
	"go/ast"
	"go/types"
)

// call is a call with what is around it, outermost first.
type call struct {
	*ast.CallExpr
	stack []ast.Node
	name  string // import path and name of what is called, with the type of a method: "net/http.(Server).Serve"
}

func (f *facts) call(n *ast.CallExpr, stack []ast.Node) {
	name := ""
	fn := f.callee(n.Fun)
	if fn != nil && fn.Pkg() != nil {
		name = fn.Pkg().Path() + "." + fn.Name()
		sig := fn.Type().(*types.Signature)
		if r := sig.Recv(); r != nil {
			t := types.Unalias(r.Type())
			if p, ok := t.(*types.Pointer); ok {
				t = types.Unalias(p.Elem())
			}
			if named, ok := t.(*types.Named); ok {
				name = fn.Pkg().Path() + ".(" + named.Obj().Name() + ")." + fn.Name()
			}
		}
		if f.decls[fn] != nil && !sig.Variadic() && sig.Params().Len() == len(n.Args) { // what callers give
			for i, arg := range n.Args {
				f.assigned[sig.Params().At(i)] = append(f.assigned[sig.Params().At(i)], arg)
			}
		}
	}
	f.calls = append(f.calls, call{n, append([]ast.Node(nil), stack...), name})
}

// callee returns the function or method that an expression names, or nil.
func (f *facts) callee(e ast.Expr) *types.Func {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		fn, _ := f.info.Uses[e].(*types.Func)
		return fn
	case *ast.SelectorExpr:
		fn, _ := f.info.Uses[e.Sel].(*types.Func)
		return fn
	case *ast.IndexExpr:
		return f.callee(e.X)
	}
	return nil
}

func outermost(stack []ast.Node) ast.Node {
	for _, n := range stack {
		if d, ok := n.(*ast.FuncDecl); ok {
			return d
		}
	}
	return nil
}

func innermost(stack []ast.Node) ast.Node {
	for i := len(stack) - 1; i >= 0; i-- {
		switch stack[i].(type) {
		case *ast.FuncLit, *ast.FuncDecl:
			return stack[i]
		}
	}
	return nil
}
