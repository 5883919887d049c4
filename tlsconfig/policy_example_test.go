package tlsconfig_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// A platform team's file: a profile, and what is stricter.
func ExampleParsePolicy() {
	policy, err := tlsconfig.ParsePolicy([]byte(`{
		"name": "acme-2026",
		"base": "mozilla-modern-6.0",
		"groups": ["X25519MLKEM768", "P-256"],
		"certificate_days": 47
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(policy)

	_, err = tlsconfig.ParsePolicy([]byte(`{"name": "old", "base": "recommended-2026", "suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]}`))
	fmt.Println(errors.Is(err, tlsconfig.ErrInvalid))
	// Output:
	// acme-2026: TLS 1.3; groups X25519MLKEM768, P-256; keys ECDSA-P256, ECDSA-P384; RSA from 2048 bits; own certificates up to 47 days; tickets up to 1440 minutes
	// true
}

// What two policies both allow.
func ExamplePolicy_Tighten() {
	both, err := tlsconfig.Recommended().Tighten(tlsconfig.PostQuantumRequired())
	fmt.Println(both.Name(), err)

	x25519, _ := tlsconfig.ParsePolicy([]byte(`{"name": "x25519", "base": "mozilla-modern-6.0", "groups": ["X25519"]}`))
	_, err = both.Tighten(x25519)
	fmt.Println(err)
	// Output:
	// pq-required-2026 <nil>
	// tlsconfig: invalid: policies "pq-required-2026" and "x25519" have no group in common
}

func ExampleNamed() {
	policy, ok := tlsconfig.Named("mozilla-modern-6.0")
	fmt.Println(policy.Name(), ok)
	whole, err := json.Marshal(policy)
	fmt.Println(string(whole), err)

	_, ok = tlsconfig.Named("mozilla-old-5.7")
	fmt.Println(ok)
	// Output:
	// mozilla-modern-6.0 true
	// {"name":"mozilla-modern-6.0","min_version":"1.3","groups":["X25519MLKEM768","X25519","P-256","P-384"],"keys":["ECDSA-P256","ECDSA-P384"],"rsa_bits":2048,"certificate_days":90,"require_clients":false,"private_roots":false,"fips140":false,"ticket_minutes":1440} <nil>
	// false
}

// The package that a platform team has every service import sets the floor at the start of the program.
func ExampleSetFloor() {
	defer freshProcess()() // the other examples of this page have no floor

	fmt.Println(tlsconfig.SetFloor(tlsconfig.MozillaIntermediate(), "platform team <platform@example.com>"))

	err := tlsconfig.SetFloor(tlsconfig.MozillaModern(), "another team")
	fmt.Println(err)
	// Output:
	// <nil>
	// tlsconfig: invalid: floor: "mozilla-intermediate-6.0" of "platform team <platform@example.com>" is set already, and a process has one
}

// freshProcess undoes what the other tests of this process did, and returns what undoes what the example does.
func freshProcess() func() {
	tlsconfig.ForgetFloor()
	return tlsconfig.ForgetFloor
}

func ExamplePolicy_Deviations() {
	policy, _ := tlsconfig.ParsePolicy([]byte(`{"name": "strict", "base": "mozilla-modern-6.0", "groups": ["P-256"]}`))
	for _, d := range policy.Deviations()[1:] { // the first is about TLS 1.3 suites and FIPS 140-3 mode, which is different from process to process
		fmt.Println(d.What)
	}
	// Output:
	// the order of suites and groups is that of crypto/tls
	// clients are told that a session ticket lives for seven days
	// the signature algorithms that peers are asked for are all that crypto/tls has
}
