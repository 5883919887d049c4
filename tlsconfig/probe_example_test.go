package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

func ExampleProbe() {
	server := httptest.NewUnstartedServer(http.NotFoundHandler()) // a server on the network
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()

	report, err := tlsconfig.Probe(context.Background(), tlsconfig.MozillaModern(), tlsconfig.Endpoint{Address: server.Listener.Addr().String(), ServerName: "example.com"})
	if report == nil { // the call was wrong
		fmt.Println(err)
		return
	}
	for _, facts := range report.Facts {
		fmt.Println(facts.Versions, facts.Trust)
	}
	for _, f := range report.Findings {
		if f.Trap == 14 {
			fmt.Printf("%s: %s; %s\n", f.Severity, f.What, f.Fix)
		}
	}
	fmt.Println("violation:", errors.Is(report.Err(), tlsconfig.ErrViolation), "whole:", err == nil)
	// Output:
	// [TLS 1.2] not verified
	// violation: it agrees to TLS 1.2; switch off TLS 1.2
	// violation: true whole: true
}
