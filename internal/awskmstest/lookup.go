package awskmstest

import "strings"

// key finds the key that a request names, and refuses it when the caller may not do the operation with it or the key's state
// forbids it. Operations that the API reference allows it for take aliases too.
func (c *call) key(id string) (*key, error) {
	k, err := c.find(id, c.takesAlias())
	if err != nil {
		return nil, err
	}
	return k, c.may(c.name, k, c.in.EncryptionContext)
}

// may refuses an operation on k that the caller has no right to or that the key's state forbids, in this order.
func (c *call) may(action string, k *key, context map[string]string) error {
	if err := c.authorize(action, k, context); err != nil {
		return err
	}
	return c.operation.rule.check(k)
}

// takesAlias tells whether the API reference lets the operation's KeyId be an alias name or alias ARN.
func (c *call) takesAlias() bool {
	switch c.name {
	case "DescribeKey", "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext":
		return true
	}
	return false
}

// find resolves a key id, key ARN, alias name or alias ARN in the call's region.
func (c *call) find(id string, alias bool) (*key, error) {
	if err := atLeastOne("keyId", len(id)); err != nil {
		return nil, err
	}
	name, isARN := strings.CutPrefix(id, "arn:")
	if isARN {
		parts := strings.SplitN(name, ":", 5)
		if len(parts) != 5 || parts[0] != "aws" || parts[1] != "kms" {
			return nil, fail("InvalidArnException", "Invalid arn")
		}
		if parts[2] != c.region {
			return nil, fail("NotFoundException", "Invalid arn %s", parts[2])
		}
		if parts[3] != account {
			return nil, fail("AccessDeniedException", "User: %s is not authorized to perform: kms:%s on this resource because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access", c.principal.ARN, c.name)
		}
		name = parts[4]
		if rest, found := strings.CutPrefix(name, "key/"); found {
			name = rest
		} else if !strings.HasPrefix(name, "alias/") {
			return nil, fail("InvalidArnException", "Invalid arn")
		}
	}
	here := c.at(c.region)
	if strings.HasPrefix(name, "alias/") {
		if !alias {
			return nil, fail("NotFoundException", "Invalid keyId %.300q", name)
		}
		target, found := here.aliases[name]
		if !found {
			return nil, fail("NotFoundException", "Alias %s is not found.", aliasARN(c.region, name))
		}
		name = target
	}
	k, found := here.keys[name]
	if !found {
		return nil, fail("NotFoundException", "Key '%s' does not exist", keyARN(c.region, name))
	}
	return k, nil
}
