package tlsvet

import (
	"crypto/tls"
	"go/ast"
	"go/constant"
	"go/types"
	"slices"
	"strings"
)

// clients finds traps 6, 8, 9, 10, 11 and 12.
func (v *pass) clients() {
	optional := false
	v.each("Config.ClientAuth", func(s *setting) {
		for _, n := range v.numbers(s.value) {
			switch tls.ClientAuthType(n) {
			case tls.RequestClientCert, tls.RequireAnyClientCert:
				optional = true
				if !v.has(s.of, "Config.VerifyConnection") {
					v.report(10, s.at, v.rename(s.value, "RequireAndVerifyClientCert"), "nobody verifies the certificates of clients: use tls.RequireAndVerifyClientCert and ClientCAs")
				}
			case tls.VerifyClientCertIfGiven, tls.RequireAndVerifyClientCert:
				optional = optional || tls.ClientAuthType(n) == tls.VerifyClientCertIfGiven
				if s.of.fresh && !v.has(s.of, "Config.ClientCAs") {
					v.report(8, s.at, nil, "ClientCAs is not set: clients are let in with a certificate of any public CA. Set it to the CAs of the clients")
				}
			}
		}
	})
	v.each("Config.ClientCAs", func(s *setting) {
		if sets(s.of, "Config.RootCAs") && !v.has(s.of, "Config.ClientAuth") {
			return // of a client, which asks nobody
		}
		for _, e := range v.values(s.value) {
			if c, ok := e.(*ast.CallExpr); ok && v.isCall(c, "crypto/x509.SystemCertPool") {
				v.report(9, s.at, nil, "the CAs of the system are in ClientCAs: clients are let in with a certificate of any of them. Start from x509.NewCertPool")
			}
		}
	})
	for _, c := range v.calls {
		switch c.name {
		case "crypto/x509.(CertPool).AddCertWithConstraint":
			v.report(6, c, nil, "the constraint is not evaluated for resumed sessions: check it in VerifyConnection too")
		case "crypto/x509.(CertPool).AppendCertsFromPEM":
			if v.ignoredResult(c) && !v.intermediates(c) {
				v.report(12, c, nil, "without its result nobody learns that no CA was loaded: fail if it is false")
			}
		}
	}
	v.peers(optional)
}

func (v *pass) isCall(c *ast.CallExpr, name string) bool {
	fn := v.callee(c.Fun)
	return fn != nil && fn.Pkg() != nil && fn.Pkg().Path()+"."+fn.Name() == name
}

// ignoredResult says whether nothing becomes of the result of a call.
func (v *pass) ignoredResult(c call) bool {
	switch up := c.stack[len(c.stack)-2].(type) {
	case *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt:
		return true
	case *ast.AssignStmt:
		return !slices.ContainsFunc(up.Lhs, func(e ast.Expr) bool { id, ok := e.(*ast.Ident); return !ok || id.Name != "_" })
	}
	return false
}

// intermediates says whether certificates are added to those that lead to a CA, and are none themselves.
func (v *pass) intermediates(c call) bool {
	sel, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	field, ok := v.base(sel.X).(*types.Var)
	return ok && field.IsField() && field.Name() == "Intermediates" && field.Pkg() != nil && field.Pkg().Path() == "crypto/x509"
}

// peers finds handlers that take the first certificate of a client which need not have one.
func (v *pass) peers(optional bool) {
	for _, file := range v.pass.Files {
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || d.Body == nil {
				continue
			}
			checked := false
			var first []*ast.IndexExpr
			ast.Inspect(d.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					id, ok := n.Fun.(*ast.Ident)
					checked = checked || ok && id.Name == "len" && len(n.Args) == 1 && v.chainOf(n.Args[0]) != ""
				case *ast.RangeStmt:
					checked = checked || v.chainOf(n.X) != ""
				case *ast.IndexExpr:
					c := v.constant(n.Index)
					if sel, ok := ast.Unparen(n.X).(*ast.SelectorExpr); ok && c != nil && c.Kind() == constant.Int && v.fieldOf(sel.Sel) == "State.PeerCertificates" {
						first = append(first, n)
					}
				}
				return true
			})
			for _, n := range first {
				request := false
				if sel, ok := v.chainExpr(n.X).(*ast.SelectorExpr); ok {
					if field, ok := ast.Unparen(sel.X).(*ast.SelectorExpr); ok && field.Sel.Name == "TLS" {
						t := v.info.TypeOf(field.X)
						request = t != nil && strings.HasSuffix(t.String(), "net/http.Request")
					}
				}
				if !checked && (request || optional && !v.ofServer(n)) {
					v.report(11, n, nil, "a client without a certificate has no peer certificates: this panics. Use tlsconfig.Peer, or look how many there are")
				}
			}
		}
	}
}

// ofServer says whether a node is in the check of a client: a server always shows a certificate.
func (v *pass) ofServer(n ast.Node) bool {
	return slices.ContainsFunc(v.settings, func(s *setting) bool {
		return s.field == "Config.VerifyConnection" && !sets(s.of, "Config.ClientAuth", "Config.ClientCAs") &&
			slices.ContainsFunc(v.bodies(s.value), func(body ast.Node) bool { return inside(n, body) })
	})
}

// chainExpr returns the field of a connection that e stands for, or e.
func (v *pass) chainExpr(e ast.Expr) ast.Expr {
	for _, value := range append(v.values(e), ast.Unparen(e)) {
		if sel, ok := value.(*ast.SelectorExpr); ok && strings.HasPrefix(v.fieldOf(sel.Sel), "State.") {
			return sel
		}
	}
	return e
}

func (v *pass) chainOf(e ast.Expr) string {
	sel, ok := v.chainExpr(e).(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	switch name := strings.TrimPrefix(v.fieldOf(sel.Sel), "State."); name {
	case "PeerCertificates", "VerifiedChains":
		return name
	}
	return ""
}
