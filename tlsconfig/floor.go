package tlsconfig

import (
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// maxOwner is the longest owner of a floor, in bytes.
const maxOwner = 128

// processFloor is the floor of the process.
type processFloor struct {
	mu     sync.Mutex
	set    bool
	policy Policy
	owner  string // whom to ask, as errors say
	late   bool   // a Server or Client was made: a floor would come too late for it
}

// floor is the one state of the package: a floor that each package could have of its own is none.
var floor processFloor

// SetFloor makes p the least that every Server and Client of this process keeps. Those without a policy of their own get [Recommended] tightened by p; a policy of their own that is weaker than p is an error that names owner,
// which says whom to ask, such as "platform team <platform@example.com>" (printable, at most 128 bytes).
//
// Call it once at the start of the program. It returns ErrWeaker if a Server or Client was made before; ErrInvalid if there is another floor, if owner is not as it must be, or if this process can't keep p.
// The same policy and owner again are fine. After an error there is no new floor: stop the program. SetFloor is safe for concurrent use.
func SetFloor(p Policy, owner string) error {
	if owner == "" || len(owner) > maxOwner || !utf8.ValidString(owner) || strings.ContainsFunc(owner, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return invalid("owner of the floor: want 1 to %d bytes of printable text that say whom to ask", maxOwner)
	}
	if err := p.check(); err != nil {
		return err
	}
	return floor.put(p, owner)
}

func (f *processFloor) put(p Policy, owner string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.set && f.owner == owner && f.policy.rules().same(p.rules()):
		return nil
	case f.set:
		return invalid("floor: %q of %q is set already, and a process has one", f.policy.Name(), f.owner)
	case f.late:
		return fmt.Errorf("tlsconfig: %w: it is set too late: call SetFloor before the first NewServer and NewClient", ErrWeaker)
	}
	f.set, f.policy, f.owner = true, p, owner
	return nil
}

// underFloor returns the policy that a Server or Client with p must keep, and forbids a floor from now on. If p is explicit that is p, or ErrWeaker; else it is p tightened by the floor.
func underFloor(p Policy, explicit bool) (Policy, error) { return floor.under(p, explicit) }

func (f *processFloor) under(p Policy, explicit bool) (Policy, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late = true
	p = Policy{p.rules()}
	if !f.set {
		return p, nil
	}
	if !explicit {
		return p.Tighten(f.policy)
	}
	if ways := p.rules().weakerThan(f.policy.rules()); len(ways) > 0 {
		return Policy{}, fmt.Errorf("tlsconfig: %w: policy %q, floor %q of %q: %s", ErrWeaker, p.Name(), f.policy.Name(), f.owner, strings.Join(ways, "; "))
	}
	return p, nil
}
