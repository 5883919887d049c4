package awskmstest

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// ReplicateKey makes a replica of a multi-Region primary key in another region and returns its ARN. Call it on the test's goroutine.
func (s *Server) ReplicateKey(primaryARN, region string) (arn string) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.byARN(primaryARN)
	if k == nil {
		s.tb.Fatalf("awskmstest: ReplicateKey: no key %q", primaryARN)
	}
	replica, err := s.replicate(k, region)
	if err != nil {
		s.tb.Fatalf("awskmstest: ReplicateKey: %v", err)
	}
	return replica.arn()
}

// replicate makes a replica. It is Enabled at once; [Server.SetState] makes it Creating, which it is for seconds at AWS.
func (s *Server) replicate(k *key, region string) (*key, error) {
	switch {
	case !k.multiRegion || k != k.primary:
		return nil, fail("UnsupportedOperationException", "%s is not a multi-Region primary key.", k.arn())
	case region == k.region:
		return nil, fail("ValidationException", "The replica region must not be the region of the primary key.")
	case s.at(region).keys[k.id] != nil:
		return nil, fail("AlreadyExistsException", "%s already exists.", keyARN(region, k.id))
	}
	r := &key{id: k.id, region: region, created: time.Now(), state: types.KeyStateEnabled, multiRegion: true, material: k.material}
	k.replicas = append(k.replicas, r)
	s.at(region).keys[r.id] = r
	return r, nil
}

func replicateKey(c *call) (answer, error) {
	if err := c.adminOnly(); err != nil {
		return nil, err
	}
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return nil, err
	}
	if n := len(c.in.ReplicaRegion); n < 1 || n > 32 {
		return nil, fail("ValidationException", "Value at 'replicaRegion' must have length between 1 and 32")
	}
	r, err := c.replicate(k, c.in.ReplicaRegion)
	if err != nil {
		return nil, err
	}
	r.description = c.in.Description
	return answer{"ReplicaKeyMetadata": r.metadata()}, nil
}

// family is the MultiRegionConfiguration.
func (k *key) family() answer {
	kind := "REPLICA"
	if k == k.primary {
		kind = "PRIMARY"
	}
	replicas := []answer{}
	for _, r := range k.replicas {
		replicas = append(replicas, r.place())
	}
	return answer{"MultiRegionKeyType": kind, "PrimaryKey": k.primary.place(), "ReplicaKeys": replicas}
}

func (k *key) place() answer { return answer{"Arn": k.arn(), "Region": k.region} }

// orphan takes k, which is gone, off its family.
func (k *key) orphan() {
	if k.primary == k {
		return // only primaries without replicas are deleted
	}
	k.replicas = slices.DeleteFunc(k.replicas, func(r *key) bool { return r == k })
	if p := k.primary; len(p.replicas) == 0 && p.state == types.KeyStatePendingReplicaDeletion {
		p.startDeletion()
	}
}
