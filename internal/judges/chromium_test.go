//go:build chromium

package judges_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// TestChromium has a browser load the page by a post-quantum hybrid, also where the server offers nothing else.
func TestChromium(t *testing.T) {
	browser := find(t, "chromium")
	for _, p := range profiles {
		name := p.policy.Name()
		if name != tlsconfig.Recommended().Name() && name != tlsconfig.PostQuantumRequired().Name() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := serve(t, p, p.keys[0])
			pin := sha256.Sum256(s.leaf.Leaf.RawSubjectPublicKeyInfo)
			dir, err := os.MkdirTemp("", "chromium")
			require.NoError(t, err)
			defer os.RemoveAll(dir) // a process of it may still write there

			out, err := run(t, "", browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync", "--disable-breakpad",
				"--no-first-run", "--disable-background-networking", "--disable-component-update", "--user-data-dir="+dir,
				"--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(pin[:]), // the throw-away CA is not among its roots
				"--dump-dom", "https://localhost:"+s.port+"/")
			require.NoError(t, err, out)
			require.Contains(t, out, page)

			seen := s.seen.handshakes()
			require.NotEmpty(t, seen)
			for _, event := range seen {
				require.Equal(t, uint16(tls.VersionTLS13), event.Version)
				require.Equal(t, tls.X25519MLKEM768, event.Group)
				require.Equal(t, "h2", event.Protocol)
			}
		})
	}
}
