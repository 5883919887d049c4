package tlsconfig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ruleKey makes a key by the name of its kind. Those that FIPS 140-3 mode does not make are skipped.
func ruleKey(t *testing.T, kind string) crypto.Signer {
	if fips140.Enforced() && (kind == "P-224" || kind == "RSA-1024") {
		t.Skipf("no %s key can be made under GODEBUG=fips140=only", kind)
	}
	var key crypto.Signer
	var err error
	switch kind {
	case "P-224":
		key, err = ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	case "P-256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P-384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "P-521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "RSA-1024":
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case "RSA-2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	require.NoError(t, err)
	return key
}

// ruleCert is a certificate of a chain that a test makes.
type ruleCert struct {
	*x509.Certificate
	key crypto.Signer
}

// ruleIssue makes a certificate that lives for life. A nil issuer signs itself.
func ruleIssue(t *testing.T, issuer *ruleCert, name, kind string, signature x509.SignatureAlgorithm, life time.Duration) *ruleCert {
	key := ruleKey(t, kind)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, SignatureAlgorithm: signature,
		NotBefore: time.Unix(1_800_000_000, 0), NotAfter: time.Unix(1_800_000_000, 0).Add(life), IsCA: name != "leaf", BasicConstraintsValid: true,
	}
	if issuer == nil {
		issuer = &ruleCert{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Certificate, key.Public(), issuer.key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &ruleCert{cert, key}
}

func ruleSkipSHA1(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("nothing can be signed with SHA-1 under GODEBUG=fips140=only")
	}
}

const ruleDay = 24 * time.Hour

// Keys of leaves, under the policies that differ in them.
func TestRulesOfLeafKeys(t *testing.T) {
	all, err := ParsePolicy([]byte(`{"name": "all", "base": "recommended-2026", "keys": ["ECDSA-P256", "ECDSA-P384", "ECDSA-P521", "Ed25519", "RSA"]}`))
	require.NoError(t, err)
	rsa3072, err := ParsePolicy([]byte(`{"name": "rsa3072", "base": "recommended-2026", "rsa_bits": 3072}`))
	require.NoError(t, err)
	policies := []Policy{Recommended(), MozillaModern(), all, rsa3072, NIST80052r2()}
	for kind, want := range map[string][]bool{ // in the order of policies
		"P-224":    {false, false, false, false, false},
		"P-256":    {true, true, true, true, true},
		"P-384":    {true, true, true, true, true},
		"P-521":    {false, false, true, false, true},
		"Ed25519":  {false, false, true, false, true},
		"RSA-1024": {false, false, false, false, false},
		"RSA-2048": {true, false, true, false, true},
	} {
		t.Run(kind, func(t *testing.T) {
			root := ruleIssue(t, nil, "root", "P-256", x509.ECDSAWithSHA256, ruleDay)
			leaf := ruleIssue(t, root, "leaf", kind, x509.ECDSAWithSHA256, ruleDay)
			for i, p := range policies {
				own := p.checkOwn([]*x509.Certificate{leaf.Certificate}, time.Now())
				peer := p.checkPeer([]*x509.Certificate{leaf.Certificate, root.Certificate})
				if want[i] {
					require.NoError(t, own, p.Name())
					require.NoError(t, peer, p.Name())
					continue
				}
				require.ErrorIs(t, own, ErrCertificate, p.Name())
				require.ErrorIs(t, peer, ErrRefused, p.Name())
				require.Equal(t, ReasonWeak, ReasonOf(peer))
			}
		})
	}
}

// Keys of CAs: of any kind that we know, whatever the policy says of leaves, and RSA of the least size.
func TestRulesOfCAKeys(t *testing.T) {
	for kind, want := range map[string]bool{"P-224": false, "P-256": true, "P-521": true, "Ed25519": true, "RSA-1024": false, "RSA-2048": true} {
		t.Run(kind, func(t *testing.T) {
			root := ruleIssue(t, nil, "root", kind, x509.UnknownSignatureAlgorithm, ruleDay)
			middle := ruleIssue(t, root, "middle", kind, x509.UnknownSignatureAlgorithm, ruleDay)
			leaf := ruleIssue(t, middle, "leaf", "P-256", x509.UnknownSignatureAlgorithm, ruleDay)
			p := MozillaModern()
			for _, chain := range [][]*x509.Certificate{
				{leaf.Certificate, middle.Certificate, root.Certificate},
				{leaf.Certificate, root.Certificate},
			} {
				require.Equal(t, want, p.checkOwn(chain, time.Now()) == nil)
				require.Equal(t, want, p.checkPeer(chain) == nil)
			}
			require.NoError(t, p.checkOwn([]*x509.Certificate{leaf.Certificate}, time.Now()), "nothing is said of a CA that is not in the chain")
		})
	}
	t.Run("the least size is for CAs too", func(t *testing.T) {
		p, err := ParsePolicy([]byte(`{"name": "x", "base": "mozilla-modern-6.0", "rsa_bits": 3072}`))
		require.NoError(t, err)
		root := ruleIssue(t, nil, "root", "RSA-2048", x509.SHA256WithRSA, ruleDay)
		leaf := ruleIssue(t, root, "leaf", "P-256", x509.SHA256WithRSA, ruleDay)
		chain := []*x509.Certificate{leaf.Certificate, root.Certificate}
		require.ErrorIs(t, p.checkPeer(chain), ErrRefused)
		require.ErrorIs(t, p.checkOwn(chain, time.Now()), ErrCertificate)
		require.NoError(t, MozillaModern().checkPeer(chain))
	})
}

func TestRulesOfSignatures(t *testing.T) {
	p := Recommended()
	for _, strong := range []x509.SignatureAlgorithm{
		x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
	} {
		t.Run(strong.String(), func(t *testing.T) {
			root := ruleIssue(t, nil, "root", "RSA-2048", strong, ruleDay)
			leaf := ruleIssue(t, root, "leaf", "P-256", strong, ruleDay)
			require.NoError(t, p.checkOwn([]*x509.Certificate{leaf.Certificate}, time.Now()))
			require.NoError(t, p.checkPeer([]*x509.Certificate{leaf.Certificate, root.Certificate}))
		})
	}
	for _, c := range []struct {
		kind         string
		weak, strong x509.SignatureAlgorithm
	}{
		{"RSA-2048", x509.SHA1WithRSA, x509.SHA256WithRSA},
		{"P-256", x509.ECDSAWithSHA1, x509.ECDSAWithSHA256},
	} {
		t.Run(c.weak.String(), func(t *testing.T) {
			ruleSkipSHA1(t)
			root := ruleIssue(t, nil, "root", c.kind, c.weak, ruleDay)
			middle := ruleIssue(t, root, "middle", c.kind, c.strong, ruleDay)
			weakMiddle := ruleIssue(t, root, "middle", c.kind, c.weak, ruleDay)
			leaf := ruleIssue(t, middle, "leaf", "P-256", c.strong, ruleDay)
			weakLeaf := ruleIssue(t, middle, "leaf", "P-256", c.weak, ruleDay)
			selfLeaf := ruleIssue(t, nil, "leaf", "P-256", x509.ECDSAWithSHA1, ruleDay)
			for name, chain := range map[string][]*x509.Certificate{
				"leaf":        {weakLeaf.Certificate, middle.Certificate, root.Certificate},
				"CA":          {leaf.Certificate, weakMiddle.Certificate, root.Certificate},
				"leaf alone":  {weakLeaf.Certificate},
				"self-signed": {selfLeaf.Certificate},
			} {
				require.ErrorIs(t, p.checkOwn(chain, time.Now()), ErrCertificate, name)
				if len(chain) > 1 {
					require.Equal(t, ReasonWeak, ReasonOf(p.checkPeer(chain)), name)
				}
			}
			chain := []*x509.Certificate{leaf.Certificate, middle.Certificate, root.Certificate}
			require.NoError(t, p.checkOwn(chain, time.Now()), "nobody relies on the signature of a root")
			require.NoError(t, p.checkPeer(chain))
			require.Equal(t, ReasonWeak, ReasonOf(p.checkPeer([]*x509.Certificate{leaf.Certificate, root.Certificate, middle.Certificate})), "only the last of a verified chain is its root")
		})
	}
	t.Run("MD5 and what nobody knows", func(t *testing.T) {
		for _, weak := range []x509.SignatureAlgorithm{x509.UnknownSignatureAlgorithm, x509.MD5WithRSA, x509.DSAWithSHA256} {
			leaf := *ruleIssue(t, nil, "leaf", "P-256", x509.ECDSAWithSHA256, ruleDay).Certificate
			leaf.SignatureAlgorithm = weak // crypto/x509 makes none
			require.ErrorIs(t, p.checkOwn([]*x509.Certificate{&leaf}, time.Now()), ErrCertificate)
		}
	})
}

func TestRulesOfLife(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Policy
		life   time.Duration
		want   bool
	}{
		{"modern, 90 days", MozillaModern(), 90 * ruleDay, true},
		{"modern, dated back an hour", MozillaModern(), 90*ruleDay + time.Hour, true},
		{"modern, a second more", MozillaModern(), 90*ruleDay + time.Hour + time.Second, false},
		{"intermediate, 366 days", MozillaIntermediate(), 366 * ruleDay, true},
		{"intermediate, 398 days", MozillaIntermediate(), 398 * ruleDay, false},
		{"recommended, ten years", Recommended(), 3650 * ruleDay, true},
		{"internal, 7 days", InternalMTLS(), 7 * ruleDay, true},
		{"internal, 8 days", InternalMTLS(), 8 * ruleDay, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := ruleIssue(t, nil, "root", "P-256", x509.ECDSAWithSHA256, 9000*ruleDay)
			leaf := ruleIssue(t, root, "leaf", "P-256", x509.ECDSAWithSHA256, c.life)
			chain := []*x509.Certificate{leaf.Certificate, root.Certificate}
			if c.want {
				require.NoError(t, c.policy.checkOwn(chain, time.Now()))
			} else {
				require.ErrorIs(t, c.policy.checkOwn(chain, time.Now()), ErrCertificate)
			}
			require.NoError(t, c.policy.checkPeer(chain), "the life of a peer's certificate is its own business")
		})
	}
}

func TestRulesOfNothing(t *testing.T) {
	require.ErrorIs(t, Recommended().checkOwn(nil, time.Now()), ErrCertificate)
	require.Equal(t, ReasonNoCertificate, ReasonOf(Recommended().checkPeer(nil)))
	require.ErrorIs(t, Recommended().checkOwn([]*x509.Certificate{{SignatureAlgorithm: x509.SHA256WithRSA}}, time.Now()), ErrCertificate, "a key that crypto/x509 does not know")
}

// The error says what is weak, and not whose it is.
func TestRulesNameNobody(t *testing.T) {
	leaf := ruleIssue(t, nil, "leaf", "Ed25519", x509.PureEd25519, ruleDay)
	err := Recommended().checkPeer([]*x509.Certificate{leaf.Certificate})
	require.EqualError(t, err, `tlsconfig: refused (weak): the leaf has a key of kind Ed25519: policy "recommended-2026" allows ECDSA-P256, ECDSA-P384, RSA`)
}
