package tlsvet

import (
	"go/ast"
	"go/constant"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// plaintext finds traps 53 and 54.
func (v *pass) plaintext() {
	if v.pass.Pkg.Path() != "github.com/go-sql-driver/mysql" { // it sets what others ask for
		v.fallbacks()
	}
	for _, c := range v.calls {
		v.dsn(c)
		v.listener(c)
	}
}

func (v *pass) fallbacks() {
	v.each("MySQL.AllowFallbackToPlaintext", func(s *setting) {
		if c := v.constants(s.value); len(c) > 0 && slices.ContainsFunc(v.values(s.value), func(e ast.Expr) bool { x := v.constant(e); return x != nil && x.String() == "true" }) {
			v.report(53, s.at, v.replace(s.value, "false"), "who is in between gets the connection without TLS: set it to false")
		}
	})
	v.each("MySQL.TLSConfig", func(s *setting) {
		for _, t := range v.texts(s.value) {
			v.mysql(s.at, t)
		}
	})
}

func (v *pass) mysql(at ast.Node, mode string) {
	switch strings.ToLower(mode) {
	case "preferred", "skip-verify", "false", "":
		v.report(53, at, nil, "tls=%s does not make sure of the server: register a config of tlsconfig.Client and name it", mode)
	}
}

// dsn judges the data source that a call opens.
func (v *pass) dsn(c call) {
	arg, driver := -1, "postgres"
	switch c.name {
	case "github.com/jackc/pgx/v5.Connect", "github.com/jackc/pgx/v4.Connect", "github.com/jackc/pgx/v5/pgxpool.New", "github.com/jackc/pgx/v4/pgxpool.Connect", "github.com/jackc/pgx/v5/pgconn.Connect":
		arg = 1
	case "github.com/jackc/pgx/v5.ParseConfig", "github.com/jackc/pgx/v4.ParseConfig", "github.com/jackc/pgx/v5/pgxpool.ParseConfig", "github.com/jackc/pgx/v5/pgconn.ParseConfig":
		arg = 0
	case "github.com/go-sql-driver/mysql.ParseDSN":
		arg, driver = 0, "mysql"
	case "database/sql.Open":
		arg, driver = 1, ""
		if names := v.texts(c.Args[0]); len(names) == 1 {
			driver = names[0]
		}
	}
	if arg < 0 || arg >= len(c.Args) {
		return
	}
	for _, text := range v.texts(c.Args[arg]) {
		switch driver {
		case "pgx", "postgres":
			if mode, host := postgresMode(text); mode != "verify-full" && !local(host) {
				v.report(53, c.Args[arg], nil, "sslmode is %s: it does not make sure of the server. Use verify-full", mode)
			}
		case "mysql":
			_, query, _ := strings.Cut(text, "?")
			_, host, _ := strings.Cut(text, "@")
			_, host, _ = strings.Cut(host, "(")
			host, _, _ = strings.Cut(host, ")")
			values, _ := url.ParseQuery(query)
			if !local(hostOf(host)) {
				v.mysql(c.Args[arg], values.Get("tls"))
			}
		}
	}
}

func postgresMode(text string) (mode, host string) {
	mode = "prefer, as it is absent"
	if u, err := url.Parse(text); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		host = u.Hostname()
		if m := u.Query().Get("sslmode"); m != "" {
			mode = m
		}
		return mode, host
	}
	for word := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "sslmode":
			mode = strings.Trim(value, "'")
		case "host":
			host = strings.Trim(value, "'")
		}
	}
	return mode, host
}

func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// local says whether a host is this one, which needs no TLS.
func local(host string) bool {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback() || host == "localhost" || host == "" || strings.HasPrefix(host, "/")
}

// listener judges a call that serves or connects without TLS.
func (v *pass) listener(c call) {
	switch v.pass.Pkg.Path() {
	case "net/http", "google.golang.org/grpc", "google.golang.org/grpc/credentials/insecure":
		return // they do what others ask for
	}
	switch c.name {
	case "net/http.ListenAndServe":
		if !v.loopback(c.Args[0]) {
			v.report(54, c, nil, "this serves plain HTTP, without limits of time: use tlsconfig.Server.Serve")
		}
	case "net/http.(Server).ListenAndServe":
		server := v.base(c.Fun.(*ast.SelectorExpr).X)
		for _, s := range v.held[server] {
			for _, addr := range s.set["Server.Addr"] {
				if v.loopback(addr.value) {
					return
				}
			}
		}
		v.report(54, c, nil, "this serves plain HTTP: use tlsconfig.Server.Serve, or ListenAndServeTLS")
	case "google.golang.org/grpc/credentials/insecure.NewCredentials", "google.golang.org/grpc.WithInsecure":
		v.report(54, c, nil, "this connection has no TLS: use credentials of tlsconfig")
	default:
		if fn := v.callee(c.Fun); fn != nil && fn.Name() == "AddBroker" && len(c.Args) == 1 {
			for _, text := range v.texts(c.Args[0]) {
				u, err := url.Parse(text)
				if err == nil && (u.Scheme == "tcp" || u.Scheme == "mqtt" || u.Scheme == "ws") && !local(u.Hostname()) {
					v.report(54, c, nil, "%s has no TLS: use ssl, mqtts or wss", u.Scheme)
				}
			}
		}
	}
}

func (v *pass) loopback(e ast.Expr) bool {
	if sum, ok := ast.Unparen(e).(*ast.BinaryExpr); ok && v.constant(e) == nil { // a host and a port that is not known
		host := v.constant(sum.X)
		return host != nil && host.Kind() == constant.String && isLoopback(constant.StringVal(host)+"0")
	}
	all := v.texts(e)
	return len(all) > 0 && !slices.ContainsFunc(all, func(a string) bool { return !isLoopback(a) })
}

func isLoopback(address string) bool {
	host := hostOf(address)
	return host != "" && local(host)
}
