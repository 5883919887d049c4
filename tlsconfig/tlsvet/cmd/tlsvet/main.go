// Command tlsvet finds mistakes with TLS in Go source. It runs by itself, and under go vet:
//
//	tlsvet ./...
//	go vet -vettool=$(which tlsvet) ./...
//
// Its flags, beside those of all such tools:
//
//	-policy NAME|FILE  a profile of tlsconfig, or a policy file; "recommended-2026" if absent. Under go vet give the absolute path of a file
//	-info              report what is only worth knowing, too
//	-testfiles         look into _test.go files, too
//	-fix               apply the suggested fixes
package main

import (
	"flag"

	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/holdfast-go/holdfast/tlsconfig/tlsvet"
)

func main() {
	var o tlsvet.Options
	flag.Func("policy", "name of a profile, or path of a policy file (default recommended-2026)", o.SetPolicy)
	flag.BoolVar(&o.Info, "info", false, "report what is only worth knowing, too")
	flag.BoolVar(&o.Tests, "testfiles", false, "look into _test.go files, too")
	multichecker.Main(tlsvet.Analyzers(&o)...)
}
