package awskmstest

import (
	"time"

	"github.com/holdfast-go/holdfast/aead"
)

const (
	maxRotations = 25 // on-demand rotations of one key, for good
	day          = 24 * time.Hour
)

// material is what the keys of one multi-Region key share, and what any other key has for itself.
type material struct {
	primary   *key
	replicas  []*key
	versions  []version   // the last one is current
	rotations []time.Time // one for each version after the first
	rotates   bool        // automatic rotation is on; this stand-in never comes to it
	period    int         // days
	enabled   time.Time   // when it was switched on
}

func newMaterial(primary *key) *material {
	m := &material{primary: primary}
	m.add()
	return m
}

func (m *material) add() { m.versions = append(m.versions, version{randomHex(32), aead.NewKey()}) }

func (m *material) current() version { return m.versions[len(m.versions)-1] }

// rotationKey finds the key of an operation that changes rotation.
func (c *call) rotationKey() (*key, error) {
	k, err := c.key(c.in.KeyID)
	if err == nil && k != k.primary {
		err = fail("UnsupportedOperationException", "%s is a replica key: rotation is a property of the primary key.", k.arn())
	}
	return k, err
}

func rotateKeyOnDemand(c *call) (answer, error) {
	k, err := c.rotationKey()
	if err != nil {
		return nil, err
	}
	if len(k.rotations) == maxRotations {
		return nil, fail("LimitExceededException", "On-demand rotation limit reached for key %s.", k.arn())
	}
	k.add()
	k.rotations = append(k.rotations, time.Now())
	return answer{"KeyId": k.id}, nil
}

func listKeyRotations(c *call) (answer, error) {
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return nil, err
	}
	list := []answer{}
	for i, date := range k.rotations {
		list = append(list, answer{
			"KeyId": k.id, "KeyMaterialId": k.versions[i+1].id, "RotationDate": epoch(date), "RotationType": "ON_DEMAND",
		})
	}
	return answer{"Rotations": list, "Truncated": false}, nil
}

func enableKeyRotation(c *call) (answer, error) {
	period, err := within("RotationPeriodInDays", c.in.RotationPeriodInDays, 90, 2560, 365)
	if err != nil {
		return nil, err
	}
	k, err := c.rotationKey()
	if err != nil {
		return nil, err
	}
	k.rotates, k.period, k.enabled = true, period, time.Now()
	return nil, nil
}

func disableKeyRotation(c *call) (answer, error) {
	k, err := c.rotationKey()
	if err != nil {
		return nil, err
	}
	k.rotates = false
	return nil, nil
}

func getKeyRotationStatus(c *call) (answer, error) {
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return nil, err
	}
	if !k.rotates || pendingOnly.check(k) == nil { // a key that waits for deletion does not rotate
		return answer{"KeyId": k.id, "KeyRotationEnabled": false}, nil
	}
	return answer{
		"KeyId":                k.id,
		"KeyRotationEnabled":   true,
		"NextRotationDate":     epoch(k.enabled.Add(time.Duration(k.period) * day)),
		"RotationPeriodInDays": k.period,
	}, nil
}
