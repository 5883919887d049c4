package tlsconfigtest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// WritePair writes a certificate with its chain, and its key, to tls.crt and tls.key in dir. Each file is replaced in one step, as those who renew certificates do; between the two steps they don't match.
func WritePair(t testing.TB, dir string, c tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	var chain bytes.Buffer
	for _, der := range c.Certificate {
		if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			t.Fatalf("tlsconfigtest: %v", err)
		}
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatalf("tlsconfigtest: encode the key: %v", err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	replace(t, certFile, chain.Bytes())
	replace(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	return certFile, keyFile
}

// replace writes a file beside path and then takes its place, so that nobody reads half of it.
func replace(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatalf("tlsconfigtest: %v", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatalf("tlsconfigtest: %v", err)
	}
}
