package tlsvet

import (
	"crypto/tls"
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// versions finds traps 14 to 22 and 52.
func (v *pass) versions() {
	least, name := int64(tls.VersionTLS12), "VersionTLS12"
	if v.demands.Version == "1.3" {
		least, name = tls.VersionTLS13, "VersionTLS13"
	}
	for _, field := range []string{"MinVersion", "MaxVersion"} {
		v.each("Config."+field, func(s *setting) {
			is := "can be" // as somebody asks
			if v.constant(s.value) != nil || len(v.values(s.value)) == 1 {
				is = "is"
			}
			for _, n := range v.numbers(s.value) {
				if n != 0 && n < least {
					v.report(14, s.at, v.rename(s.value, name), "%s %s %s, and the policy demands TLS %s: use tls.%s", field, is, tls.VersionName(uint16(n)), v.demands.Version, name)
				}
			}
		})
	}
	v.each("Config.CurvePreferences", v.groups)
	v.each("Config.CipherSuites", v.suites)
	if v.options.Info {
		for _, s := range v.subjects {
			for _, low := range s.set["Config.MinVersion"] {
				if s.fresh && slices.Contains(v.numbers(low.value), tls.VersionTLS12) && !v.has(s, "Config.CipherSuites") {
					v.report(21, low.at, nil, "the default suites of TLS 1.2 have CBC with SHA-1: list CipherSuites")
				}
			}
		}
	}
	for _, c := range v.calls {
		if c.name == "crypto/tls.InsecureCipherSuites" && v.assignsSuites(c) {
			v.report(22, c, nil, "insecure suites are offered: leave them out")
		}
	}
	v.build()
}

// assignsSuites says whether the function around a call fills in CipherSuites.
func (v *pass) assignsSuites(c call) bool {
	fn := outermost(c.stack)
	return fn != nil && slices.ContainsFunc(v.settings, func(s *setting) bool { return s.field == "Config.CipherSuites" && s.fn == fn })
}

func (v *pass) groups(s *setting) {
	all, whole := v.elements(s.value)
	var hybrid bool
	for _, e := range all {
		for _, n := range v.numbers(e) {
			id := tls.CurveID(n)
			hybrid = hybrid || id == tls.X25519MLKEM768 || id == tls.SecP256r1MLKEM768 || id == tls.SecP384r1MLKEM1024
			if name := groupName(id); !slices.Contains(v.demands.Groups, name) {
				v.report(16, e, nil, "group %s is not in the policy: take it out", name)
			}
		}
		whole = whole && len(v.numbers(e)) > 0
	}
	if !hybrid && whole && len(all) > 0 {
		fixes := v.replace(s.value, "nil")
		v.report(16, s.at, fixes, "CurvePreferences has no post-quantum group: put tls.X25519MLKEM768 in, or leave it nil")
	}
	if v.options.Info && len(all) > 1 {
		v.report(17, s.value, nil, "the order of CurvePreferences does not count")
	}
}

// groupName returns the name that a policy has for a group.
func groupName(id tls.CurveID) string {
	return strings.Replace(id.String(), "CurveP", "P-", 1)
}

func (v *pass) suites(s *setting) {
	if lit, ok := ast.Unparen(s.value).(*ast.CompositeLit); ok && len(lit.Elts) == 0 && len(s.of.set["Config.CipherSuites"]) == 1 {
		v.report(19, s.at, v.replace(s.value, "nil"), "CipherSuites is empty and not nil: no handshake of TLS 1.2 succeeds. Leave it nil, or list suites")
		return
	}
	all, whole := v.elements(s.value)
	var old, http2 bool
	for _, e := range all {
		for _, n := range v.numbers(e) {
			id := uint16(n)
			name := tls.CipherSuiteName(id)
			switch {
			case id >= tls.TLS_AES_128_GCM_SHA256 && id <= tls.TLS_CHACHA20_POLY1305_SHA256:
				v.report(18, e, nil, "%s is of TLS 1.3, whose suites can't be chosen: take it out", name)
			case v.demands.Version == "1.3":
				v.report(22, e, nil, "%s is of TLS 1.2, and the policy demands TLS 1.3: leave CipherSuites nil", name)
			case !v.demands.allowsSuite(name):
				v.report(22, e, nil, "the policy does not allow %s: take it out", name)
			}
			old = old || id < tls.TLS_AES_128_GCM_SHA256 || id > tls.TLS_CHACHA20_POLY1305_SHA256
			http2 = http2 || id == tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 || id == tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
		}
		whole = whole && len(v.numbers(e)) > 0
	}
	if whole && old && !http2 && v.servesHTTP(s.of) && !slices.ContainsFunc(s.of.set["Config.MinVersion"], func(m *setting) bool { return slices.Contains(v.numbers(m.value), tls.VersionTLS13) }) {
		v.report(20, s.at, nil, "net/http does not serve HTTP/2 with these: list TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or its ECDSA twin, or set MinVersion to tls.VersionTLS13")
	}
	if v.options.Info && len(all) > 1 {
		v.report(17, s.value, nil, "the order of CipherSuites does not count")
	}
}

// servesHTTP says whether a config is that of an http.Server.
func (v *pass) servesHTTP(s *subject) bool {
	for _, set := range v.settings {
		if set.field != "Server.TLSConfig" {
			continue
		}
		for _, e := range append(v.values(set.value), ast.Unparen(set.value)) {
			if u, ok := e.(*ast.UnaryExpr); ok {
				e = ast.Unparen(u.X)
			}
			if s.lit != nil && e == ast.Expr(s.lit) || slices.Contains(s.holders, v.base(e)) && v.base(e) != nil {
				return true
			}
		}
	}
	return false
}

// weakSettings are the values of GODEBUG that weaken TLS, with their traps: those that tlsconfig finds in a running program. See https://go.dev/doc/godebug.
var weakSettings = map[string]int{
	"tls10server=1": 14, "tls3des=1": 22, "tlsrsakex=1": 22, "tlsunsafeekm=1": 52, "fips140ems=0": 52, "tlsmlkem=0": 16, "tlssecpmlkem=0": 16,
	"cryptocustomrand=1": 25, "http2client=0": 30, "http2server=0": 29,
	"tlssha1=1": 42, "rsa1024min=0": 42, "x509negativeserial=1": 42, "x509usepolicies=0": 42, "x509rsacrt=0": 42, "x509usefallbackroots=1": 49,
}

// build finds settings of a program, in //go:debug lines and go.mod.
func (v *pass) build() {
	if v.pass.Pkg.Name() != "main" || len(v.pass.Files) == 0 {
		return
	}
	for _, file := range v.pass.Files {
		for _, group := range file.Comments {
			for _, c := range group.List {
				if setting, ok := strings.CutPrefix(c.Text, "//go:debug "); ok {
					v.weak(c, strings.TrimSpace(setting), "this line")
				}
			}
		}
	}
	v.module(v.pass.Files[0])
}

func (v *pass) weak(at ast.Node, setting, where string) {
	if trap, ok := weakSettings[setting]; ok {
		v.report(trap, at, nil, "%s weakens TLS with GODEBUG %s: take it out", where, setting)
	}
	if old, ok := strings.CutPrefix(setting, "default=go"); ok && beforeMLKEM(old) {
		v.report(15, at, nil, "%s gives the program the defaults of Go %s, without post-quantum groups: take it out", where, old)
	}
}

// beforeMLKEM says whether a go line is older than 1.24, which brought ML-KEM to TLS.
func beforeMLKEM(version string) bool {
	var minor int
	_, err := fmt.Sscanf(version, "1.%d", &minor)
	return err == nil && minor < 24
}
