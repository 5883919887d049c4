package tlsconfig

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrViolation says that an audit has found what its policy forbids.
var ErrViolation = errors.New("violation")

// Report is what an audit has found. Its JSON form has these fields, whose names stay; as text see String. It is not safe for concurrent use while it is changed.
type Report struct {
	// Policy is the name of the policy that was audited against.
	Policy string `json:"policy"`
	// Findings are in the order of the targets, the worst of each first.
	Findings []Finding `json:"findings"`
	// Facts are one for each target, in their order.
	Facts []Facts `json:"facts"`
}

// maxErrFindings is how many findings the text of Err names.
const maxErrFindings = 5

// Err returns an error that wraps ErrViolation and names the first violations, for a program that is not to start with one. It is nil if there is none: warnings are no error.
func (r *Report) Err() error {
	var first []string
	count := 0
	for _, f := range r.Findings {
		if f.Severity != SeverityViolation {
			continue
		}
		if count++; count <= maxErrFindings {
			first = append(first, fmt.Sprintf("%q: %s", f.Target, f.What))
		}
	}
	switch {
	case count == 0:
		return nil
	case count > len(first):
		first = append(first, fmt.Sprintf("and %d more", count-len(first)))
	}
	return fmt.Errorf("tlsconfig: %w of policy %q: %s", ErrViolation, r.Policy, strings.Join(first, "; "))
}

// sort puts the findings of each target together, the worst first.
func (r *Report) sort() {
	place := map[string]int{}
	for i, f := range r.Facts {
		if _, ok := place[f.Target]; !ok {
			place[f.Target] = i
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(place[a.Target]-place[b.Target], a.Severity.rank()-b.Severity.rank(), a.Trap-b.Trap)
	})
}
