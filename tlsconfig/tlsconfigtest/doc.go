// Package tlsconfigtest has what tests of TLS need: a throw-away CA, certificates that are bad in every way, and handshakes in memory.
//
// A test that a service refuses what it must goes over the lab:
//
//	ca := tlsconfigtest.NewCA(t, nil)
//	for _, bad := range tlsconfigtest.BadServers(ca, "api.example") {
//		// serve bad.Certificate, connect: it must fail with bad.Reason
//	}
//
// All fails the test that was given to NewCA when something can't be made, so use it in the goroutine of the test.
// Keys are made anew each time and are for tests only. It works under GODEBUG=fips140=only, with what exists there.
package tlsconfigtest
