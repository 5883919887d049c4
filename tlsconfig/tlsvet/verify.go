package tlsvet

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"net"
	"strings"
)

const useClient = "leave InsecureSkipVerify false and set RootCAs; tlsconfig.Client does"

// verify finds traps 1, 2, 3, 46, 47 and 48, and comments that silence nothing.
func (v *pass) verify() {
	v.ignores() // once, and this is the first analyzer
	v.each("Config.InsecureSkipVerify", v.skips)
	for _, s := range v.taken {
		if s.field == "Config.InsecureSkipVerify" {
			v.report(1, s.at, nil, "InsecureSkipVerify can be set from outside: %s", useClient)
		}
	}
	v.each("Config.VerifyPeerCertificate", func(s *setting) {
		server := sets(s.of, "Config.ClientAuth", "Config.GetCertificate", "Config.GetConfigForClient") || sets(s.of, "Config.ClientCAs") && !sets(s.of, "Config.RootCAs")
		if v.has(s.of, "Config.VerifyConnection") || v.has(s.of, "Config.SessionTicketsDisabled") || !server && !v.has(s.of, "Config.ClientSessionCache") {
			return
		}
		v.report(3, s.at, nil, "VerifyPeerCertificate is not called for resumed sessions: use VerifyConnection")
	})
	v.each("Config.ServerName", v.serverName)
	v.names()
}

// skips judges one InsecureSkipVerify.
func (v *pass) skips(s *setting) {
	if f, ok := ast.Unparen(s.value).(*ast.SelectorExpr); ok && v.fieldOf(f.Sel) == "Config.InsecureSkipVerify" {
		return // a copy
	}
	if c := v.constant(s.value); c != nil && c.Kind() == constant.Bool && !constant.BoolVal(c) {
		return
	}
	var certain, maybe bool
	for _, e := range v.values(s.value) {
		if c := v.constant(e); c == nil {
			maybe = true
		} else if c.Kind() == constant.Bool && constant.BoolVal(c) {
			certain = true
		}
	}
	if !certain && !maybe {
		return
	}
	for _, check := range s.of.set["Config.VerifyConnection"] {
		bodies := v.bodies(check.value)
		verifies := len(bodies) == 0 // elsewhere: not known
		for _, body := range bodies {
			if v.namesServer(body) {
				v.report(2, s.at, nil, "the check uses the ServerName of the connection, which is empty for addresses: then no name is checked. %s", useClient)
				return
			}
			for _, c := range v.callsIn(body) {
				verifies = verifies || c.name == "crypto/x509.(Certificate).Verify" || c.name == "crypto/x509.(Certificate).VerifyHostname"
			}
		}
		if verifies {
			return
		}
	}
	if certain && !maybe {
		v.report(1, s.at, v.replace(s.value, "false"), "InsecureSkipVerify is set: anybody can be the server. %s", useClient)
		return
	}
	v.report(1, s.at, nil, "InsecureSkipVerify can be set from outside: %s", useClient)
}

// namesServer says whether a check takes the name of the server from the connection, and goes on where that is empty.
func (v *pass) namesServer(around ast.Node) bool {
	name := func(e ast.Expr) bool {
		sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
		return ok && v.fieldOf(sel.Sel) == "State.ServerName"
	}
	used, refused := false, false
	ast.Inspect(around, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			fn := v.callee(n.Fun)
			return fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != "fmt" // the text of an error
		case *ast.IfStmt:
			if b, ok := ast.Unparen(n.Cond).(*ast.BinaryExpr); ok && b.Op == token.EQL && name(b.X) && v.constant(b.Y) != nil && len(n.Body.List) > 0 {
				_, refuses := n.Body.List[len(n.Body.List)-1].(*ast.ReturnStmt)
				refused = refused || refuses
			}
		case *ast.BinaryExpr:
			return n.Op != token.EQL && n.Op != token.NEQ || !name(n.X) && !name(n.Y) // what is compared is no less for being empty
		case *ast.SelectorExpr:
			used = used || name(n)
		}
		return true
	})
	return used && !refused
}

// serverName judges one ServerName.
func (v *pass) serverName(s *setting) {
	const want = "set ServerName to a DNS name or an address, without a port or a dot at its end"
	for _, name := range v.texts(s.value) {
		if _, _, err := net.SplitHostPort(name); err == nil {
			v.report(46, s.at, nil, "ServerName has a port, which no certificate has: %s", want)
		} else if strings.HasSuffix(name, ".") && name != "invalid." { // RFC 6761 section 6.4: it is to match nothing
			v.report(46, s.at, nil, "ServerName ends with a dot: %s", want)
		}
	}
	for _, e := range v.values(s.value) {
		if c, ok := e.(*ast.CallExpr); ok {
			if sel, ok := c.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "String" {
				if inner, ok := ast.Unparen(sel.X).(*ast.CallExpr); ok {
					if fn := v.callee(inner.Fun); fn != nil && (fn.Name() == "RemoteAddr" || fn.Name() == "Addr") && fn.Pkg() != nil && fn.Pkg().Path() == "net" {
						v.report(46, s.at, nil, "ServerName has the port of the address: %s", want)
					}
				}
			}
		}
	}
	name := v.base(s.value)
	if _, ok := name.(*types.Var); !ok || s.fn == nil {
		return
	}
	if _, ok := ast.Unparen(s.value).(*ast.Ident); !ok {
		return
	}
	if len(v.assigned[name]) > 1 {
		return // the port may be gone by now
	}
	for _, c := range v.callsIn(s.fn) {
		arg := -1
		switch c.name {
		case "net.Dial", "net.DialTimeout", "crypto/tls.Dial", "net.(Dialer).Dial":
			arg = 1
		case "crypto/tls.DialWithDialer", "net.(Dialer).DialContext", "crypto/tls.(Dialer).DialContext":
			arg = 2
		}
		if arg >= 0 && arg < len(c.Args) {
			if id, ok := ast.Unparen(c.Args[arg]).(*ast.Ident); ok && v.info.ObjectOf(id) == name {
				v.report(46, s.at, nil, "ServerName is the address that is dialed, with its port: %s", want)
			}
		}
	}
}

// names finds common names that are compared, and SANs compared by a part.
func (v *pass) names() {
	const commonName = "the common name is compared: no CA has to check it. Compare a DNS or URI name, as tlsconfig.DNS and tlsconfig.SPIFFE do"
	for _, file := range v.pass.Files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if n.Op != token.EQL && n.Op != token.NEQ {
					break
				}
				for i, side := range []ast.Expr{n.X, n.Y} {
					other := []ast.Expr{n.Y, n.X}[i]
					c := v.constant(other)
					if v.commonName(side) && !v.isCommonName(other) && !v.san(other) && (c == nil || c.Kind() == constant.String && constant.StringVal(c) != "") {
						v.report(47, n, nil, commonName)
					}
				}
			case *ast.SwitchStmt:
				if n.Tag != nil && v.commonName(n.Tag) {
					v.report(47, n.Tag, nil, commonName)
				}
			case *ast.IndexExpr:
				if v.commonName(n.Index) {
					v.report(47, n, nil, commonName)
				}
			}
			return true
		})
	}
	for _, c := range v.calls {
		switch c.name {
		case "strings.HasPrefix", "strings.HasSuffix", "strings.Contains", "strings.EqualFold", "slices.Contains", "path.Match", "regexp.(Regexp).MatchString":
			for _, arg := range c.Args {
				if v.commonName(arg) {
					v.report(47, c, nil, commonName)
				}
			}
		}
		switch c.name {
		case "strings.HasPrefix", "strings.Contains", "strings.HasSuffix":
			suffix := v.texts(c.Args[1])
			if c.name == "strings.HasSuffix" && len(suffix) == 1 && strings.HasPrefix(suffix[0], ".") {
				continue
			}
			if c.name != "strings.HasSuffix" && len(suffix) > 0 && strings.Trim(suffix[0], "*.:/") == "" || len(suffix) > 0 && suffix[0] == "spiffe://" {
				continue
			}
			if v.san(c.Args[0]) {
				v.report(48, c, nil, "a name of a certificate is compared by a part of it, which others may have too: compare it whole, as tlsconfig.SPIFFE does")
			}
		}
	}
}

// certificateField says whether e is a field of x509.Certificate, and which.
func (v *pass) certificateField(e ast.Expr) string {
	sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	t := v.info.TypeOf(sel.X)
	if t == nil || !strings.HasSuffix(types.Unalias(t).String(), "crypto/x509.Certificate") {
		return ""
	}
	return sel.Sel.Name
}

// isCommonName says whether e is itself a common name, of a certificate or of a request for one: then the two are only compared with each other.
func (v *pass) isCommonName(e ast.Expr) bool {
	sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok {
		return v.commonName(e)
	}
	t := v.info.TypeOf(sel.X)
	return sel.Sel.Name == "CommonName" && t != nil && strings.HasSuffix(types.Unalias(t).String(), "crypto/x509/pkix.Name") || v.commonName(e)
}

func (v *pass) commonName(e ast.Expr) bool {
	for _, value := range append(v.values(e), e) {
		sel, ok := value.(*ast.SelectorExpr)
		if ok && sel.Sel.Name == "CommonName" && v.certificateField(sel.X) == "Subject" {
			return true
		}
	}
	return false
}

// san says whether e comes from the subject alternative names of a certificate.
func (v *pass) san(e ast.Expr) bool {
	found, seen, next := false, map[types.Object]bool{}, []ast.Expr{e}
	for range maxDepth {
		level := next
		next = nil
		for _, e := range level {
			ast.Inspect(e, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					switch v.certificateField(n) {
					case "URIs", "DNSNames", "EmailAddresses", "IPAddresses":
						found = true
					}
				case *ast.Ident:
					if obj, ok := v.info.Uses[n].(*types.Var); ok && !obj.IsField() && obj.Pkg() == v.pass.Pkg && !seen[obj] {
						seen[obj] = true
						next = append(append(next, v.ranged[obj]...), v.assigned[obj]...)
					}
				}
				return !found
			})
			if found {
				return true
			}
		}
	}
	return false
}
