package clienthello

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
)

// Hello is what a client offers: this and nothing more.
type Hello struct {
	// Versions are offered, from tls.VersionSSL30 to tls.VersionTLS13. At least one. Without TLS 1.3 a hello can only name the highest, and a server may answer with any below it.
	Versions []uint16
	// Suites are the cipher suites, the preferred first. At least one.
	Suites []uint16
	// Groups are those for key exchange, the preferred first. There is no key share for any, so that a TLS 1.3 server that agrees to one must ask for its share by name. None leaves the extension out.
	Groups []tls.CurveID
	// Protocols are the application protocols (ALPN), 1 to 255 bytes each. None leaves the extension out.
	Protocols []string
	// ServerName is the host name that is asked for, up to 255 bytes, and never an address (RFC 6066 section 3). Empty leaves the extension out.
	ServerName string
}

// The extensions that a Hello may have (IANA, TLS ExtensionType Values).
const (
	extServerName          = 0
	extSupportedGroups     = 10
	extPointFormats        = 11
	extSignatureAlgorithms = 13
	extALPN                = 16
	extExtendedMaster      = 23
	extSupportedVersions   = 43
	extKeyShare            = 51
	extRenegotiationInfo   = 0xff01
)

// schemes are all that a server may want to sign with, the old ones too: a prober wants an answer.
var schemes = []tls.SignatureScheme{
	tls.ECDSAWithP256AndSHA256, tls.ECDSAWithP384AndSHA384, tls.ECDSAWithP521AndSHA512, tls.Ed25519,
	tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512, tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512,
	tls.ECDSAWithSHA1, tls.PKCS1WithSHA1,
}

// check refuses what has no encoding.
func (h Hello) check() error {
	for _, v := range h.Versions {
		if v < versionSSL30 || v > tls.VersionTLS13 {
			return fmt.Errorf("clienthello: version %#04x is not of SSL 3.0 to TLS 1.3", v)
		}
	}
	for _, p := range h.Protocols {
		if len(p) == 0 || len(p) > 255 {
			return fmt.Errorf("clienthello: protocol of %d bytes, want 1 to 255", len(p))
		}
	}
	switch {
	case len(h.Versions) == 0 || len(h.Versions) > 127:
		return fmt.Errorf("clienthello: %d versions, want 1 to 127", len(h.Versions))
	case len(h.Suites) == 0:
		return errors.New("clienthello: no cipher suite")
	case len(h.ServerName) > 255:
		return fmt.Errorf("clienthello: server name of %d bytes, want up to 255", len(h.ServerName))
	case 2*len(h.Suites)+2*len(h.Groups) > maxRecord/2 || 256*len(h.Protocols) > maxRecord/4: // the rest is below a quarter
		return errors.New("clienthello: more than one record holds")
	}
	return nil
}

// versionSSL30 is tls.VersionSSL30, which is deprecated as such.
const versionSSL30 = 0x0300

// record returns h as the first record of a connection.
func (h Hello) record() ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	random := make([]byte, 32)
	rand.Read(random) // never fails
	highest := slices.Max(h.Versions)

	body := be.AppendUint16(nil, min(highest, tls.VersionTLS12)) // TLS 1.3 is named in an extension only
	body = append(body, random...)
	body = append(body, 0) // no session to resume
	body = append(body, vector16(list16(h.Suites))...)
	body = append(body, 1, 0) // no compression
	if highest > versionSSL30 {
		body = append(body, vector16(h.extensions(highest))...)
	}
	message := append([]byte{typeClientHello, 0}, vector16(body)...)
	return append(be.AppendUint16([]byte{recordHandshake}, min(highest, tls.VersionTLS10)), vector16(message)...), nil
}

// extensions returns them, which SSL 3.0 has not.
func (h Hello) extensions(highest uint16) []byte {
	var all []byte
	add := func(id uint16, body []byte) { all = append(be.AppendUint16(all, id), vector16(body)...) }
	if h.ServerName != "" {
		add(extServerName, vector16(append([]byte{0}, vector16([]byte(h.ServerName))...))) // 0: a host name
	}
	if len(h.Groups) > 0 {
		add(extSupportedGroups, vector16(list16(h.Groups)))
		add(extPointFormats, []byte{1, 0}) // uncompressed
	}
	add(extSignatureAlgorithms, vector16(list16(schemes)))
	if len(h.Protocols) > 0 {
		var names []byte
		for _, p := range h.Protocols {
			names = append(names, vector8([]byte(p))...)
		}
		add(extALPN, vector16(names))
	}
	add(extExtendedMaster, nil)
	add(extRenegotiationInfo, []byte{0})
	if highest == tls.VersionTLS13 {
		add(extSupportedVersions, vector8(list16(h.Versions)))
		if len(h.Groups) > 0 {
			add(extKeyShare, vector16(nil)) // none: asks the server to name a group (RFC 8446 section 4.2.8)
		}
	}
	return all
}
