package tlsconfig

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What a signed policy is, byte for byte: FORMAT.md.
const (
	signedPolicyFormat = "holdfast tls policy 1"
	signedPolicyPrefix = "holdfast tlsconfig signed policy 1\x00" // before what is signed: JSON never starts so
	maxPolicyVersion   = 1<<53 - 1                                // what every reader of JSON keeps exact
)

// PolicyDocument is what a signed policy file says. At least one of its policies is there.
type PolicyDocument struct {
	// Version is higher in each file than in the one before: 1 to 2^53-1.
	Version uint64
	// NotBefore and Expires are when the file may be taken, from the one to the other, in whole seconds.
	NotBefore, Expires time.Time
	// Policy is kept by all who take the file, beside their own. nil adds nothing.
	Policy *Policy
	// ReportOnly refuses nothing: Observers hear of the handshakes that it would refuse, which are all where it leaves no group or no kind of key. nil for none.
	ReportOnly *Policy
}

// signedPolicyFile is the JSON form of the file.
type signedPolicyFile struct {
	Format    string `json:"format"`
	Key       string `json:"key"`       // which signed: keyID
	Signed    string `json:"signed"`    // the document as JSON, in base64
	Signature string `json:"signature"` // of prefix and document, in base64
}

// signedPolicyJSON is the JSON form of a PolicyDocument.
type signedPolicyJSON struct {
	Version    uint64  `json:"version"`
	NotBefore  string  `json:"not_before"`
	Expires    string  `json:"expires"`
	Policy     *Policy `json:"policy,omitempty"`
	ReportOnly *Policy `json:"report_only,omitempty"`
}

// SignPolicy returns the signed file of a document, which [SignedPolicy] reads, at most 64 KiB. It returns ErrInvalid for a document that nobody would take at any time, or for what is not a key. Whether it is time for it is not looked at.
func SignPolicy(key ed25519.PrivateKey, d PolicyDocument) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, invalid("signed policy: want an Ed25519 private key of %d bytes, not %d", ed25519.PrivateKeySize, len(key))
	}
	if !key.Equal(ed25519.NewKeyFromSeed(key.Seed())) {
		return nil, invalid("signed policy: the private key and the public key in it are not a pair")
	}
	document, err := json.Marshal(signedPolicyJSON{d.Version, d.NotBefore.UTC().Format(time.RFC3339), d.Expires.UTC().Format(time.RFC3339), d.Policy, d.ReportOnly})
	if err == nil {
		_, err = parsePolicyDocument(document)
	}
	if err != nil {
		return nil, invalid("signed policy: %w", err)
	}
	return signDocument(key, document), nil
}

// signDocument returns the file of a document that may be anything.
func signDocument(key ed25519.PrivateKey, document []byte) []byte {
	file, err := json.Marshal(signedPolicyFile{
		Format:    signedPolicyFormat,
		Key:       policyKeyID(key.Public().(ed25519.PublicKey)),
		Signed:    base64.StdEncoding.EncodeToString(document),
		Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(key, signedPolicyMessage(document))),
	})
	if err != nil {
		panic("tlsconfig: " + err.Error()) // strings can be marshaled
	}
	return append(file, '\n')
}

// ParseSignedPolicy returns what a signed file says if one of keys has signed it, or ErrInvalid. Whether it is time for it, and whether another came before, is not looked at.
func ParseSignedPolicy(file []byte, keys ...ed25519.PublicKey) (PolicyDocument, error) {
	s, err := openSignedPolicy(file, keys)
	if err != nil {
		return PolicyDocument{}, invalid("signed policy: %w", err)
	}
	return s.PolicyDocument, nil
}

// signedPolicy is a file whose signature is good. It is immutable.
type signedPolicy struct {
	PolicyDocument
	digest [sha256.Size]byte // of what was signed
	key    string            // who signed it
}

// untrustedPolicy is why a signature does not count.
type untrustedPolicy string

func (u untrustedPolicy) Error() string { return string(u) }

// openSignedPolicy reads nothing of the document before the signature is good. Errors have no prefix.
func openSignedPolicy(data []byte, keys []ed25519.PublicKey) (*signedPolicy, error) {
	if err := checkPolicyKeys(keys); err != nil {
		return nil, err
	}
	fields, err := strictObject(data)
	if err != nil {
		return nil, err
	}
	var f signedPolicyFile
	for _, field := range []struct {
		name  string
		where *string
	}{{"format", &f.Format}, {"key", &f.Key}, {"signed", &f.Signed}, {"signature", &f.Signature}} {
		if ok, err := fields.take(field.name, field.where); err != nil {
			return nil, err
		} else if !ok {
			return nil, fmt.Errorf("%s is missing", field.name)
		}
	}
	if err := fields.rest(); err != nil {
		return nil, err
	}
	if f.Format != signedPolicyFormat {
		return nil, fmt.Errorf("format %.64q: want %q", f.Format, signedPolicyFormat)
	}
	document, err := canonicalBase64("signed", f.Signed)
	if err != nil {
		return nil, err
	}
	signature, err := canonicalBase64("signature", f.Signature)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if policyKeyID(key) != f.Key {
			continue
		}
		if !ed25519.Verify(key, signedPolicyMessage(document), signature) {
			return nil, untrustedPolicy("the signature is not that of key " + f.Key + ": the file was changed after it was signed")
		}
		d, err := parsePolicyDocument(document)
		if err != nil {
			return nil, err
		}
		return &signedPolicy{d, sha256.Sum256(document), f.Key}, nil
	}
	return nil, untrustedPolicy(fmt.Sprintf("key %.64q has signed it, which is none of those that count", f.Key))
}

// checkPolicyKeys refuses what can't be public keys.
func checkPolicyKeys(keys []ed25519.PublicKey) error {
	if len(keys) == 0 {
		return errors.New("no public key is given that could have signed it")
	}
	for i, key := range keys {
		if len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("public key %d has %d bytes: an Ed25519 key has %d", i+1, len(key), ed25519.PublicKeySize)
		}
		if bytes.Count(key, key[:1]) == len(key) {
			return fmt.Errorf("public key %d is one byte %d times", i+1, len(key))
		}
		if smallOrder(key) {
			return fmt.Errorf("public key %d is a point of small order, for which anybody can sign", i+1)
		}
	}
	return nil
}

// smallOrderPoints are the y of the 8 points of curve25519 whose order divides 8, in hexadecimal, little-endian: 1, -1, 0, those of order 8, and 0 and 1 again with the prime added, which crypto/ed25519 takes.
// Each goes with both signs of x: 14 keys.
var smallOrderPoints = [...]string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// smallOrder says whether a public key is of such a point: of no private key, and good for signatures that need none.
func smallOrder(key ed25519.PublicKey) bool {
	y := bytes.Clone(key)
	y[len(y)-1] &= 0x7f // without the sign of x
	return slices.Contains(smallOrderPoints[:], hex.EncodeToString(y))
}

// parsePolicyDocument reads what was signed.
func parsePolicyDocument(document []byte) (d PolicyDocument, err error) {
	fields, err := strictObject(document)
	if err != nil {
		return d, err
	}
	if ok, err := fields.take("version", &d.Version); err != nil {
		return d, err
	} else if !ok || d.Version == 0 || d.Version > maxPolicyVersion {
		return d, fmt.Errorf("version: want 1 to %d", uint64(maxPolicyVersion))
	}
	if d.NotBefore, err = fields.takeSecond("not_before"); err != nil {
		return d, err
	}
	if d.Expires, err = fields.takeSecond("expires"); err != nil {
		return d, err
	}
	if !d.Expires.After(d.NotBefore) {
		return d, errors.New("expires is not after not_before")
	}
	for _, field := range []struct {
		name  string
		where **Policy
	}{{"policy", &d.Policy}, {"report_only", &d.ReportOnly}} {
		var raw json.RawMessage
		if ok, err := fields.take(field.name, &raw); err != nil || !ok {
			continue // a RawMessage takes everything
		}
		r, err := parseRules(raw)
		if err != nil {
			return d, fmt.Errorf("%s: %w", field.name, err)
		}
		*field.where = &Policy{r}
	}
	if d.Policy == nil && d.ReportOnly == nil {
		return d, errors.New("there is neither policy nor report_only")
	}
	return d, fields.rest()
}

// takeSecond takes a time: RFC 3339 in UTC, in whole seconds.
func (f jsonFields) takeSecond(name string) (time.Time, error) {
	var text string
	if ok, err := f.take(name, &text); err != nil {
		return time.Time{}, err
	} else if !ok {
		return time.Time{}, fmt.Errorf("%s is missing", name)
	}
	t, err := time.Parse("2006-01-02T15:04:05Z", text)
	if err != nil || t.UTC().Format(time.RFC3339) != text {
		return time.Time{}, fmt.Errorf("%s %.64q: want a time such as \"2026-11-30T08:00:00Z\"", name, text)
	}
	return t, nil
}

// canonicalBase64 decodes the one way to write some bytes.
func canonicalBase64(name, text string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(b) != text {
		return nil, fmt.Errorf("%s: want base64 (RFC 4648 section 4) with padding and without line breaks", name)
	}
	return b, nil
}

// signedPolicyMessage is what the signature is of.
func signedPolicyMessage(document []byte) []byte {
	return append([]byte(signedPolicyPrefix), document...)
}

// policyKeyID names a public key: the first 8 bytes of its SHA-256, in lower-case hexadecimal.
func policyKeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}
