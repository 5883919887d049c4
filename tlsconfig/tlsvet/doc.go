// Package tlsvet finds mistakes with TLS in Go source, for go vet and other drivers of go/analysis. It reads the policy that tlsconfig enforces, and its categories are the traps of
// [tlsconfig.Finding]: "trap1" is InsecureSkipVerify in source, as trap 1 is in a running config. Use [Analyzers], or the command in cmd/tlsvet.
//
// A mistake is looked for in one package at a time: through its variables, parameters, unexported fields and functions, and not into other packages. A field that a config of this package
// lacks is a mistake only where nothing else in the package sets it.
//
// # What is found
//
//	tlsverify     1, 2, 3, 46, 47, 48              tlstickets    4, 26, 27, 29, 41
//	tlsclients    6, 8, 9, 10, 11, 12              tlshttp       30 to 34, 36
//	tlsversions   14 to 16, 18 to 20, 22, 52,      tlssecrets    23, 24, 25
//	              and 17 and 21 with Options.Info  tlsplaintext  53, 54
//	              42 and 49 as GODEBUG settings
//
// Source can't tell the rest: whether roots change while tickets live (5), how requests are routed (13), when a config is changed (35), and what is in certificates, files and connections.
// Trap 52 is found as the GODEBUG setting that brings it about, since crypto/tls refuses the export otherwise.
//
// # What is not reported
//
// Files that end in _test.go, unless Options.Tests is set. And traps on one line, or on the line below the comment, with a reason; a comment without one silences nothing and is reported:
//
//	//tlsvet:ignore trap54 behind the proxy of the same pod
//	//tlsvet:ignore trap1,trap14 a prober must see what is bad
//
// # How to run it, and to measure it
//
//	go vet -vettool=$(which tlsvet) ./...
//
// The tests measure how many of the seeded mistakes are found. False alarms over real code are measured in a module that requires it, and every finding looked at by hand:
//
//	tlsvet $(go list -deps ./...)
package tlsvet
