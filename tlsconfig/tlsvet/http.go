package tlsvet

import (
	"go/ast"
	"regexp"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// connection is the name of a type that connects.
var connection = regexp.MustCompile(`\bnet\.\w*(?:Conn|Dialer)\b`)

type analysisFix = analysis.SuggestedFix

// http finds traps 30 to 34 and 36.
func (v *pass) http() {
	for _, s := range v.subjects {
		if !s.fresh || s.lit == nil {
			continue
		}
		at := place(s, nil)
		if at == nil || s.lit.Type == nil {
			at = s.lit
		}
		switch s.kind {
		case "Transport":
			v.transport(s, at)
		case "Server":
			if !v.has(s, "Server.ReadHeaderTimeout", "Server.ReadTimeout") {
				v.report(32, at, v.seconds(s.lit, "ReadHeaderTimeout"), "ReadHeaderTimeout and ReadTimeout are zero: a client that says nothing holds a connection for ever. Set ReadHeaderTimeout; tlsconfig.Server.Serve does")
			}
		}
	}
	for _, c := range v.calls {
		switch c.name {
		case "net/http.ListenAndServeTLS", "net/http.ServeTLS":
			v.report(32, c, nil, "this server has no limits of time: use an http.Server with ReadHeaderTimeout, or tlsconfig.Server.Serve")
		case "crypto/tls.(Conn).Handshake", "crypto/tls.(Conn).HandshakeContext":
			if v.acceptLoop(c) {
				v.report(33, c, nil, "while one client is slow to shake hands, no other is accepted: do it in a goroutine, with a deadline")
			}
		case "google.golang.org/grpc.NewServer":
			if v.option(c, "Creds") && !v.option(c, "ConnectionTimeout") && !c.Ellipsis.IsValid() {
				v.report(34, c, nil, "a client may take two minutes for its handshake: give grpc.ConnectionTimeout")
			}
		}
	}
}

func (v *pass) transport(s *subject, at ast.Node) {
	if v.pretends(s) || v.finished(s) {
		return
	}
	dials := sets(s, "Transport.DialTLSContext", "Transport.DialTLS")
	if (dials || sets(s, "Transport.TLSClientConfig", "Transport.Dial", "Transport.DialContext")) &&
		!v.has(s, "Transport.ForceAttemptHTTP2", "Transport.TLSNextProto", "Transport.Protocols", "Transport.HTTP2") && !v.configuresHTTP2(s) {
		v.report(30, at, v.insert(s.lit, "ForceAttemptHTTP2: true"), "net/http switches HTTP/2 off where TLSClientConfig or a dialer is set: set ForceAttemptHTTP2; tlsconfig.Client.Transport does")
	}
	if !v.has(s, "Transport.TLSHandshakeTimeout") && !dials && !v.hurried(s) {
		v.report(31, at, v.seconds(s.lit, "TLSHandshakeTimeout"), "TLSHandshakeTimeout is zero: a server that says nothing holds a request for ever. Set it, or clone http.DefaultTransport")
	}
	if dials && sets(s, "Transport.TLSClientConfig") && !v.copies(s) {
		v.report(36, at, nil, "TLSClientConfig counts for proxied requests only where DialTLSContext is set, and the dialer for all others: set one of the two")
	}
}

// finished says whether a function of another package takes a transport and gives it back, as SetTransportDefaults of Kubernetes: it is there to set the rest.
func (v *pass) finished(s *subject) bool {
	return slices.ContainsFunc(v.calls, func(c call) bool {
		fn := v.callee(c.Fun)
		return fn != nil && v.decls[fn] == nil && v.kindOf(v.info.TypeOf(c.CallExpr)) == "Transport" && slices.ContainsFunc(c.Args, func(e ast.Expr) bool { return v.standsFor(e, s, maxDepth) })
	})
}

// pretends says whether the dialer of a transport makes connections up, as that of httputil.DumpRequestOut: then nobody shakes hands.
func (v *pass) pretends(s *subject) bool {
	for _, field := range []string{"Transport.Dial", "Transport.DialContext"} {
		for _, dialer := range s.set[field] {
			if bodies := v.bodies(dialer.value); len(bodies) > 0 && !slices.ContainsFunc(bodies, v.connects) {
				return true
			}
		}
	}
	return false
}

// connects says whether a function gets a connection of package net from anywhere.
func (v *pass) connects(fn ast.Node) bool {
	found := false
	ast.Inspect(fn, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			if _, ok := e.(*ast.FuncType); ok {
				return false // what it returns, and not what it does
			}
			if _, ok := e.(*ast.FuncLit); !ok {
				t := v.info.TypeOf(e)
				found = found || t != nil && connection.MatchString(t.String())
			}
		}
		return !found
	})
	return found
}

// hurried says whether a transport is that of a client whose Timeout bounds each request with its handshake.
func (v *pass) hurried(s *subject) bool {
	return slices.ContainsFunc(v.subjects, func(c *subject) bool {
		return v.has(c, "Client.Timeout") && slices.ContainsFunc(c.set["Client.Transport"], func(t *setting) bool { return v.standsFor(t.value, s, maxDepth) })
	})
}

// copies says whether the dialer of a transport is that of another: then the two fields were decided elsewhere.
func (v *pass) copies(s *subject) bool {
	return slices.ContainsFunc(s.set["Transport.DialTLSContext"], func(d *setting) bool {
		sel, ok := ast.Unparen(d.value).(*ast.SelectorExpr)
		return ok && v.fieldOf(sel.Sel) == d.field
	})
}

func (v *pass) configuresHTTP2(s *subject) bool {
	return slices.ContainsFunc(v.calls, func(c call) bool {
		return (c.name == "golang.org/x/net/http2.ConfigureTransport" || c.name == "golang.org/x/net/http2.ConfigureTransports") && slices.Contains(s.holders, v.base(c.Args[0]))
	})
}

// seconds suggests a limit of ten seconds, where the file has package time.
func (v *pass) seconds(lit *ast.CompositeLit, field string) []analysisFix {
	for _, file := range v.pass.Files {
		if !inside(lit, file) {
			continue
		}
		for _, i := range file.Imports {
			if i.Path.Value == `"time"` && i.Name == nil {
				return v.insert(lit, field+": 10 * time.Second")
			}
		}
	}
	return nil
}

// acceptLoop says whether a call is in a loop that accepts connections, and in its goroutine.
func (v *pass) acceptLoop(c call) bool {
	for _, n := range slices.Backward(c.stack) {
		switch n := n.(type) {
		case *ast.FuncLit, *ast.GoStmt:
			return false
		case *ast.ForStmt:
			if slices.ContainsFunc(v.callsIn(n.Body), func(a call) bool {
				fn := v.callee(a.Fun)
				return fn != nil && (fn.Name() == "Accept" || fn.Name() == "AcceptTCP") && len(a.Args) == 0
			}) {
				return true
			}
		}
	}
	return false
}

// option says whether a call of grpc gets an option of this name.
func (v *pass) option(c call, name string) bool {
	return slices.ContainsFunc(c.Args, func(e ast.Expr) bool {
		return slices.ContainsFunc(v.values(e), func(e ast.Expr) bool {
			o, ok := e.(*ast.CallExpr)
			return ok && v.isCall(o, "google.golang.org/grpc."+name)
		})
	})
}
