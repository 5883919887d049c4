package tlsconfig

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Match is a rule that says which verified peers are allowed: DNS, SPIFFE, IP, SPKI, All, Any or AnyIdentity. A rule that was written wrongly allows nobody, and NewServer and NewClient fail with ErrInvalid for it.
// It can't be implemented elsewhere. It is immutable and safe for concurrent use.
type Match interface {
	// match returns nil or a *Refusal with ReasonIdentity. The chain of leaf was verified before.
	match(leaf *x509.Certificate) error
	// describe returns the rule in a canonical form: equal rules have equal texts, and different ones different texts.
	describe() string
	// valid returns what is wrong with the rule.
	valid() error
}

// checkMatch returns ErrInvalid for a rule that is missing or wrong.
func checkMatch(m Match) error {
	if m == nil {
		return invalid("no Match says who is allowed; AnyIdentity() allows every certificate from the roots")
	}
	if err := m.valid(); err != nil {
		return invalid("%w", err)
	}
	return nil
}

// AnyIdentity allows every peer that the roots verify.
func AnyIdentity() Match { return anyIdentity{} }

type anyIdentity struct{}

func (anyIdentity) match(*x509.Certificate) error { return nil }
func (anyIdentity) describe() string              { return "identity()" }
func (anyIdentity) valid() error                  { return nil }

// All allows a peer that every one of the rules allows. It takes at least one.
func All(m ...Match) Match { return newCombined("all", m) }

// Any allows a peer that one of the rules allows. It takes at least one.
func Any(m ...Match) Match { return newCombined("any", m) }

// combined is All or Any.
type combined struct {
	kind  string
	rules []Match
	err   error // what is wrong with it
}

func newCombined(kind string, rules []Match) Match {
	c := combined{kind: kind, rules: slices.Clone(rules)}
	if len(rules) == 0 {
		c.err = fmt.Errorf("%s: it needs at least one rule", kind)
	}
	for _, rule := range rules {
		if rule == nil {
			c.err = errors.Join(c.err, fmt.Errorf("%s: a rule is nil", kind))
			continue
		}
		c.err = errors.Join(c.err, rule.valid())
	}
	return c
}

func (c combined) match(leaf *x509.Certificate) error {
	if c.err != nil {
		return refuse(ReasonIdentity, "%w", c.err)
	}
	for _, rule := range c.rules {
		err := rule.match(leaf)
		if c.kind == "all" && err != nil {
			return err
		}
		if c.kind == "any" && err == nil {
			return nil
		}
	}
	if c.kind == "any" {
		return refuse(ReasonIdentity, "none of the rules allows the certificate")
	}
	return nil
}

func (c combined) describe() string {
	var texts []string
	for _, rule := range c.rules {
		if rule == nil {
			continue // the rule is not valid: nothing is allowed by it
		}
		texts = append(texts, rule.describe())
	}
	return c.kind + set(texts)
}

func (c combined) valid() error { return c.err }

// listed is a rule with a list of values, of which a peer must have one.
type listed struct {
	kind   string
	values []string // in their canonical form
	err    error    // what is wrong with one of them
	allows func(leaf *x509.Certificate) error
}

// newListed returns a rule. canonical returns the canonical form of a value or what is wrong with it.
func newListed(kind string, values []string, canonical func(string) (string, error), allows func(values []string, leaf *x509.Certificate) error) Match {
	l := listed{kind: kind}
	if len(values) == 0 {
		l.err = fmt.Errorf("%s: it needs at least one value", kind)
	}
	for _, value := range values {
		text, err := canonical(value)
		if err != nil {
			l.err = errors.Join(l.err, fmt.Errorf("%s: %.100q: %w", kind, value, err))
			continue
		}
		l.values = append(l.values, text)
	}
	slices.Sort(l.values)
	l.values = slices.Compact(l.values)
	l.allows = func(leaf *x509.Certificate) error { return allows(l.values, leaf) }
	return l
}

func (l listed) match(leaf *x509.Certificate) error {
	err := l.err
	if err == nil {
		err = l.allows(leaf)
	}
	if err != nil {
		return refuse(ReasonIdentity, "%w", err)
	}
	return nil
}

func (l listed) describe() string {
	var quoted []string
	for _, value := range l.values {
		quoted = append(quoted, strconv.Quote(value))
	}
	return l.kind + set(quoted)
}

func (l listed) valid() error { return l.err }

// contains says whether sorted has value.
func contains(sorted []string, value string) bool {
	_, found := slices.BinarySearch(sorted, value)
	return found
}

// set returns texts, none of which has a comma or parenthesis outside of quotes and its own parentheses, as one text.
func set(texts []string) string {
	slices.Sort(texts)
	return "(" + strings.Join(slices.Compact(texts), ",") + ")"
}
