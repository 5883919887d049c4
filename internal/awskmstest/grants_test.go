package awskmstest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
)

const denied = "AccessDeniedException"

// as makes clients act as p.
func as(p awskmstest.Principal) func(*kms.Options) {
	return func(o *kms.Options) { o.Credentials = p }
}

func TestGrantTokens(t *testing.T) {
	s := awskmstest.New(t)
	guest, other := s.NewPrincipal("guest"), s.NewPrincipal("other")
	admin, c := s.Client(region), s.Client(region, as(guest))
	arn, unrelated := s.CreateKey(region), s.CreateKey(region)
	try := func(c *kms.Client, id string, tokens ...string) error {
		_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: dataKey, GrantTokens: tokens})
		return err
	}
	requireCode(t, denied, try(c, arn))
	grant, err := admin.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: &arn, GranteePrincipal: &guest.ARN, Operations: []types.GrantOperation{"Encrypt"}})
	require.NoError(t, err)

	// A new grant works with its token at once, and without it when it has settled.
	requireCode(t, denied, try(c, arn))
	require.NoError(t, try(c, arn, *grant.GrantToken))
	requireCode(t, denied, try(s.Client(region, as(other)), arn, *grant.GrantToken))
	requireCode(t, denied, try(c, unrelated, *grant.GrantToken))
	requireCode(t, "InvalidGrantTokenException", try(c, arn, "no token"))
	s.SettleGrants()
	require.NoError(t, try(c, arn))

	// It allows the operations that it lists.
	_, err = c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: encrypt(t, admin, arn, nil)})
	requireCode(t, denied, err)
	_, err = c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
	requireCode(t, denied, err)

	_, err = admin.RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &unrelated, GrantId: grant.GrantId})
	requireCode(t, "NotFoundException", err)
	_, err = admin.RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &arn, GrantId: grant.GrantId})
	require.NoError(t, err)
	requireCode(t, denied, try(c, arn))
	requireCode(t, "InvalidGrantTokenException", try(c, arn, *grant.GrantToken))
}

// ReEncrypt takes two permissions, each for one key under one context.
func TestReEncryptGrants(t *testing.T) {
	s := awskmstest.New(t)
	guest := s.NewPrincipal("guest")
	admin, c := s.Client(region), s.Client(region, as(guest))
	from, to := s.CreateKey(region), s.CreateKey(region)
	v1, v2 := map[string]string{"v": "1"}, map[string]string{"v": "2"}
	for _, grant := range []struct {
		key, operation string
		context        map[string]string
	}{{from, "ReEncryptFrom", v1}, {to, "ReEncryptTo", v2}} {
		_, err := admin.CreateGrant(t.Context(), &kms.CreateGrantInput{
			KeyId: &grant.key, GranteePrincipal: &guest.ARN, Operations: []types.GrantOperation{types.GrantOperation(grant.operation)},
			Constraints: &types.GrantConstraints{EncryptionContextEquals: grant.context},
		})
		require.NoError(t, err)
	}
	s.SettleGrants()
	for _, test := range []struct {
		name     string
		from, to string
		old, now map[string]string
		want     string
	}{
		{"as granted", from, to, v1, v2, ""},
		{"backwards", to, from, v1, v2, denied},
		{"to the same key", from, from, v1, v1, denied},
		{"to another context", from, to, v1, v1, denied},
		{"from another context", from, to, v2, v2, denied},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.ReEncrypt(t.Context(), &kms.ReEncryptInput{
				CiphertextBlob: encrypt(t, admin, test.from, test.old), SourceEncryptionContext: test.old,
				DestinationKeyId: &test.to, DestinationEncryptionContext: test.now,
			})
			requireCode(t, test.want, err)
		})
	}
}

func TestRetireGrant(t *testing.T) {
	s := awskmstest.New(t)
	guest, retirer, other := s.NewPrincipal("guest"), s.NewPrincipal("retirer"), s.NewPrincipal("other")
	admin := s.Client(region)
	arn := s.CreateKey(region)
	for name, test := range map[string]struct {
		operations []types.GrantOperation
		by         *kms.Client
		want       string
	}{
		"retiring principal": {[]types.GrantOperation{"Encrypt"}, s.Client(region, as(retirer)), ""},
		"administrator":      {[]types.GrantOperation{"Encrypt"}, admin, ""},
		"grantee that may":   {[]types.GrantOperation{"Encrypt", "RetireGrant"}, s.Client(region, as(guest)), ""},
		"grantee":            {[]types.GrantOperation{"Encrypt"}, s.Client(region, as(guest)), denied},
		"other":              {[]types.GrantOperation{"Encrypt", "RetireGrant"}, s.Client(region, as(other)), denied},
	} {
		t.Run(name, func(t *testing.T) {
			for _, byToken := range []bool{true, false} {
				grant, err := admin.CreateGrant(t.Context(), &kms.CreateGrantInput{
					KeyId: &arn, GranteePrincipal: &guest.ARN, RetiringPrincipal: &retirer.ARN, Operations: test.operations,
				})
				require.NoError(t, err)
				in := &kms.RetireGrantInput{KeyId: &arn, GrantId: grant.GrantId}
				if byToken {
					in = &kms.RetireGrantInput{GrantToken: grant.GrantToken}
				}
				_, err = test.by.RetireGrant(t.Context(), in)
				requireCode(t, test.want, err)
				_, err = admin.RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &arn, GrantId: grant.GrantId})
				if test.want == "" {
					requireCode(t, "NotFoundException", err) // it is gone
				} else {
					require.NoError(t, err)
				}
			}
		})
	}
	_, err := admin.RetireGrant(t.Context(), &kms.RetireGrantInput{GrantToken: aws.String("x")})
	requireCode(t, "InvalidGrantTokenException", err)
	_, err = admin.RetireGrant(t.Context(), &kms.RetireGrantInput{KeyId: &arn, GrantId: aws.String("x")})
	requireCode(t, "NotFoundException", err)
	_, err = admin.RetireGrant(t.Context(), &kms.RetireGrantInput{KeyId: &arn, GrantToken: aws.String("x")})
	requireCode(t, "ValidationException", err)
}

func TestCreateGrantLimits(t *testing.T) {
	s := awskmstest.New(t)
	guest := s.NewPrincipal("guest")
	c := s.Client(region)
	arn := s.CreateKey(region)
	nine := map[string]string{}
	for _, name := range strings.Split("abcdefghi", "") {
		nine[name] = ""
	}
	for name, test := range map[string]struct {
		change func(*kms.CreateGrantInput)
		want   string
	}{
		"no operations":   {func(in *kms.CreateGrantInput) { in.Operations = []types.GrantOperation{} }, "ValidationException"},
		"signing":         {func(in *kms.CreateGrantInput) { in.Operations = []types.GrantOperation{"Sign"} }, "ValidationException"},
		"no such user":    {func(in *kms.CreateGrantInput) { in.GranteePrincipal = aws.String("arn:aws:iam::111122223333:user/x") }, "InvalidArnException"},
		"nobody":          {func(in *kms.CreateGrantInput) { in.GranteePrincipal = aws.String("") }, "InvalidArnException"},
		"no such retirer": {func(in *kms.CreateGrantInput) { in.RetiringPrincipal = aws.String("x") }, "InvalidArnException"},
		"nine pairs": {func(in *kms.CreateGrantInput) {
			in.Constraints = &types.GrantConstraints{EncryptionContextEquals: nine}
		}, "ValidationException"},
		"long value": {func(in *kms.CreateGrantInput) {
			in.Constraints = &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": strings.Repeat("x", 385)}}
		}, "ValidationException"},
		"long value of wide characters": {func(in *kms.CreateGrantInput) {
			in.Constraints = &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": strings.Repeat("ö", 385)}}
		}, "ValidationException"},
		"384 wide characters": {func(in *kms.CreateGrantInput) {
			in.Constraints = &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": strings.Repeat("ö", 384)}}
		}, ""},
		"other constraint": {func(in *kms.CreateGrantInput) { in.Constraints = &types.GrantConstraints{SourceArn: &arn} }, "SerializationException"},
	} {
		t.Run(name, func(t *testing.T) {
			in := &kms.CreateGrantInput{KeyId: &arn, GranteePrincipal: &guest.ARN, Operations: []types.GrantOperation{"Encrypt"}}
			test.change(in)
			_, err := c.CreateGrant(t.Context(), in)
			requireCode(t, test.want, err)
		})
	}
}

// A name makes CreateGrant safe to repeat.
func TestNamedGrant(t *testing.T) {
	s := awskmstest.New(t)
	guest := s.NewPrincipal("guest")
	c := s.Client(region)
	arn := s.CreateKey(region)
	create := func(name *string) *kms.CreateGrantOutput {
		out, err := c.CreateGrant(t.Context(), &kms.CreateGrantInput{
			KeyId: &arn, GranteePrincipal: &guest.ARN, Operations: []types.GrantOperation{"Encrypt"}, Name: name,
		})
		require.NoError(t, err)
		return out
	}
	first, again := create(aws.String("n")), create(aws.String("n"))
	require.Equal(t, *first.GrantId, *again.GrantId)
	require.NotEqual(t, *first.GrantToken, *again.GrantToken)
	require.NotEqual(t, *create(nil).GrantId, *create(nil).GrantId)
	for _, token := range []*string{first.GrantToken, again.GrantToken} {
		_, err := s.Client(region, as(guest)).Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: dataKey, GrantTokens: []string{*token}})
		require.NoError(t, err)
	}
}

// Without a grant nothing is allowed, whatever the key and its state.
func TestNothingIsAllowed(t *testing.T) {
	s := awskmstest.New(t)
	guest := s.NewPrincipal("guest")
	c := s.Client(region, as(guest))
	arn := s.CreateMultiRegionKey(region)
	name := aws.String("alias/a")
	s.CreateAlias(*name, arn)
	_, err := s.Client(region).DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn})
	require.NoError(t, err)
	for op, try := range map[string]func() error{
		"CreateKey": func() error { _, err := c.CreateKey(t.Context(), nil); return err },
		"Encrypt": func() error {
			_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: dataKey})
			return err
		},
		"EnableKey": func() error { _, err := c.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &arn}); return err },
		"ScheduleKeyDeletion": func() error {
			_, err := c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn})
			return err
		},
		"RotateKeyOnDemand": func() error {
			_, err := c.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &arn})
			return err
		},
		"ReplicateKey": func() error {
			_, err := c.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &arn, ReplicaRegion: aws.String("us-east-1")})
			return err
		},
		"CreateAlias": func() error {
			_, err := c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/b"), TargetKeyId: &arn})
			return err
		},
		"UpdateAlias": func() error {
			_, err := c.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: name, TargetKeyId: &arn})
			return err
		},
		"DeleteAlias": func() error { _, err := c.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: name}); return err },
		"ListAliases": func() error { _, err := c.ListAliases(t.Context(), nil); return err },
		"CreateGrant": func() error {
			_, err := c.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: &arn, GranteePrincipal: &guest.ARN, Operations: []types.GrantOperation{"Encrypt"}})
			return err
		},
		"RevokeGrant": func() error {
			_, err := c.RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &arn, GrantId: aws.String("x")})
			return err
		},
	} {
		t.Run(op, func(t *testing.T) { requireCode(t, denied, try()) })
	}
}
