package awskmstest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

func aliasARN(region, name string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", region, account, name)
}

// CreateAlias gives a key an alias in its region; name starts with "alias/". Call it on the test's goroutine.
func (s *Server) CreateAlias(name, arn string) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.byARN(arn)
	if k == nil {
		s.tb.Fatalf("awskmstest: CreateAlias: no key %q", arn)
	}
	if err := checkAlias(name); err != nil {
		s.tb.Fatalf("awskmstest: CreateAlias: %v", err)
	}
	s.at(k.region).aliases[name] = k.id
}

func checkAlias(name string) error {
	switch {
	case !regexp.MustCompile(`^[a-zA-Z0-9/_-]+$`).MatchString(name):
		return fail("ValidationException", "1 validation error detected: Value at 'aliasName' failed to satisfy constraint: letters, digits, slashes, underscores and dashes")
	case !strings.HasPrefix(name, "alias/") || name == "alias/" || strings.HasPrefix(name, "alias/aws/"):
		return fail("InvalidAliasNameException", "the name must start with alias/, and not with alias/aws/")
	}
	return nil
}

func createAlias(c *call) (answer, error) {
	name := c.in.AliasName
	if err := checkAlias(name); err != nil {
		return nil, err
	}
	k, err := c.key(c.in.TargetKeyID)
	if err != nil {
		return nil, err
	}
	aliases := c.at(c.region).aliases
	if _, found := aliases[name]; found {
		return nil, fail("AlreadyExistsException", "An alias with the name %s already exists", aliasARN(c.region, name))
	}
	aliases[name] = k.id
	return nil, nil
}

func updateAlias(c *call) (answer, error) {
	if err := c.aliasExists(); err != nil {
		return nil, err
	}
	k, err := c.key(c.in.TargetKeyID)
	if err != nil {
		return nil, err
	}
	c.at(c.region).aliases[c.in.AliasName] = k.id
	return nil, nil
}

func deleteAlias(c *call) (answer, error) {
	if err := c.aliasExists(); err != nil {
		return nil, err
	}
	delete(c.at(c.region).aliases, c.in.AliasName)
	return nil, nil
}

func (c *call) aliasExists() error {
	if err := c.adminOnly(); err != nil {
		return err
	}
	if _, found := c.at(c.region).aliases[c.in.AliasName]; !found {
		return fail("NotFoundException", "Alias %s is not found.", aliasARN(c.region, c.in.AliasName))
	}
	return nil
}

// listAliases answers in one page.
func listAliases(c *call) (answer, error) {
	if err := c.adminOnly(); err != nil {
		return nil, err
	}
	id := ""
	if c.in.KeyID != "" {
		k, err := c.key(c.in.KeyID)
		if err != nil {
			return nil, err
		}
		id = k.id
	}
	aliases := c.at(c.region).aliases
	list := []answer{}
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		if id == "" || id == aliases[name] {
			list = append(list, answer{"AliasArn": aliasARN(c.region, name), "AliasName": name, "TargetKeyId": aliases[name]})
		}
	}
	return answer{"Aliases": list, "Truncated": false}, nil
}
