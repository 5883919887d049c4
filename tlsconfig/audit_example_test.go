package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

func ExampleAudit() {
	// One of somebody else's, such as the config of a driver.
	config := &tls.Config{
		ServerName:         "billing.example",
		InsecureSkipVerify: true,
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.CurveP256},
	}
	report, err := tlsconfig.Audit(context.Background(), tlsconfig.Recommended(), tlsconfig.ClientConfig("billing", config))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(report)
	// Output:
	// policy "recommended-2026": 3 violations, 1 warning
	// client "billing"
	//   violation (trap 1): InsecureSkipVerify is set
	//     fix: set RootCAs to the CAs of the servers, and leave InsecureSkipVerify false
	//   violation (trap 1): it takes a server with a certificate of an unknown CA
	//     fix: leave InsecureSkipVerify false and set RootCAs; take a new config where roots change, as Client does
	//   violation (trap 1): it takes a server with a certificate for another name
	//     fix: leave InsecureSkipVerify false and set RootCAs; take a new config where roots change, as Client does
	//   warning (trap 16): no post-quantum group is among those it offers: what is recorded today can be read with a quantum computer
	//     fix: set CurvePreferences to the groups of the policy
	//   versions: TLS 1.3
	//   groups: P-256
	//   takes: a certificate of an unknown CA, a certificate for another name, an expired certificate, a good certificate of a CA that it trusts
}

func ExampleReport_Err() {
	report, err := tlsconfig.Audit(context.Background(), tlsconfig.MozillaModern(), tlsconfig.ClientConfig("billing", &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP256}}))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := report.Err(); errors.Is(err, tlsconfig.ErrViolation) {
		fmt.Println(err) // and don't start
	}
	// Output: tlsconfig: violation of policy "mozilla-modern-6.0": "billing": it offers TLS 1.2
}

func ExampleAuditProcess() {
	report := tlsconfig.AuditProcess(tlsconfig.Recommended())
	fmt.Println("may start:", report.Err() == nil)
	// Output: may start: true
}
