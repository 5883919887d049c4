package awskmstest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// key is a KMS key in one region.
type key struct {
	id, region  string
	description string
	created     time.Time
	state       types.KeyState
	deletion    time.Time // set while PendingDeletion
	window      int       // days from scheduling to deletion
	multiRegion bool
	*material   // shared by the primary and its replicas
}

func (k *key) arn() string { return keyARN(k.region, k.id) }

func keyARN(region, id string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", region, account, id)
}

// CreateKey makes a key for that region and returns its ARN.
func (s *Server) CreateKey(region string) (arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.createKey(region, false).arn()
}

// CreateMultiRegionKey makes a multi-Region primary key in that region and returns its ARN.
func (s *Server) CreateMultiRegionKey(region string) (arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.createKey(region, true).arn()
}

func (s *Server) createKey(region string, multiRegion bool) *key {
	k := &key{id: newKeyID(multiRegion), region: region, created: time.Now(), state: types.KeyStateEnabled, multiRegion: multiRegion}
	k.material = newMaterial(k)
	s.at(region).keys[k.id] = k
	s.known[k.id] = true
	return k
}

// newKeyID returns a UUID, or "mrk-" and as many hex digits: 36 bytes both.
func newKeyID(multiRegion bool) string {
	if multiRegion {
		return "mrk-" + randomHex(16)
	}
	h := randomHex(16)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// randomHex returns 2n hex digits.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func createKey(c *call) (answer, error) {
	if err := c.adminOnly(); err != nil {
		return nil, err
	}
	for _, p := range []struct{ given, supported string }{
		{c.in.KeySpec, "SYMMETRIC_DEFAULT"}, {c.in.KeyUsage, "ENCRYPT_DECRYPT"}, {c.in.Origin, "AWS_KMS"},
	} {
		if p.given != "" && p.given != p.supported {
			return nil, fail("UnsupportedOperationException", "this stand-in has keys of %s only", p.supported)
		}
	}
	k := c.createKey(c.region, c.in.MultiRegion)
	k.description = c.in.Description
	return answer{"KeyMetadata": k.metadata()}, nil
}

func describeKey(c *call) (answer, error) {
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return nil, err
	}
	return answer{"KeyMetadata": k.metadata()}, nil
}

// metadata is what DescribeKey tells.
func (k *key) metadata() answer {
	m := answer{
		"AWSAccountId":          account,
		"Arn":                   k.arn(),
		"CreationDate":          epoch(k.created),
		"CurrentKeyMaterialId":  k.current().id,
		"CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
		"Description":           k.description,
		"Enabled":               k.state == types.KeyStateEnabled,
		"EncryptionAlgorithms":  []string{"SYMMETRIC_DEFAULT"},
		"KeyId":                 k.id,
		"KeyManager":            "CUSTOMER",
		"KeySpec":               "SYMMETRIC_DEFAULT",
		"KeyState":              string(k.state),
		"KeyUsage":              "ENCRYPT_DECRYPT",
		"MultiRegion":           k.multiRegion,
		"Origin":                "AWS_KMS",
	}
	if k.state == types.KeyStatePendingDeletion {
		m["DeletionDate"] = epoch(k.deletion)
	}
	if k.state == types.KeyStatePendingReplicaDeletion {
		m["PendingDeletionWindowInDays"] = k.window
	}
	if k.multiRegion {
		m["MultiRegionConfiguration"] = k.family()
	}
	return m
}
