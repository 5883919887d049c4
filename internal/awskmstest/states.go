package awskmstest

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// rule tells in which key states an operation works.
type rule int

const (
	anyState    rule = iota // all: to look at a key, and to take rights or names away
	usable                  // Enabled: cryptography, rotation, replication
	grantable               // Enabled and Unavailable: new grants
	managed                 // all but those that wait for deletion
	pendingOnly             // those that wait for deletion
)

// check applies the table "Key states of KMS keys". Where the table leaves open which of two errors it is, for cryptography
// under a key that waits for deletion, it is KMSInvalidStateException.
func (r rule) check(k *key) error {
	pending := k.state == types.KeyStatePendingDeletion || k.state == types.KeyStatePendingReplicaDeletion
	switch {
	case r == anyState || k.state == types.KeyStateEnabled && r != pendingOnly || pending && r == pendingOnly:
		return nil
	case r == pendingOnly:
		return fail("KMSInvalidStateException", "%s is not pending deletion.", k.arn())
	case k.state == types.KeyStatePendingDeletion:
		return fail("KMSInvalidStateException", "%s is pending deletion.", k.arn())
	case k.state == types.KeyStatePendingReplicaDeletion:
		return fail("KMSInvalidStateException", "%s is pending replica deletion.", k.arn())
	case r == managed || r == grantable && k.state == types.KeyStateUnavailable:
		return nil
	case k.state == types.KeyStateDisabled:
		return fail("DisabledException", "%s is disabled.", k.arn())
	}
	return fail("KMSInvalidStateException", "%s is %s.", k.arn(), strings.ToLower(string(k.state)))
}

// SetState puts a key into a state that no operation of this stand-in leads to: [types.KeyStateCreating], as a replica is at
// first, or [types.KeyStateUnavailable], as with a custom key store; and back to [types.KeyStateEnabled].
// Call it on the test's goroutine.
func (s *Server) SetState(arn string, state types.KeyState) {
	s.tb.Helper()
	switch state {
	case types.KeyStateCreating, types.KeyStateUnavailable, types.KeyStateEnabled:
	default:
		s.tb.Fatalf("awskmstest: SetState: %s is reached through the API", state)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.byARN(arn)
	if k == nil || !k.deletion.IsZero() {
		s.tb.Fatalf("awskmstest: SetState: no key %q, or it waits for deletion", arn)
	}
	k.state = state
}

// byARN returns the key of that ARN, or nil. s.mu is held.
func (s *Server) byARN(arn string) *key {
	for _, region := range s.regions {
		for _, k := range region.keys {
			if k.arn() == arn {
				return k
			}
		}
	}
	return nil
}

func enableKey(c *call) (answer, error) { return nil, c.setState(types.KeyStateEnabled) }

func disableKey(c *call) (answer, error) { return nil, c.setState(types.KeyStateDisabled) }

func (c *call) setState(state types.KeyState) error {
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return err
	}
	if k.state != types.KeyStateUnavailable { // the operation succeeds, and the state stays until the key is available
		k.state = state
	}
	return nil
}
