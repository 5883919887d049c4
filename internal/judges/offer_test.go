package judges_test

import (
	"crypto/tls"
	"slices"
)

// offer is what a server agrees to, by version, as far as a judge can see it. Lists are sorted.
type offer map[uint16]terms

type terms struct {
	suites []uint16
	groups []tls.CurveID
}

// add adds a suite and a group that were seen, 0 for none.
func (o offer) add(version, suite uint16, group tls.CurveID) {
	t := o[version]
	t.suites = with(t.suites, suite)
	t.groups = with(t.groups, group)
	o[version] = t
}

// with returns a sorted list with one more.
func with[T ~uint16](list []T, one T) []T {
	if i, found := slices.BinarySearch(list, one); !found && one != 0 {
		return slices.Insert(list, i, one)
	}
	return list
}

// classical returns what is left of o for a judge that knows no hybrid group.
func (o offer) classical() offer {
	seen := offer{}
	for version, t := range o {
		for _, group := range t.groups {
			if !slices.Contains(hybrids, group) {
				for _, suite := range t.suites {
					seen.add(version, suite, group)
				}
			}
		}
	}
	return seen
}

// withoutGroups returns what is left of o for a judge that tells no groups.
func (o offer) withoutGroups() offer {
	seen := offer{}
	for version, t := range o {
		seen[version] = terms{suites: t.suites}
	}
	return seen
}
