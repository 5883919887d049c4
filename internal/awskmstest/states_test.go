package awskmstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
)

// inState makes a multi-Region key in that state and a blob of it.
func inState(t *testing.T, s *awskmstest.Server, state types.KeyState) (arn string, blob []byte) {
	t.Helper()
	c := s.Client(region)
	arn = s.CreateMultiRegionKey(region)
	blob = encrypt(t, c, arn, nil)
	var err error
	switch state {
	case types.KeyStateDisabled:
		_, err = c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn})
	case types.KeyStatePendingReplicaDeletion:
		s.ReplicateKey(arn, "us-east-1")
		fallthrough
	case types.KeyStatePendingDeletion:
		_, err = c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn})
	default:
		s.SetState(arn, state)
	}
	require.NoError(t, err)
	out, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
	require.NoError(t, err)
	require.Equal(t, state, out.KeyMetadata.KeyState)
	require.Equal(t, state == types.KeyStateEnabled, out.KeyMetadata.Enabled)
	return arn, blob
}

// The table "Key states of KMS keys" of the developer guide.
func TestStates(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	guest := s.NewPrincipal("guest")
	const (
		disabled = "DisabledException"
		invalid  = "KMSInvalidStateException"
	)
	states := []types.KeyState{
		types.KeyStateEnabled, types.KeyStateDisabled, types.KeyStatePendingDeletion,
		types.KeyStatePendingReplicaDeletion, types.KeyStateCreating, types.KeyStateUnavailable,
	}
	usable := []string{"", disabled, invalid, invalid, invalid, invalid}
	managed := []string{"", "", invalid, invalid, "", ""}
	always := []string{"", "", "", "", "", ""}
	for _, test := range []struct {
		name string
		want []string // in the order of states
		run  func(t *testing.T, arn string, blob []byte) error
	}{
		{"DescribeKey", always, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
			return err
		}},
		{"Encrypt", usable, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: dataKey})
			return err
		}},
		{"Decrypt", usable, func(t *testing.T, arn string, blob []byte) error {
			_, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: blob})
			return err
		}},
		{"Decrypt without KeyId", usable, func(t *testing.T, _ string, blob []byte) error {
			_, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob})
			return err
		}},
		{"ReEncrypt", usable, func(t *testing.T, _ string, blob []byte) error {
			to := s.CreateKey(region)
			_, err := c.ReEncrypt(t.Context(), &kms.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &to})
			return err
		}},
		{"ReEncrypt to", usable, func(t *testing.T, arn string, _ []byte) error {
			blob := encrypt(t, c, s.CreateKey(region), nil)
			_, err := c.ReEncrypt(t.Context(), &kms.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &arn})
			return err
		}},
		{"GenerateDataKey", usable, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: &arn, KeySpec: types.DataKeySpecAes256})
			return err
		}},
		{"GenerateDataKeyWithoutPlaintext", usable, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.GenerateDataKeyWithoutPlaintext(t.Context(), &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &arn, KeySpec: types.DataKeySpecAes256})
			return err
		}},
		{"EnableKey", managed, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &arn})
			return err
		}},
		{"DisableKey", managed, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn})
			return err
		}},
		{"ScheduleKeyDeletion", managed, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn})
			return err
		}},
		{"CancelKeyDeletion", []string{invalid, invalid, "", "", invalid, invalid}, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: &arn})
			return err
		}},
		{"CreateAlias", managed, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/" + arn[len(arn)-36:]), TargetKeyId: &arn})
			return err
		}},
		{"UpdateAlias", managed, func(t *testing.T, arn string, _ []byte) error {
			name := "alias/u" + arn[len(arn)-36:]
			s.CreateAlias(name, s.CreateKey(region))
			_, err := c.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: &name, TargetKeyId: &arn})
			return err
		}},
		{"DeleteAlias", always, func(t *testing.T, arn string, _ []byte) error {
			s.CreateAlias("alias/d", arn)
			_, err := c.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: aws.String("alias/d")})
			return err
		}},
		{"ReplicateKey", usable, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &arn, ReplicaRegion: aws.String("eu-west-1")})
			return err
		}},
		{"RotateKeyOnDemand", usable, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &arn})
			return err
		}},
		{"EnableKeyRotation", usable, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: &arn})
			return err
		}},
		{"DisableKeyRotation", usable, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.DisableKeyRotation(t.Context(), &kms.DisableKeyRotationInput{KeyId: &arn})
			return err
		}},
		{"GetKeyRotationStatus", always, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: &arn})
			return err
		}},
		{"ListKeyRotations", always, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.ListKeyRotations(t.Context(), &kms.ListKeyRotationsInput{KeyId: &arn})
			return err
		}},
		{"CreateGrant", []string{"", disabled, invalid, invalid, invalid, ""}, func(t *testing.T, arn string, _ []byte) error {
			_, err := c.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: &arn, GranteePrincipal: &guest.ARN, Operations: []types.GrantOperation{"Decrypt"}})
			return err
		}},
	} {
		for i, state := range states {
			t.Run(test.name+"/"+string(state), func(t *testing.T) {
				arn, blob := inState(t, s, state)
				requireCode(t, test.want[i], test.run(t, arn, blob))
			})
		}
	}
}

func TestEnableAndDisable(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	blob := encrypt(t, c, arn, nil)
	decrypt := func() error {
		_, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: blob})
		return err
	}
	_, err := c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn})
	require.NoError(t, err)
	var disabled *types.DisabledException
	require.ErrorAs(t, decrypt(), &disabled)
	_, err = c.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &arn})
	require.NoError(t, err)
	require.NoError(t, decrypt())

	s.SetState(arn, types.KeyStateUnavailable) // and stays so
	_, err = c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn})
	require.NoError(t, err)
	require.Equal(t, types.KeyStateUnavailable, describe(t, c, arn).KeyState)
	s.SetState(arn, types.KeyStateEnabled)

	alias := "alias/a" // which these operations don't take
	s.CreateAlias(alias, arn)
	_, err = c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &alias})
	requireCode(t, "NotFoundException", err)
}
