package tlsvet

import (
	"go/ast"
	"go/types"
	"strings"
)

// watched are the structs whose fields count, by import path and name, with what they are called here.
var watched = map[string]string{
	"crypto/tls.Config": "Config", "crypto/tls.ConnectionState": "State",
	"net/http.Server": "Server", "net/http.Transport": "Transport", "net/http.Client": "Client",
	"github.com/go-sql-driver/mysql.Config": "MySQL",
}

// base returns the variable or field that an expression names, or nil.
func (f *facts) base(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return f.info.ObjectOf(e)
	case *ast.SelectorExpr:
		return f.info.ObjectOf(e.Sel)
	case *ast.StarExpr:
		return f.base(e.X)
	case *ast.UnaryExpr:
		return f.base(e.X)
	}
	return nil
}

// kindOf returns what a watched type, or a pointer to one, is called here, or "".
func (f *facts) kindOf(t types.Type) string {
	if t == nil {
		return ""
	}
	t = types.Unalias(t)
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	n, ok := t.(*types.Named)
	if !ok || n.Obj().Pkg() == nil {
		return ""
	}
	return watched[n.Obj().Pkg().Path()+"."+n.Obj().Name()]
}

// fieldOf returns the name of a field of a watched type, such as "Config.MinVersion", or "".
func (f *facts) fieldOf(id *ast.Ident) string {
	v, ok := f.info.Uses[id].(*types.Var)
	if !ok || !v.IsField() || v.Pkg() == nil {
		return ""
	}
	if owner, known := f.owners.Load(v); known {
		return owner.(string)
	}
	owner := ""
	for long, short := range watched {
		name, ok := strings.CutPrefix(long, v.Pkg().Path()+".")
		if !ok {
			continue
		}
		obj := v.Pkg().Scope().Lookup(name)
		if obj == nil {
			continue
		}
		if st, ok := obj.Type().Underlying().(*types.Struct); ok {
			for field := range st.Fields() {
				if field == v {
					owner = short + "." + v.Name()
				}
			}
		}
	}
	f.owners.Store(v, owner)
	return owner
}
