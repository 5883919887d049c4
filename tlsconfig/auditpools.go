package tlsconfig

import (
	"crypto/x509"
	"reflect"
	"slices"
)

// judgePool judges a pool of CAs that peers are verified by: of the field RootCAs or ClientCAs. nil, which means those of the system, is judged elsewhere for ClientCAs.
func (e *examined) judgePool(field string, pool *x509.CertPool) {
	if slices.Contains(e.pools, pool) {
		return
	}
	e.pools = append(e.pools, pool)
	clients := field == "ClientCAs"
	name := "set " + field + " to the CAs that you mean, and no others"
	system := e.system != nil && !e.system.Equal(x509.NewCertPool())
	switch {
	case pool == nil && clients:
	case pool == nil:
		if e.policy.privateRoots() {
			e.find(49, SeverityViolation, name, "%s is nil, which means the CAs of the system, and the policy demands private ones", field)
		}
	case pool.Equal(x509.NewCertPool()):
		e.find(12, SeverityViolation, "look why no CA was loaded, and don't ignore what AppendCertsFromPEM returns", "%s has no CA: every peer is refused", field)
	case system && pool.Equal(e.system) && clients:
		severity := SeverityWarning
		if e.policy.privateRoots() {
			severity = SeverityViolation
		}
		e.find(9, severity, name, "%s are the CAs of the system: clients with a certificate of any of them are let in", field)
	case system && pool.Equal(e.system):
		if e.policy.privateRoots() {
			e.find(49, SeverityViolation, name, "%s are the CAs of the system, and the policy demands private ones", field)
		}
	case system && includes(pool, e.system) && clients:
		e.find(9, SeverityViolation, name, "%s has the CAs of the system beside others: clients with a certificate of any of them are let in", field)
	case system && includes(pool, e.system):
		severity := SeverityWarning
		if e.policy.privateRoots() {
			severity = SeverityViolation
		}
		e.find(49, severity, name, "%s has private CAs beside those of the system: a public CA can speak for the private names, and on macOS and Windows the verifier of the system has rules of its own", field)
	}
	if pool != nil && hasConstraint(pool) {
		e.find(6, SeverityWarning, "check it in VerifyConnection too", "%s has a CA with a constraint (AddCertWithConstraint), which is not evaluated for sessions that are resumed", field)
	}
}

// includes says whether a pool has a CA of the name of each in other. It is false on macOS and Windows, whose pools of the system don't say what they have.
func includes(pool, other *x509.CertPool) bool {
	//lint:ignore SA1019 the one way to look into a pool; that it leaves out the CAs of macOS and Windows is said above
	has, want := pool.Subjects(), other.Subjects()
	subjects := make(map[string]bool, len(has))
	for _, subject := range has {
		subjects[string(subject)] = true
	}
	for _, subject := range want {
		if !subjects[string(subject)] {
			return false
		}
	}
	return len(want) > 0
}

// hasConstraint says whether a CA of a pool was added with a constraint. crypto/x509 does not tell, so this looks for the field itself: false if a later version has another name for it.
func hasConstraint(pool *x509.CertPool) bool {
	certs := reflect.ValueOf(pool).Elem().FieldByName("lazyCerts")
	if certs.Kind() != reflect.Slice {
		return false
	}
	for i := range certs.Len() {
		if f := certs.Index(i).FieldByName("constraint"); f.Kind() == reflect.Func && !f.IsNil() {
			return true
		}
	}
	return false
}
