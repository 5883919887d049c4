package tlsvet

import (
	"crypto/tls"
	"strings"
)

// secrets finds traps 23, 24 and 25.
func (v *pass) secrets() {
	v.each("Config.Renegotiation", func(s *setting) {
		for _, n := range v.numbers(s.value) {
			if tls.RenegotiationSupport(n) != tls.RenegotiateNever {
				v.report(23, s.at, v.rename(s.value, "RenegotiateNever"), "renegotiation lets a server change who it is: leave it tls.RenegotiateNever")
			}
		}
	})
	for _, field := range []struct {
		name string
		trap int
		text string
	}{
		{"Config.KeyLogWriter", 24, "KeyLogWriter writes the keys of every connection: take it out"},
		{"Config.Rand", 25, "Rand replaces the random source: leave it nil"},
		{"Config.Time", 25, "Time replaces the clock that certificates are judged by: leave it nil"},
	} {
		v.each(field.name, func(s *setting) {
			if s.copied(v) {
				return
			}
			v.report(field.trap, s.at, v.replace(s.value, "nil"), "%s", field.text)
		})
	}
}

// copied says whether a setting copies the same field of another config, or the clock of the system.
func (s *setting) copied(v *pass) bool {
	for _, e := range append(v.values(s.value), s.value) {
		if obj := v.base(e); obj != nil && obj.Pkg() != nil {
			if s.field == "Config."+obj.Name() && obj.Pkg().Path() == "crypto/tls" || obj.Pkg().Path() == "time" && obj.Name() == "Now" ||
				obj.Pkg().Path() == "crypto/rand" && strings.EqualFold(obj.Name(), "reader") {
				return true
			}
		}
	}
	return false
}
