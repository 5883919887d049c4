package tlsconfig

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds of what ParsePolicy reads.
const (
	maxPolicyBytes = 64 << 10
	maxPolicyName  = 128
)

// policyFile is the JSON form of a Policy.
type policyFile struct {
	Name            string   `json:"name,omitempty"`
	MinVersion      string   `json:"min_version"`
	Suites          []string `json:"suites,omitempty"`
	Groups          []string `json:"groups"`
	Keys            []string `json:"keys"`
	RSABits         int      `json:"rsa_bits"`
	CertificateDays int      `json:"certificate_days"`
	RequireClients  bool     `json:"require_clients"`
	PrivateRoots    bool     `json:"private_roots"`
	FIPS140         bool     `json:"fips140"`
	TicketMinutes   int      `json:"ticket_minutes"`
}

func (r *rules) file() policyFile {
	version := "1.2"
	if r.minVersion == tls.VersionTLS13 {
		version = "1.3"
	}
	return policyFile{
		r.name, version, policySuites.names(r.suites), policyGroups.names(r.groups), policyKeys.names(r.keys),
		r.rsaBits, r.leafDays, r.clients, r.privateRoots, r.fips, r.ticketMinutes,
	}
}

// MarshalJSON returns the whole policy as [ParsePolicy] reads it, sets in a fixed order.
func (p Policy) MarshalJSON() ([]byte, error) { return json.Marshal(p.rules().file()) }

// UnmarshalJSON reads what [ParsePolicy] reads, as strictly, and leaves p alone where that is an error. It takes no null either: the zero value stands for [Recommended], which nobody asked for.
func (p *Policy) UnmarshalJSON(data []byte) error {
	read, err := ParsePolicy(data)
	if err == nil {
		*p = read
	}
	return err
}

// canonical returns bytes that are equal if and only if two policies demand the same, whatever they are called.
func (p Policy) canonical() []byte {
	f := p.rules().file()
	f.Name = ""
	b, err := json.Marshal(f)
	if err != nil {
		panic("tlsconfig: " + err.Error()) // strings, numbers and booleans can be marshaled
	}
	return append([]byte("tlsconfig policy 1\n"), b...)
}

// ParsePolicy reads a policy: one JSON object of at most 64 KiB, such as
//
//	{"name": "acme-2026", "base": "mozilla-intermediate-6.0", "groups": ["X25519MLKEM768", "X25519"], "certificate_days": 90}
//
// These are its fields. Those that are absent are as in the base.
//
//	name              required: 1 to 128 letters, digits and . _ + - ; the name of a profile only for that very profile
//	base              a profile to start from. Fields replace its own, also with something weaker
//	min_version       "1.2" or "1.3"; required without a base. With "1.3" the suites of the base are dropped
//	suites            TLS 1.2 suites by their IANA names, with forward secrecy and AEAD; required if min_version is "1.2" and the base has none. Those of TLS 1.3 can't be chosen
//	groups            of X25519MLKEM768, SecP256r1MLKEM768, SecP384r1MLKEM1024, X25519, P-256, P-384, P-521; required without a base
//	keys              of leaf certificates, ours and the peer's: of ECDSA-P256, ECDSA-P384, ECDSA-P521, Ed25519, RSA; required without a base
//	rsa_bits          the least size of RSA keys, in leaf and CA certificates: 2048 to 8192, 2048 without a base
//	certificate_days  the longest life of our own leaf certificates, up to 36500 and an hour more for backdating; 0 for no limit, which is so without a base
//	require_clients   whether a server must verify its clients
//	private_roots     whether the roots of the system are refused
//	fips140           whether FIPS 140-3 mode must be on
//	ticket_minutes    the longest life of a session ticket: 1 to 1440, 1440 without a base
//
// An unknown or repeated field or value, an empty set, null, and anything after the object are errors, all ErrInvalid.
func ParsePolicy(data []byte) (Policy, error) {
	r, err := parseRules(data)
	if err != nil {
		return Policy{}, invalid("policy: %w", err)
	}
	return Policy{r}, nil
}

func parseRules(data []byte) (*rules, error) {
	fields, err := strictObject(data)
	if err != nil {
		return nil, err
	}
	r := &rules{rsaBits: minRSABits, ticketMinutes: maxTicketMinutes}
	var base, version string
	if ok, err := fields.take("base", &base); err != nil {
		return nil, err
	} else if ok {
		p, known := Named(base)
		if !known {
			return nil, fmt.Errorf("base %.64q: there is no such profile", base)
		}
		*r = *p.rules()
	}
	r.name = ""
	if _, err := fields.take("name", &r.name); err != nil {
		return nil, err
	}
	if ok, err := fields.take("min_version", &version); err != nil {
		return nil, err
	} else if ok {
		if err := r.setVersion(version); err != nil {
			return nil, err
		}
	}
	for _, set := range []struct {
		name  string
		list  terms
		where *policySet
	}{{"suites", policySuites, &r.suites}, {"groups", policyGroups, &r.groups}, {"keys", policyKeys, &r.keys}} {
		if err := fields.takeSet(set.name, set.list, set.where); err != nil {
			return nil, err
		}
	}
	for _, field := range []struct {
		name  string
		where any
	}{
		{"rsa_bits", &r.rsaBits},
		{"certificate_days", &r.leafDays},
		{"ticket_minutes", &r.ticketMinutes},
		{"require_clients", &r.clients},
		{"private_roots", &r.privateRoots},
		{"fips140", &r.fips},
	} {
		if _, err := fields.take(field.name, field.where); err != nil {
			return nil, err
		}
	}
	if err := fields.rest(); err != nil {
		return nil, err
	}
	return r, r.valid()
}

func (r *rules) setVersion(version string) error {
	switch version {
	case "1.2":
		r.minVersion = tls.VersionTLS12
	case "1.3":
		r.minVersion = tls.VersionTLS13
		r.suites = 0
	default:
		return fmt.Errorf("min_version %.64q: want \"1.2\" or \"1.3\"; versions before 1.2 are broken and no policy allows them", version)
	}
	return nil
}

// valid says whether r is a whole policy.
func (r *rules) valid() error {
	outside := func(field string, n, least, most int) error {
		if n < least || n > most {
			return fmt.Errorf("%s %d: want %d to %d", field, n, least, most)
		}
		return nil
	}
	switch {
	case r.name == "" || len(r.name) > maxPolicyName || strings.ContainsFunc(r.name, func(c rune) bool { return !nameRune(c) }):
		return fmt.Errorf("name %.64q: want 1 to %d letters, digits and . _ + -", r.name, maxPolicyName)
	case r.minVersion == 0:
		return errors.New("min_version is missing, and there is no base to take it from")
	case r.minVersion == tls.VersionTLS12 && r.suites == 0:
		return errors.New("suites are missing: TLS 1.2 needs some")
	case r.minVersion == tls.VersionTLS13 && r.suites != 0:
		return errors.New("suites are those of TLS 1.2, which min_version forbids: remove them. Those of TLS 1.3 can't be chosen")
	case r.groups == 0:
		return errors.New("groups are missing, and there is no base to take them from")
	case r.keys == 0:
		return errors.New("keys are missing, and there is no base to take them from")
	}
	if p, ok := Named(r.name); ok && !p.rules().same(r) {
		return fmt.Errorf("name %q is that of a profile which demands something else: choose another name", r.name)
	}
	return cmp.Or(
		outside("rsa_bits", r.rsaBits, minRSABits, maxRSABits),
		outside("certificate_days", r.leafDays, 0, maxLeafDays),
		outside("ticket_minutes", r.ticketMinutes, 1, maxTicketMinutes))
}

func nameRune(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._+-", c)
}

// takeSet moves a list of terms to where, if it is there.
func (f jsonFields) takeSet(name string, list terms, where *policySet) error {
	var names []string
	if ok, err := f.take(name, &names); err != nil || !ok {
		return err
	}
	var set policySet
	for _, n := range names {
		t := list.byName(n)
		switch {
		case t == 0 && name == "suites":
			return fmt.Errorf("suites: %w", unknownSuite(n))
		case t == 0:
			return fmt.Errorf("%s: unknown %.64q: want of %s", name, n, strings.Join(policyNames(list), ", "))
		case set&t != 0:
			return fmt.Errorf("%s: %q is there twice", name, n)
		}
		set |= t
	}
	if set == 0 {
		return fmt.Errorf("%s: the set is empty: name at least one, or remove the field", name)
	}
	*where = set
	return nil
}

func policyNames(list terms) []string { return list.names(1<<len(list) - 1) }

// unknownSuite says why a suite can't be named.
func unknownSuite(name string) error {
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		switch {
		case s.Name != name:
		case slices.Contains(s.SupportedVersions, tls.VersionTLS13):
			return fmt.Errorf("%q is of TLS 1.3, whose suites can't be chosen: remove it", name)
		default:
			return fmt.Errorf("%q is weak: no policy allows RSA key exchange, CBC, 3DES and RC4", name)
		}
	}
	return fmt.Errorf("unknown %.64q: want of %s", name, strings.Join(policyNames(policySuites), ", "))
}
