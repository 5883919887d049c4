package tlsconfig_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// exampleCertificate returns a self-signed certificate in DER and its key.
func exampleCertificate(curve elliptic.Curve, name string) ([]byte, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return der, key
}

// examplePair returns the files of a self-signed certificate in a new directory, for the caller to remove.
func examplePair(name string) (dir, cert, key string) {
	der, private := exampleCertificate(elliptic.P256(), name)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	if dir, err = os.MkdirTemp("", "example"); err != nil {
		panic(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			panic(err)
		}
	}
	return dir, cert, key
}

func exampleKMS() (chain [][]byte, key crypto.Signer) {
	der, private := exampleCertificate(elliptic.P384(), "kms.example")
	return [][]byte{der}, private
}

func ExampleFiles() {
	dir, cert, key := examplePair("shop.example")
	defer os.RemoveAll(dir)

	id := tlsconfig.Files(cert, key) // a Server or Client that has it looks for new files by itself
	c, err := id.Certificate(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Leaf.DNSNames)
	// Output: [shop.example]
}

func ExampleSealedFiles() {
	dir, cert, key := examplePair("shop.example")
	defer os.RemoveAll(dir)

	// open would decrypt the key with a KMS.
	open := func(_ context.Context, sealed []byte) ([]byte, error) { return sealed, nil }
	c, err := tlsconfig.SealedFiles(cert, key, open).Certificate(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Leaf.DNSNames)
	// Output: [shop.example]
}

func ExampleStatic() {
	der, key := exampleCertificate(elliptic.P256(), "shop.example")

	id := tlsconfig.Static(tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	fmt.Println(id.Changed() == nil) // it never changes
	// Output: true
}

func ExampleBySNI() {
	shop, shopKey := exampleCertificate(elliptic.P256(), "shop.example")
	tenants, tenantsKey := exampleCertificate(elliptic.P256(), "*.tenants.example")

	id := tlsconfig.BySNI(nil, map[string]tlsconfig.Identity{ // nil: who asks for another name is refused
		"shop.example":      tlsconfig.Static(tls.Certificate{Certificate: [][]byte{shop}, PrivateKey: shopKey}),
		"*.tenants.example": tlsconfig.Static(tls.Certificate{Certificate: [][]byte{tenants}, PrivateKey: tenantsKey}),
	})
	server, err := tlsconfig.NewServer(context.Background(), id, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	for _, name := range []string{"SHOP.example", "a.tenants.example", "other.example"} {
		c, err := server.Config().GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil {
			fmt.Println(name, tlsconfig.ReasonOf(err))
			continue
		}
		fmt.Println(name, c.Leaf.DNSNames)
	}
	// Output:
	// SHOP.example [shop.example]
	// a.tenants.example [*.tenants.example]
	// other.example server_name
}

func ExampleRootPEM() {
	der, _ := exampleCertificate(elliptic.P256(), "ca.example")
	whole := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})

	_, err := tlsconfig.RootPEM(whole).Pool()
	fmt.Println(err)
	_, err = tlsconfig.RootPEM(whole[:len(whole)/2]).Pool()
	fmt.Println(err)
	// Output:
	// <nil>
	// tlsconfig: invalid: roots: PEM block 1 is damaged or cut off
}

func ExampleRootFiles() {
	dir, cert, _ := examplePair("ca.example") // a self-signed certificate that says it is a CA
	defer os.RemoveAll(dir)

	_, err := tlsconfig.RootFiles(cert).Pool()
	fmt.Println(err)
	// Output: <nil>
}

func ExampleSystemRoots() {
	// They count for a Client only if they are asked for.
	roots := tlsconfig.SystemRoots()
	fmt.Println(roots.Changed() == nil) // for as long as the process runs
	// Output: true
}
