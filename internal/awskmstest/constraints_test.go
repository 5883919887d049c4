package awskmstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
)

// Names are compared without regard to case, values with.
func TestGrantConstraints(t *testing.T) {
	s := awskmstest.New(t)
	admin := s.Client(region)
	ab := map[string]string{"a": "b"}
	for name, test := range map[string]struct {
		constraints *types.GrantConstraints
		allowed     []map[string]string
		refused     []map[string]string
	}{
		"none":   {nil, []map[string]string{nil, ab}, nil},
		"equals": {&types.GrantConstraints{EncryptionContextEquals: ab}, []map[string]string{ab, {"A": "b"}}, []map[string]string{nil, {"a": "c"}, {"a": "B"}, {"a": "b", "c": "d"}, {"a": "b", "A": "d"}}},
		"subset": {&types.GrantConstraints{EncryptionContextSubset: ab}, []map[string]string{ab, {"A": "b"}, {"a": "b", "c": "d"}}, []map[string]string{nil, {"a": ""}, {"a": "B"}, {"c": "d"}}},
	} {
		t.Run(name, func(t *testing.T) {
			guest := s.NewPrincipal("guest-" + name)
			c, arn := s.Client(region, as(guest)), s.CreateKey(region)
			_, err := admin.CreateGrant(t.Context(), &kms.CreateGrantInput{
				KeyId: &arn, GranteePrincipal: &guest.ARN, Constraints: test.constraints,
				Operations: []types.GrantOperation{"Encrypt", "Decrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo", "DescribeKey"},
			})
			require.NoError(t, err)
			s.SettleGrants()
			describe(t, c, arn) // constraints don't apply to it
			try := func(ec map[string]string, want string) {
				_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: dataKey, EncryptionContext: ec})
				requireCode(t, want, err)
				_, err = c.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: &arn, KeySpec: types.DataKeySpecAes256, EncryptionContext: ec})
				requireCode(t, want, err)
				blob := encrypt(t, admin, arn, ec)
				_, err = c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: blob, EncryptionContext: ec})
				requireCode(t, want, err)
				_, err = c.ReEncrypt(t.Context(), &kms.ReEncryptInput{
					CiphertextBlob: blob, SourceEncryptionContext: ec, DestinationKeyId: &arn, DestinationEncryptionContext: ec,
				})
				requireCode(t, want, err)
			}
			for _, ec := range test.allowed {
				try(ec, "")
			}
			for _, ec := range test.refused {
				try(ec, denied)
			}
		})
	}
}
