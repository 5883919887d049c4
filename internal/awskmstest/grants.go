package awskmstest

import (
	"reflect"
	"slices"
)

// grant is a grant on one key.
type grant struct {
	id      string
	tokens  []string // all that were given out for it
	settled bool     // works without a token
	terms
}

// terms are what two requests of the same name must agree in to be the same grant.
type terms struct {
	key         *key
	name        string
	grantee     string
	retiring    string
	operations  []string
	constraints *constraints
}

// SettleGrants makes all grants work without their tokens. Until then a grant works with its token only, as it may for minutes at AWS.
func (s *Server) SettleGrants() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.grants {
		g.settled = true
	}
}

// authorize refuses what neither being the administrator nor a grant allows.
func (c *call) authorize(action string, k *key, context map[string]string) error {
	for _, token := range c.in.GrantTokens {
		if c.byToken(token) == nil {
			return fail("InvalidGrantTokenException", "")
		}
	}
	if c.isAdmin() {
		return nil
	}
	for _, g := range c.grants {
		presented := slices.ContainsFunc(g.tokens, func(t string) bool { return slices.Contains(c.in.GrantTokens, t) })
		if g.key == k && g.grantee == c.principal.ARN && (g.settled || presented) && slices.Contains(g.operations, action) &&
			(action == "DescribeKey" || g.constraints.allow(context)) {
			return nil
		}
	}
	return fail("AccessDeniedException", "User: %s is not authorized to perform: kms:%s on resource: %s because no resource-based policy allows the kms:%s action", c.principal.ARN, action, k.arn(), action)
}

// adminOnly refuses all but the administrator, for what no grant can allow.
func (c *call) adminOnly() error {
	if c.isAdmin() {
		return nil
	}
	return fail("AccessDeniedException", "User: %s is not authorized to perform: kms:%s because no identity-based policy allows the kms:%s action", c.principal.ARN, c.name, c.name)
}

func (c *call) isAdmin() bool {
	return c.principal.credentials.AccessKeyID == c.admin.credentials.AccessKeyID
}

// byToken returns the grant that a token belongs to, or nil.
func (s *Server) byToken(token string) *grant {
	for _, g := range s.grants {
		if slices.Contains(g.tokens, token) {
			return g
		}
	}
	return nil
}

func createGrant(c *call) (answer, error) {
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return nil, err
	}
	if err := c.checkTerms(); err != nil {
		return nil, err
	}
	t := terms{k, c.in.Name, c.in.GranteePrincipal, c.in.RetiringPrincipal, c.in.Operations, c.in.Constraints}
	i := slices.IndexFunc(c.grants, func(g *grant) bool { return t.name != "" && reflect.DeepEqual(g.terms, t) })
	if i < 0 {
		i = len(c.grants)
		c.grants = append(c.grants, &grant{id: randomHex(32), terms: t})
	}
	g, token := c.grants[i], randomHex(64)
	g.tokens = append(g.tokens, token)
	return answer{"GrantId": g.id, "GrantToken": token}, nil
}

// checkTerms refuses grants that AWS refuses, and those on operations that the stand-in could not honour.
func (c *call) checkTerms() error {
	if len(c.in.Operations) == 0 {
		return fail("ValidationException", "Value at 'operations' must have at least one member")
	}
	for _, op := range c.in.Operations {
		switch op {
		case "Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "DescribeKey", "RetireGrant":
		default:
			return fail("ValidationException", "operation %.64q is unknown to this stand-in's grants", op)
		}
	}
	for _, arn := range []string{c.in.GranteePrincipal, c.in.RetiringPrincipal} {
		if arn != "" && !c.exists(arn) || arn == "" && arn == c.in.GranteePrincipal {
			return fail("InvalidArnException", "no such principal")
		}
	}
	return c.in.Constraints.check()
}

// exists tells whether there is a principal of that ARN.
func (s *Server) exists(arn string) bool {
	for _, p := range s.principals {
		if p.ARN == arn {
			return true
		}
	}
	return false
}

func revokeGrant(c *call) (answer, error) {
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return nil, err
	}
	return nil, c.removeGrant(func(g *grant) bool { return g.id == c.in.GrantID && g.key == k })
}

func retireGrant(c *call) (answer, error) {
	match := func(g *grant) bool { return slices.Contains(g.tokens, c.in.GrantToken) }
	switch {
	case c.in.GrantToken != "":
		if c.in.KeyID != "" || c.in.GrantID != "" {
			return nil, fail("ValidationException", "give a grant token, or a key ARN and a grant id")
		}
		if c.byToken(c.in.GrantToken) == nil {
			return nil, fail("InvalidGrantTokenException", "")
		}
	default:
		k, err := c.find(c.in.KeyID, false)
		if err != nil {
			return nil, err
		}
		match = func(g *grant) bool { return g.id == c.in.GrantID && g.key == k }
	}
	for _, g := range c.grants {
		if match(g) && !c.isAdmin() && c.principal.ARN != g.retiring &&
			(c.principal.ARN != g.grantee || !slices.Contains(g.operations, "RetireGrant")) {
			return nil, c.adminOnly()
		}
	}
	return nil, c.removeGrant(match)
}

func (s *Server) removeGrant(match func(*grant) bool) error {
	before := len(s.grants)
	if s.grants = slices.DeleteFunc(s.grants, match); len(s.grants) == before {
		return fail("NotFoundException", "no such grant on this key")
	}
	return nil
}
