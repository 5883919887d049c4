package tlsconfig_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// The platform team keeps what is enforced and tries something stricter.
func ExampleSignPolicy() {
	public, private, _ := ed25519.GenerateKey(nil)
	today, tomorrow := tlsconfig.MozillaIntermediate(), tlsconfig.PostQuantumRequired()
	now := time.Now()
	file, err := tlsconfig.SignPolicy(private, tlsconfig.PolicyDocument{
		Version: 2, NotBefore: now, Expires: now.AddDate(0, 0, 14), Policy: &today, ReportOnly: &tomorrow,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := tlsconfig.ParseSignedPolicy(file, public)
	fmt.Println(d.Version, d.Policy.Name(), d.ReportOnly.Name(), err)
	// Output: 2 mozilla-intermediate-6.0 pq-required-2026 <nil>
}

// A service has the public key in its code, and the file is brought by whatever brings configuration.
func ExampleSignedPolicy() {
	public, private, _ := ed25519.GenerateKey(nil)
	dir, _ := os.MkdirTemp("", "policy")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "policy.signed")
	strict, now := tlsconfig.PostQuantumRequired(), time.Now()
	file, _ := tlsconfig.SignPolicy(private, tlsconfig.PolicyDocument{Version: 1, NotBefore: now.Add(-time.Hour), Expires: now.Add(time.Hour), Policy: &strict})
	os.WriteFile(path, file, 0o644)

	client, err := tlsconfig.NewClient(context.Background(), tlsconfig.SystemRoots(), &tlsconfig.ClientOptions{Central: tlsconfig.SignedPolicy(path, public)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println(client.Policy().Name())
	// Output: pq-required-2026
}

// The inventory goes wherever evidence is kept.
func ExampleServer_Inventory() {
	var t testing.T
	ca := tlsconfigtest.NewCA(&t, nil)
	server, err := tlsconfig.NewServer(context.Background(), tlsconfig.Static(ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"api.example"}, Server: true})), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	i := server.Inventory()
	if _, err := json.MarshalIndent(i, "", "  "); err != nil {
		fmt.Println(err)
	}
	fmt.Println(i.Kind, i.Policy.Demands.Name(), i.Certificates[0].DNS, i.Certificates[0].Key, i.Clients)
	// Output: server recommended-2026 [api.example] ECDSA-P256 not asked
}
