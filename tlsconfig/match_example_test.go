package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// exampleClients prints what a server that verifies clients makes of some.
func exampleClients(ca *tlsconfigtest.CA, clients *tlsconfig.Clients, leaves ...*tlsconfigtest.Leaf) {
	var t testing.T
	identity := tlsconfig.Static(ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"server.example"}}))
	server, err := tlsconfig.NewServer(context.Background(), identity, &tlsconfig.ServerOptions{Clients: clients})
	if err != nil {
		fmt.Println("not a rule:", errors.Is(err, tlsconfig.ErrInvalid))
		return
	}
	defer server.Close()
	for _, leaf := range leaves {
		client := &tls.Config{RootCAs: ca.Pool(), ServerName: "server.example", Certificates: []tls.Certificate{ca.Issue(leaf)}}
		if _, _, err, _ := tlsconfigtest.Pipe(&t, server.Config(), client); err != nil {
			fmt.Println("refused:", tlsconfig.ReasonOf(err))
		} else {
			fmt.Println("allowed")
		}
	}
}

func ExampleSPIFFE() {
	var t testing.T
	ca := tlsconfigtest.NewCA(&t, nil)
	clients := &tlsconfig.Clients{
		Roots: tlsconfig.RootPEM(ca.PEM()),
		Allow: tlsconfig.SPIFFE("spiffe://example.org/payments/api", "spiffe://partner.example/*"),
	}
	exampleClients(
		ca, clients,
		&tlsconfigtest.Leaf{URI: []string{"spiffe://example.org/payments/api"}},
		&tlsconfigtest.Leaf{URI: []string{"spiffe://partner.example/anything"}},
		&tlsconfigtest.Leaf{URI: []string{"spiffe://example.org/payments/api-v2"}},
	)

	clients.Allow = tlsconfig.SPIFFE("spiffe://example.org/payments/*") // there are no patterns for paths
	exampleClients(ca, clients)
	// Output:
	// allowed
	// allowed
	// refused: identity
	// not a rule: true
}

func ExampleDNS() {
	var t testing.T
	ca := tlsconfigtest.NewCA(&t, nil)
	clients := &tlsconfig.Clients{Roots: tlsconfig.RootPEM(ca.PEM()), Allow: tlsconfig.DNS("billing.example", "*.workers.example")}
	exampleClients(
		ca, clients,
		&tlsconfigtest.Leaf{DNS: []string{"billing.example"}},
		&tlsconfigtest.Leaf{DNS: []string{"7.workers.example"}},
		&tlsconfigtest.Leaf{CommonName: "billing.example"},
	)
	// Output:
	// allowed
	// allowed
	// refused: identity
}

func ExampleAll() {
	var t testing.T
	ca := tlsconfigtest.NewCA(&t, nil)
	office := tlsconfig.IP(netip.MustParsePrefix("192.0.2.0/24"))
	clients := &tlsconfig.Clients{
		Roots: tlsconfig.RootPEM(ca.PEM()),
		Allow: tlsconfig.All(tlsconfig.Any(tlsconfig.DNS("a.example"), tlsconfig.DNS("b.example")), office),
	}
	exampleClients(
		ca, clients,
		&tlsconfigtest.Leaf{DNS: []string{"b.example"}, IP: []netip.Addr{netip.MustParseAddr("192.0.2.7")}},
		&tlsconfigtest.Leaf{DNS: []string{"b.example"}},
	)
	// Output:
	// allowed
	// refused: identity
}

func ExampleCRLFiles() {
	var t testing.T
	ca := tlsconfigtest.NewCA(&t, nil)
	dir, err := os.MkdirTemp("", "crl")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "crl.pem") // which your CA writes
	if err := os.WriteFile(file, ca.CRL(nil), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	clients := &tlsconfig.Clients{Roots: tlsconfig.RootPEM(ca.PEM()), Allow: tlsconfig.AnyIdentity(), Revoked: tlsconfig.CRLFiles(file)}
	exampleClients(ca, clients, &tlsconfigtest.Leaf{DNS: []string{"a.example"}})
	// Output: allowed
}
