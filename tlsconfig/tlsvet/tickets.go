package tlsvet

import (
	"crypto/tls"
	"go/ast"
	"slices"
)

// tickets finds traps 4, 26, 27, 29 and 41.
func (v *pass) tickets() {
	v.each("Config.SessionTicketKey", func(s *setting) {
		if f, ok := ast.Unparen(s.value).(*ast.SelectorExpr); ok && v.fieldOf(f.Sel) == s.field {
			return
		}
		v.report(27, s.at, nil, "a key of session tickets that stays is one that reads all traffic: leave it out, or rotate keys with SetSessionTicketKeys")
	})
	v.each("Config.GetConfigForClient", v.siblings)
	v.each("Config.GetCertificate", v.disk)
	v.each("Config.GetConfigForClient", v.disk)
	for _, c := range v.calls {
		if c.name == "crypto/tls.(Config).SetSessionTicketKeys" && v.served(c) {
			v.report(26, c, nil, "the server has a copy of this config: new keys do not reach it. Use WrapSession and UnwrapSession, as tlsconfig.Server does, or return the config from GetConfigForClient")
		}
	}
}

// siblings judges what GetConfigForClient returns.
func (v *pass) siblings(outer *setting) {
	for _, body := range v.bodies(outer.value) {
		for _, s := range v.subjects {
			if s.kind != "Config" {
				continue
			}
			where := ast.Node(s.lit)
			within := s.lit != nil && inside(s.lit, body)
			var clone bool
			for _, holder := range s.holders {
				for _, a := range v.assigned[holder] {
					if c, ok := ast.Unparen(a).(*ast.CallExpr); ok && inside(a, body) && v.isMethod(c, "Clone") {
						clone, within, where = true, true, a
					}
				}
			}
			if !within {
				continue
			}
			if v.asksClients(s) && !v.has(s, "Config.WrapSession", "Config.VerifyConnection", "Config.SessionTicketsDisabled") && !v.ownKeys(s, body) {
				v.report(4, where, nil, "a session of another config of this server resumes here, without a look at the client: verify in VerifyConnection, or give each config ticket keys of its own")
			}
			protocols := sets(outer.of, "Config.NextProtos") || v.servesHTTP(outer.of)
			if s.lit != nil && !clone && protocols && !v.has(s, "Config.NextProtos") {
				v.report(29, place(s, body), v.insertProtos(s, outer.of), "this config has no NextProtos: HTTP/2 is lost. Set NextProtos here too")
			}
		}
	}
}

// asksClients says whether a config is seen to ask clients for certificates.
func (v *pass) asksClients(s *subject) bool {
	return sets(s, "Config.ClientCAs") || slices.ContainsFunc(s.set["Config.ClientAuth"], func(set *setting) bool {
		return !slices.Equal(v.numbers(set.value), []int64{int64(tls.NoClientCert)})
	})
}

func (v *pass) insertProtos(s, outer *subject) []analysisFix {
	if v.servesHTTP(outer) {
		return v.insert(s.lit, `NextProtos: []string{"h2", "http/1.1"}`)
	}
	return nil
}

func (v *pass) isMethod(c *ast.CallExpr, name string) bool {
	fn := v.callee(c.Fun)
	return fn != nil && fn.Name() == name && fn.Pkg() != nil && fn.Pkg().Path() == "crypto/tls"
}

func (v *pass) ownKeys(s *subject, body ast.Node) bool {
	return slices.ContainsFunc(v.callsIn(body), func(c call) bool {
		return c.name == "crypto/tls.(Config).SetSessionTicketKeys" && slices.Contains(s.holders, v.base(c.Fun.(*ast.SelectorExpr).X))
	})
}

// disk finds certificates that are read from disk in every handshake.
func (v *pass) disk(s *setting) {
	for _, body := range v.bodies(s.value) {
		for _, c := range v.callsIn(body) {
			switch c.name {
			case "crypto/tls.LoadX509KeyPair", "os.ReadFile", "io/ioutil.ReadFile":
				v.report(41, c, nil, "every handshake reads the disk, before the client has shown anything: read it once and when it changes, as tlsconfig.Files does")
			}
		}
	}
}

// served says whether keys are set in a config that somebody has a copy of by then.
func (v *pass) served(c call) bool {
	sel, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	config := v.base(sel.X)
	later := slices.ContainsFunc(c.stack, func(n ast.Node) bool { // again and again, or on the side
		switch n.(type) {
		case *ast.GoStmt, *ast.ForStmt, *ast.RangeStmt:
			return true
		}
		return false
	})
	if inner, ok := ast.Unparen(sel.X).(*ast.SelectorExpr); ok && v.fieldOf(inner.Sel) == "Server.TLSConfig" {
		return later
	}
	fn := outermost(c.stack)
	if fn == nil || config == nil {
		return false
	}
	for _, other := range v.callsIn(fn) {
		if other.name == "google.golang.org/grpc/credentials.NewTLS" && len(other.Args) == 1 && v.base(other.Args[0]) == config && (later || other.Pos() < c.Pos()) {
			return true
		}
	}
	for _, s := range v.settings {
		if s.field == "Server.TLSConfig" && s.fn == fn && v.base(s.value) == config && later {
			return true
		}
	}
	return false
}
