package tlsconfig_test

import (
	"crypto/ed25519"
	"crypto/tls"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// signer is who signs policy files in tests.
type signer struct {
	key    ed25519.PrivateKey
	public ed25519.PublicKey
}

func newSigner(seed byte) signer {
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
	return signer{key, key.Public().(ed25519.PublicKey)}
}

// document is one that counts now.
func document(version uint64, p *tlsconfig.Policy) tlsconfig.PolicyDocument {
	now := time.Now()
	return tlsconfig.PolicyDocument{Version: version, NotBefore: now.Add(-time.Hour), Expires: now.Add(time.Hour), Policy: p}
}

func (s signer) sign(t testing.TB, d tlsconfig.PolicyDocument) []byte {
	t.Helper()
	file, err := tlsconfig.SignPolicy(s.key, d)
	require.NoError(t, err)
	return file
}

// policyOf returns a policy by its JSON form.
func policyOf(t testing.TB, text string) *tlsconfig.Policy {
	p, err := tlsconfig.ParsePolicy([]byte(text))
	require.NoError(t, err)
	return &p
}

// badPolicyFiles are files that nobody takes after version 5 with MozillaModern, and why.
func badPolicyFiles(t testing.TB, s signer) map[string]struct {
	content []byte
	reason  tlsconfig.Reason
	start   bool // also at the start, when nothing came before
} {
	modern, pq := tlsconfig.MozillaModern(), tlsconfig.PostQuantumRequired()
	good := s.sign(t, document(6, &pq))
	var fields map[string]string
	require.NoError(t, json.Unmarshal(good, &fields))
	with := func(name, value string) []byte {
		changed := map[string]string{}
		for n, v := range fields {
			changed[n] = v
		}
		changed[name] = value
		b, err := json.Marshal(changed)
		require.NoError(t, err)
		return b
	}
	var other map[string]string
	require.NoError(t, json.Unmarshal(s.sign(t, document(7, &modern)), &other))
	expired, future := document(6, &pq), document(6, &pq)
	expired.NotBefore, expired.Expires = time.Now().Add(-time.Hour), time.Now().Add(-time.Second)
	future.NotBefore = time.Now().Add(30 * time.Minute)
	return map[string]struct {
		content []byte
		reason  tlsconfig.Reason
		start   bool
	}{
		"tampered document":       {with("signed", other["signed"]), tlsconfig.ReasonUntrusted, true},
		"tampered signature":      {with("signature", other["signature"]), tlsconfig.ReasonUntrusted, true},
		"signature cut":           {with("signature", fields["signature"][4:]), tlsconfig.ReasonUntrusted, true},
		"line break in base64":    {with("signed", fields["signed"][:8]+"\n"+fields["signed"][8:]), tlsconfig.ReasonOther, true},
		"another format":          {with("format", "holdfast tls policy 2"), tlsconfig.ReasonOther, true},
		"unknown field":           {with("note", "x"), tlsconfig.ReasonOther, true},
		"unknown key":             {newSigner('z').sign(t, document(6, &pq)), tlsconfig.ReasonUntrusted, true},
		"cut off":                 {good[:len(good)/2], tlsconfig.ReasonOther, true},
		"empty":                   {nil, tlsconfig.ReasonOther, true},
		"too large":               {[]byte(string(good) + strings.Repeat(" ", 64<<10)), tlsconfig.ReasonOther, true},
		"expired":                 {s.sign(t, expired), tlsconfig.ReasonExpired, true},
		"from the future":         {s.sign(t, future), tlsconfig.ReasonNotYetValid, true},
		"rolled back":             {s.sign(t, document(4, &pq)), tlsconfig.ReasonOther, false},
		"same version":            {s.sign(t, document(5, &pq)), tlsconfig.ReasonOther, false},
		"no group in common":      {s.sign(t, document(6, policyOf(t, `{"name": "x", "min_version": "1.3", "groups": ["P-521"], "keys": ["ECDSA-P256"]}`))), tlsconfig.ReasonOther, true},
		"no key in common":        {s.sign(t, document(6, policyOf(t, `{"name": "x", "base": "recommended-2026", "keys": ["Ed25519"]}`))), tlsconfig.ReasonOther, true},
		"HTTP/2 impossible":       {s.sign(t, document(6, policyOf(t, `{"name": "x", "base": "recommended-2026", "suites": ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]}`))), tlsconfig.ReasonOther, true},
		"clients demanded":        {s.sign(t, document(6, policyOf(t, `{"name": "x", "base": "recommended-2026", "require_clients": true}`))), tlsconfig.ReasonOther, true},
		"own certificate too old": {s.sign(t, document(6, policyOf(t, `{"name": "x", "base": "recommended-2026", "certificate_days": 1}`))), tlsconfig.ReasonOther, true},
	}
}

// policyFileLab is a server and a client of one file, without a listener.
type policyFileLab struct {
	*served
	path   string
	signer signer
	life   time.Duration
}

func newPolicyFileLab(t testing.TB) *policyFileLab {
	l := &policyFileLab{newServed(t), filepath.Join(t.TempDir(), "policy.signed"), newSigner('a'), 48 * time.Hour}
	l.server, l.client = l.issue(servedHost), l.issue("client.example")
	return l
}

// issue returns a certificate for a name that ends in life.
func (l *policyFileLab) issue(name string) tls.Certificate {
	now := time.Now()
	return l.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{name}, Server: name == servedHost, Client: name != servedHost, Key: tlsconfigtest.KeyP256, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(l.life)})
}

func (l *policyFileLab) file() *tlsconfig.PolicyFile {
	return tlsconfig.SignedPolicy(l.path, l.signer.public)
}

// TestBadPolicyFiles: what is wrong with a file is an error at the start. While a server runs it is told, and the last good file goes on.
func TestBadPolicyFiles(t *testing.T) {
	l := newPolicyFileLab(t)
	modern := tlsconfig.MozillaModern()
	for name, bad := range badPolicyFiles(t, l.signer) {
		t.Run(name, func(t *testing.T) {
			own := *l
			own.path = filepath.Join(t.TempDir(), "policy.signed")
			own.testBad(t, bad.content, bad.reason, bad.start, &modern)
		})
	}
	t.Run("missing", func(t *testing.T) {
		_, err := tlsconfig.NewServer(t.Context(), tlsconfig.Static(l.server), &tlsconfig.ServerOptions{Central: tlsconfig.SignedPolicy(l.path+".none", l.signer.public)})
		require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	})
}

func (l *policyFileLab) testBad(t *testing.T, content []byte, reason tlsconfig.Reason, start bool, before *tlsconfig.Policy) {
	t.Parallel()
	id := tlsconfig.Static(l.server)
	if start {
		writeFile(t, l.path, content)
		_, err := tlsconfig.NewServer(t.Context(), id, &tlsconfig.ServerOptions{Central: l.file()})
		require.Error(t, err)
		if ownFault := strings.Contains(err.Error(), "lives"); !ownFault {
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
		}
	}
	writeFile(t, l.path, l.signer.sign(t, document(5, before)))
	seen := &events{}
	server := l.newServer(t, &tlsconfig.ServerOptions{Central: l.file(), Observer: seen})
	require.NoError(t, server.Healthy())
	require.Equal(t, before.Name(), server.Policy().Name())
	writeFile(t, l.path, content)
	require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindPolicy)) > 0 }, time.Minute, 10*time.Millisecond)
	e := seen.of(tlsconfig.KindPolicy)[0]
	require.Equal(t, reason, e.Reason)
	require.ErrorIs(t, e.Err, tlsconfig.ErrInvalid)
	require.Equal(t, before.Name(), server.Policy().Name())
	if reason != tlsconfig.ReasonNotYetValid {
		require.ErrorIs(t, server.Healthy(), tlsconfig.ErrInvalid)
	} else {
		require.NoError(t, server.Healthy(), "it waits for its time")
	}
	pq := tlsconfig.PostQuantumRequired()
	writeFile(t, l.path, l.signer.sign(t, document(8, &pq)))
	require.Eventually(t, func() bool { return server.Healthy() == nil && len(seen.of(tlsconfig.KindPolicy)) == 2 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, seen.of(tlsconfig.KindPolicy)[1].Err)
	require.Equal(t, pq.Name(), server.Policy().Name())
}

// TestPolicyFileAtClient: a client that shows no certificate can't keep a policy that wants one, and says the same of bad files.
func TestPolicyFileAtClient(t *testing.T) {
	l := newPolicyFileLab(t)
	internal := policyOf(t, `{"name": "x", "base": "recommended-2026", "require_clients": true}`)
	writeFile(t, l.path, l.signer.sign(t, document(1, internal)))
	_, err := tlsconfig.NewClient(t.Context(), l.roots(), &tlsconfig.ClientOptions{Central: l.file()})
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	client := l.newClient(t, &tlsconfig.ClientOptions{Central: l.file(), Identity: tlsconfig.Static(l.client)})
	require.Equal(t, "x", client.Policy().Name())
	require.NoError(t, client.Healthy())
	_, err = tlsconfig.NewClient(t.Context(), l.roots(), &tlsconfig.ClientOptions{Central: tlsconfig.SignedPolicy(l.path, newSigner('b').public)})
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	_, err = tlsconfig.NewClient(t.Context(), tlsconfig.SystemRoots(), &tlsconfig.ClientOptions{Central: tlsconfig.SignedPolicy(l.path)})
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	for _, key := range [][]byte{nil, make([]byte, 31), make([]byte, 32)} {
		_, err = tlsconfig.ParseSignedPolicy(l.signer.sign(t, document(1, internal)), key)
		require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	}
}

// TestPolicyFileIsOneMemory: who comes later takes no file that is older than the one that others of the process had.
func TestPolicyFileIsOneMemory(t *testing.T) {
	l := newPolicyFileLab(t)
	pq, modern := tlsconfig.PostQuantumRequired(), tlsconfig.MozillaModern()
	writeFile(t, l.path, l.signer.sign(t, document(2, &pq)))
	file := l.file()
	l.newServer(t, &tlsconfig.ServerOptions{Central: file})
	writeFile(t, l.path, l.signer.sign(t, document(1, &modern)))
	client := l.newClient(t, &tlsconfig.ClientOptions{Central: file})
	require.Equal(t, pq.Name(), client.Policy().Name())
	require.ErrorIs(t, client.Healthy(), tlsconfig.ErrInvalid)
}

// TestPolicyFileTime: a file from the future is taken at its time, by itself, and one that expires goes on, unhealthy.
func TestPolicyFileTime(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		l := newPolicyFileLab(t)
		modern, pq := tlsconfig.MozillaModern(), tlsconfig.PostQuantumRequired()
		writeFile(t, l.path, l.signer.sign(t, document(1, &modern)))
		seen := &events{}
		server := l.newServer(t, &tlsconfig.ServerOptions{Central: l.file(), Observer: seen})
		next := document(2, &pq)
		next.NotBefore, next.Expires = time.Now().Add(40*time.Minute), time.Now().Add(2*time.Hour)
		writeFile(t, l.path, l.signer.sign(t, next))
		time.Sleep(39 * time.Minute)
		require.Equal(t, modern.Name(), server.Policy().Name())
		require.NoError(t, server.Healthy())
		require.Len(t, seen.of(tlsconfig.KindPolicy), 1)
		time.Sleep(2 * time.Minute)
		require.Equal(t, pq.Name(), server.Policy().Name())
		require.Len(t, seen.of(tlsconfig.KindPolicy), 2)
		time.Sleep(2 * time.Hour)
		require.Equal(t, pq.Name(), server.Policy().Name())
		require.ErrorContains(t, server.Healthy(), "expired")
		require.Contains(t, server.Inventory().Central.Problem, "expired")
		require.Len(t, seen.of(tlsconfig.KindPolicy), 2)
		last := document(3, &modern)
		writeFile(t, l.path, l.signer.sign(t, last))
		time.Sleep(time.Minute)
		require.NoError(t, server.Healthy())
		require.Equal(t, modern.Name(), server.Policy().Name())
		require.NoError(t, server.Close()) // before the bubble ends
	})
}

// TestPolicyFileWaitsForACertificate: a file that our own certificate is in the way of is taken once that was renewed.
func TestPolicyFileWaitsForACertificate(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		l := newPolicyFileLab(t)
		modern := tlsconfig.MozillaModern()
		writeFile(t, l.path, l.signer.sign(t, document(1, &modern)))
		id := newSwapIdentity(l.server)
		server, err := tlsconfig.NewServer(t.Context(), id, &tlsconfig.ServerOptions{Central: l.file()})
		require.NoError(t, err)
		strict := policyOf(t, `{"name": "day", "base": "mozilla-modern-6.0", "certificate_days": 1}`)
		writeFile(t, l.path, l.signer.sign(t, document(2, strict)))
		time.Sleep(5 * time.Minute)
		require.Equal(t, modern.Name(), server.Policy().Name())
		require.ErrorContains(t, server.Healthy(), "can't be kept")
		now := time.Now()
		id.swap(l.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Server: true, Key: tlsconfigtest.KeyP256, NotBefore: now, NotAfter: now.Add(20 * time.Hour)}))
		time.Sleep(5 * time.Minute)
		require.Equal(t, "day", server.Policy().Name())
		require.NoError(t, server.Healthy())
		require.NoError(t, server.Close())
	})
}

// TestPolicyFileKeys: while the signing key changes files of both count, and afterwards the old one's don't.
func TestPolicyFileKeys(t *testing.T) {
	l := newPolicyFileLab(t)
	next := newSigner('n')
	modern, pq := tlsconfig.MozillaModern(), tlsconfig.PostQuantumRequired()
	writeFile(t, l.path, l.signer.sign(t, document(1, &modern)))
	server := l.newServer(t, &tlsconfig.ServerOptions{Central: tlsconfig.SignedPolicy(l.path, l.signer.public, next.public)})
	writeFile(t, l.path, next.sign(t, document(2, &pq)))
	require.Eventually(t, func() bool { return server.Policy().Name() == pq.Name() }, time.Minute, 10*time.Millisecond)
	require.NoError(t, server.Healthy())
	l.newServer(t, &tlsconfig.ServerOptions{Central: tlsconfig.SignedPolicy(l.path, next.public)})
	_, err := tlsconfig.NewServer(t.Context(), tlsconfig.Static(l.server), &tlsconfig.ServerOptions{Central: l.file()})
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
}
