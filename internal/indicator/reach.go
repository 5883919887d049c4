//go:build fipsindicator

package indicator

import _ "unsafe" // for linkname

// The states of the indicator, as in crypto/internal/fips140.
const (
	unset = iota
	notApproved
	approved
)

//go:linkname get crypto/internal/fips140.getIndicator
func get() uint8

//go:linkname set crypto/internal/fips140.setIndicator
func set(uint8)

// Approved runs f, which must stay on its goroutine, and tells whether it called primitives, all of them approved.
func Approved(f func()) bool {
	set(unset)
	f()
	return get() == approved
}
