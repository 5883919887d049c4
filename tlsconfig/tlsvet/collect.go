package tlsvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"reflect"
	"sync"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// collector reads a package once, for all analyzers.
var collector = &analysis.Analyzer{
	Name: "tlscollect", Doc: "collect the fields of configs that a package sets",
	Requires: []*analysis.Analyzer{inspect.Analyzer}, ResultType: reflect.TypeFor[*facts](), Run: collect,
}

// facts are what a package does, apart from any judgement.
type facts struct {
	info     *types.Info
	subjects []*subject
	settings []*setting
	held     map[types.Object][]*subject
	loose    map[string][]types.Object // by field, what it is set in that is no literal of its function; nil for what has no name
	assigned map[types.Object][]ast.Expr
	ranged   map[types.Object][]ast.Expr // by the variable for values, what is ranged over
	decls    map[types.Object]*ast.FuncDecl
	returns  map[ast.Node][]*ast.ReturnStmt
	calls    []call
	owners   sync.Map   // of *types.Var to string: the analyzers run at a time
	taken    []*setting // fields whose address is taken
}

func collect(p *analysis.Pass) (any, error) {
	f := &facts{
		info: p.TypesInfo, held: map[types.Object][]*subject{}, loose: map[string][]types.Object{}, assigned: map[types.Object][]ast.Expr{},
		ranged: map[types.Object][]ast.Expr{}, decls: map[types.Object]*ast.FuncDecl{}, returns: map[ast.Node][]*ast.ReturnStmt{},
	}
	in := p.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.Preorder([]ast.Node{(*ast.FuncDecl)(nil)}, func(n ast.Node) {
		d := n.(*ast.FuncDecl)
		f.decls[f.info.Defs[d.Name]] = d
	})
	nodes := []ast.Node{
		(*ast.CompositeLit)(nil), (*ast.ValueSpec)(nil), (*ast.AssignStmt)(nil), (*ast.CallExpr)(nil), (*ast.ReturnStmt)(nil), (*ast.UnaryExpr)(nil), (*ast.RangeStmt)(nil),
	}
	for _, last := range []bool{false, true} { // literals first: what sets their fields looks for them
		in.WithStack(nodes, func(n ast.Node, push bool, stack []ast.Node) bool {
			if push {
				f.visit(n, stack, last)
			}
			return true
		})
	}
	return f, nil
}

func (f *facts) visit(n ast.Node, stack []ast.Node, last bool) {
	switch n := n.(type) {
	case *ast.CompositeLit:
		if !last {
			f.literal(n, stack)
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if obj := f.info.Defs[name]; obj != nil && !last {
				if i < len(n.Values) {
					f.assigned[obj] = append(f.assigned[obj], n.Values[i])
				} else if len(n.Values) == 0 && f.kindOf(obj.Type()) != "" {
					if _, pointer := obj.Type().(*types.Pointer); !pointer {
						f.hold(&subject{kind: f.kindOf(obj.Type()), fresh: true, set: map[string][]*setting{}}, obj)
					}
				}
			}
		}
	case *ast.AssignStmt:
		f.assign(n, stack, last)
	case *ast.CallExpr:
		if !last {
			f.call(n, stack)
		}
	case *ast.RangeStmt:
		if id, ok := n.Value.(*ast.Ident); ok && !last {
			if obj := f.info.Defs[id]; obj != nil {
				f.ranged[obj] = append(f.ranged[obj], n.X)
			}
		}
	case *ast.ReturnStmt:
		if !last {
			if fn := innermost(stack); fn != nil {
				f.returns[fn] = append(f.returns[fn], n)
			}
		}
	case *ast.UnaryExpr:
		if sel, ok := ast.Unparen(n.X).(*ast.SelectorExpr); ok && n.Op == token.AND && !last {
			if name := f.fieldOf(sel.Sel); name != "" {
				f.taken = append(f.taken, &setting{field: name, value: sel, at: n})
			}
		}
	}
}
