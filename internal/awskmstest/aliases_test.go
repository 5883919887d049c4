package awskmstest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
)

func TestAliases(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	first, second := s.CreateKey(region), s.CreateKey(region)
	name := aws.String("alias/team/app")
	_, err := c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: name, TargetKeyId: &first})
	require.NoError(t, err)
	require.Equal(t, first, *describe(t, c, *name).Arn)
	_, err = c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: name, TargetKeyId: &second})
	requireCode(t, "AlreadyExistsException", err)
	_, err = s.Client("us-east-1").DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: name})
	requireCode(t, "NotFoundException", err)

	blob := encrypt(t, c, *name, nil)
	_, err = c.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: name, TargetKeyId: &second})
	require.NoError(t, err)
	require.Equal(t, second, *describe(t, c, *name).Arn)
	_, err = c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: name, CiphertextBlob: blob})
	requireCode(t, "IncorrectKeyException", err)

	for id, want := range map[*string]int{nil: 1, &first: 0, &second: 1} {
		list, err := c.ListAliases(t.Context(), &kms.ListAliasesInput{KeyId: id})
		require.NoError(t, err)
		require.Len(t, list.Aliases, want)
		for _, entry := range list.Aliases {
			require.Equal(t, *name, *entry.AliasName)
			require.Equal(t, "arn:aws:kms:eu-north-1:111122223333:alias/team/app", *entry.AliasArn)
			require.Equal(t, second, "arn:aws:kms:eu-north-1:111122223333:key/"+*entry.TargetKeyId)
		}
	}

	_, err = c.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: name})
	require.NoError(t, err)
	_, err = c.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: name})
	requireCode(t, "NotFoundException", err)
	_, err = c.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: name, TargetKeyId: &first})
	requireCode(t, "NotFoundException", err)
	_, err = c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: name, Plaintext: dataKey})
	requireCode(t, "NotFoundException", err)
}

func TestAliasNames(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	s.CreateAlias("alias/there", arn)
	for _, test := range []struct{ name, alias, target, want string }{
		{"good", "alias/A-z_0/9", arn, ""},
		{"key id", "alias/id", arn[len(arn)-36:], ""},
		{"no prefix", "app", arn, "InvalidAliasNameException"},
		{"nothing else", "alias/", arn, "InvalidAliasNameException"},
		{"reserved", "alias/aws/s3", arn, "InvalidAliasNameException"},
		{"space", "alias/a b", arn, "ValidationException"},
		{"colon", "alias/a:b", arn, "ValidationException"},
		{"long", "alias/" + strings.Repeat("a", 251), arn, "ValidationException"},
		{"of an alias", "alias/x", "alias/there", "NotFoundException"},
		{"of no key", "alias/x", "1234abcd-12ab-34cd-56ef-1234567890ab", "NotFoundException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: &test.alias, TargetKeyId: &test.target})
			requireCode(t, test.want, err)
		})
	}
}
