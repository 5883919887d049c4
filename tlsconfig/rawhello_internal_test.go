package tlsconfig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rawHello is a ClientHello as nobody's library sends it: with whatever one asks for and nothing more.
type rawHello struct {
	legacy   uint16   // version field of before TLS 1.3: 0 for TLS 1.2
	versions []uint16 // no extension if empty
	suites   []uint16
	groups   []tls.CurveID // no extension if empty
	points   []byte        // no extension if empty
}

// record returns the hello in a TLS record. It has no key shares: a server that agrees to a group of TLS 1.3 asks for one.
func (h rawHello) record() []byte {
	be := binary.BigEndian
	vector8 := func(b []byte) []byte { return append([]byte{byte(len(b))}, b...) }
	vector16 := func(b []byte) []byte { return append(be.AppendUint16(nil, uint16(len(b))), b...) }
	var versions, suites, groups, extensions []byte
	for _, v := range h.versions {
		versions = be.AppendUint16(versions, v)
	}
	for _, s := range h.suites {
		suites = be.AppendUint16(suites, s)
	}
	for _, g := range h.groups {
		groups = be.AppendUint16(groups, uint16(g))
	}
	extension := func(id uint16, body []byte) {
		extensions = append(be.AppendUint16(extensions, id), vector16(body)...)
	}
	extension(23, nil) // extended_master_secret
	var schemes []byte
	for _, s := range []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256, tls.PKCS1WithSHA256} {
		schemes = be.AppendUint16(schemes, uint16(s))
	}
	extension(13, vector16(schemes))
	if len(groups) > 0 {
		extension(10, vector16(groups))
	}
	if len(h.points) > 0 {
		extension(11, vector8(h.points))
	}
	if len(versions) > 0 {
		extension(43, vector8(versions))
		extension(51, vector16(nil))
	}
	legacy := h.legacy
	if legacy == 0 {
		legacy = tls.VersionTLS12
	}
	body := be.AppendUint16(nil, legacy)
	body = append(body, make([]byte, 32)...) // random
	body = append(body, 0)                   // no session
	body = append(body, vector16(suites)...)
	body = append(body, 1, 0) // no compression
	body = append(body, vector16(extensions)...)
	message := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	return append([]byte{22, 3, 1}, vector16(message)...)
}

// ask says whether a server with this config goes on after the hello, and what it saw of it.
func (h rawHello) ask(t require.TestingT, config *tls.Config) (agrees bool, info *tls.ClientHelloInfo) {
	config = config.Clone()
	config.GetConfigForClient = func(i *tls.ClientHelloInfo) (*tls.Config, error) {
		info = i
		return nil, nil
	}
	client, server := net.Pipe()
	var wait sync.WaitGroup
	wait.Go(func() {
		_ = tls.Server(server, config).Handshake() // the client below never ends it
		server.Close()
	})
	_, err := client.Write(h.record())
	require.NoError(t, err)
	kind := make([]byte, 1)
	_, err = io.ReadFull(client, kind)
	require.NoError(t, err)
	require.Contains(t, []byte{21, 22}, kind[0], "want an alert or a handshake message")
	client.Close()
	wait.Wait()
	require.NotNil(t, info, "the hello was not read")
	return kind[0] == 22, info
}

// rawCertificates are an ECDSA and an RSA certificate, so that a server can take any suite.
var rawCertificates = sync.OnceValue(func() []tls.Certificate {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	var all []tls.Certificate
	for _, key := range []crypto.Signer{ec, rs} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"server.example"}, IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			panic(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		all = append(all, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf})
	}
	return all
})

// configured returns a server's config under p, with a certificate for whatever suites the client shares. (Left to itself, crypto/tls chooses by TLS 1.3 for a hello that has it in the legacy field alone.)
func configured(p Policy) *tls.Config {
	c := &tls.Config{}
	p.configure(c)
	c.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		for _, s := range c.CipherSuites {
			if strings.HasPrefix(tls.CipherSuiteName(s), "TLS_ECDHE_RSA_") && slices.Contains(h.CipherSuites, s) && !profileTakenByFIPS(s, 0) {
				return &rawCertificates()[1], nil
			}
		}
		return &rawCertificates()[0], nil
	}
	return c
}

func TestRawHelloIsReadAsMeant(t *testing.T) {
	h := rawHello{versions: []uint16{tls.VersionTLS13, tls.VersionTLS12}, suites: []uint16{tls.TLS_AES_128_GCM_SHA256, 0x0a0a}, groups: []tls.CurveID{tls.CurveP256, 0x1a1a}, points: []byte{0}}
	agrees, info := h.ask(t, configured(Recommended()))
	require.True(t, agrees)
	require.Equal(t, h.versions, info.SupportedVersions)
	require.Equal(t, h.suites, info.CipherSuites)
	require.Equal(t, h.groups, info.SupportedCurves)
	require.Equal(t, h.points, info.SupportedPoints)
}
