package awskmstest

import (
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func scheduleKeyDeletion(c *call) (answer, error) {
	days, err := within("PendingWindowInDays", c.in.PendingWindowInDays, 7, 30, 30)
	if err != nil {
		return nil, err
	}
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return nil, err
	}
	k.window = days
	a := answer{"KeyId": k.arn(), "PendingWindowInDays": days}
	if k == k.primary && len(k.replicas) > 0 {
		k.state = types.KeyStatePendingReplicaDeletion
	} else {
		k.startDeletion()
		a["DeletionDate"] = epoch(k.deletion)
	}
	a["KeyState"] = string(k.state)
	return a, nil
}

// startDeletion starts the waiting period.
func (k *key) startDeletion() {
	k.state = types.KeyStatePendingDeletion
	k.deletion = time.Now().Add(time.Duration(k.window) * day)
}

func cancelKeyDeletion(c *call) (answer, error) {
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return nil, err
	}
	k.state, k.deletion = types.KeyStateDisabled, time.Time{}
	return answer{"KeyId": k.arn()}, nil
}

// FinishDeletion ends the waiting period of a key that is PendingDeletion: the key is gone, with its aliases and grants.
// Call it on the test's goroutine.
func (s *Server) FinishDeletion(arn string) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.byARN(arn)
	if k == nil || k.state != types.KeyStatePendingDeletion {
		s.tb.Fatalf("awskmstest: FinishDeletion: %q is not pending deletion", arn)
	}
	here := s.at(k.region)
	delete(here.keys, k.id)
	maps.DeleteFunc(here.aliases, func(_, id string) bool { return id == k.id })
	s.grants = slices.DeleteFunc(s.grants, func(g *grant) bool { return g.key == k })
	k.orphan()
}
