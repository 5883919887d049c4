// Package indicator tests that every primitive call on the data path is one
// that the Go Cryptographic Module's service indicator reports as approved.
//
// The indicator is private to the standard library, so the test reaches it by
// linkname and needs a build of its own:
//
//	GODEBUG=fips140=on go test -tags fipsindicator -ldflags=-checklinkname=0 -run 'Indicator|Approved' ./internal/indicator ./kms/local ./kms/hpke
//
// An ordinary go test runs that command.
package indicator
