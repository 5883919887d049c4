package awskmstest_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
)

func describe(t *testing.T, c *kms.Client, id string) *types.KeyMetadata {
	t.Helper()
	out, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id})
	require.NoError(t, err)
	return out.KeyMetadata
}

func TestCreateKey(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	out, err := c.CreateKey(t.Context(), &kms.CreateKeyInput{Description: aws.String("for tests"), KeySpec: types.KeySpecSymmetricDefault})
	require.NoError(t, err)
	m := out.KeyMetadata
	require.Equal(t, "arn:aws:kms:eu-north-1:111122223333:key/"+*m.KeyId, *m.Arn)
	require.Equal(t, "111122223333", *m.AWSAccountId)
	require.Equal(t, "for tests", *m.Description)
	require.WithinDuration(t, time.Now(), *m.CreationDate, time.Hour)
	require.True(t, m.Enabled)
	require.Equal(t, types.KeyStateEnabled, m.KeyState)
	require.Equal(t, types.KeySpecSymmetricDefault, m.KeySpec)
	require.Equal(t, types.KeyUsageTypeEncryptDecrypt, m.KeyUsage)
	require.Equal(t, types.OriginTypeAwsKms, m.Origin)
	require.Equal(t, types.KeyManagerTypeCustomer, m.KeyManager)
	require.Len(t, *m.CurrentKeyMaterialId, 64)
	require.False(t, *m.MultiRegion)
	require.Nil(t, m.MultiRegionConfiguration)
	require.Nil(t, m.DeletionDate)
	require.Equal(t, m, describe(t, c, *m.KeyId))

	_, err = s.Client("us-east-1").DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: m.KeyId})
	requireCode(t, "NotFoundException", err)
	for name, in := range map[string]*kms.CreateKeyInput{
		"RSA":      {KeySpec: types.KeySpecRsa2048},
		"signing":  {KeyUsage: types.KeyUsageTypeSignVerify},
		"imported": {Origin: types.OriginTypeExternal},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.CreateKey(t.Context(), in)
			requireCode(t, "UnsupportedOperationException", err)
		})
	}
}

func TestReplicas(t *testing.T) {
	s := awskmstest.New(t)
	here, there := s.Client(region), s.Client("us-east-1")
	created, err := here.CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	require.NoError(t, err)
	primary := *created.KeyMetadata.Arn
	out, err := here.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &primary, ReplicaRegion: aws.String("us-east-1"), Description: aws.String("copy")})
	require.NoError(t, err)
	replica := *out.ReplicaKeyMetadata.Arn
	require.Equal(t, "arn:aws:kms:us-east-1:111122223333:key/"+*created.KeyMetadata.KeyId, replica)
	require.Equal(t, "copy", *out.ReplicaKeyMetadata.Description)

	family := describe(t, here, primary).MultiRegionConfiguration
	require.Equal(t, types.MultiRegionKeyTypePrimary, family.MultiRegionKeyType)
	require.Equal(t, primary, *family.PrimaryKey.Arn)
	require.Equal(t, region, *family.PrimaryKey.Region)
	require.Len(t, family.ReplicaKeys, 1)
	require.Equal(t, replica, *family.ReplicaKeys[0].Arn)
	require.Equal(t, "us-east-1", *family.ReplicaKeys[0].Region)
	require.Equal(t, types.MultiRegionKeyTypeReplica, describe(t, there, replica).MultiRegionConfiguration.MultiRegionKeyType)

	blob := encrypt(t, here, primary, nil)
	back, err := there.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &replica, CiphertextBlob: blob})
	require.NoError(t, err)
	require.Equal(t, dataKey, back.Plaintext)
	require.Equal(t, replica, *back.KeyId)
	_, err = here.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: encrypt(t, there, replica, nil)})
	require.NoError(t, err)
	_, err = there.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &primary, CiphertextBlob: blob})
	requireCode(t, "NotFoundException", err)

	// State is each key's own.
	_, err = here.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &primary})
	require.NoError(t, err)
	_, err = there.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &replica, CiphertextBlob: blob})
	require.NoError(t, err)

	single := s.CreateKey(region)
	for _, test := range []struct{ name, id, region, want string }{
		{"again", primary, "us-east-1", "DisabledException"},
		{"single-Region key", single, "us-east-1", "UnsupportedOperationException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := here.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &test.id, ReplicaRegion: &test.region})
			requireCode(t, test.want, err)
		})
	}
	_, err = here.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &primary})
	require.NoError(t, err)
	_, err = here.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &primary, ReplicaRegion: aws.String("us-east-1")})
	requireCode(t, "AlreadyExistsException", err)
	_, err = here.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &primary, ReplicaRegion: aws.String(region)})
	requireCode(t, "ValidationException", err)
	_, err = there.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &replica, ReplicaRegion: aws.String("eu-west-1")})
	requireCode(t, "UnsupportedOperationException", err)
}

func TestRotation(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateMultiRegionKey(region)
	replica := s.ReplicateKey(arn, "us-east-1")
	blob := encrypt(t, c, arn, nil)
	before := *describe(t, c, arn).CurrentKeyMaterialId

	_, err := c.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &arn})
	require.NoError(t, err)
	after := *describe(t, c, arn).CurrentKeyMaterialId
	require.NotEqual(t, before, after)
	require.Equal(t, after, *describe(t, s.Client("us-east-1"), replica).CurrentKeyMaterialId)
	for name, test := range map[string]struct {
		blob     []byte
		material string
	}{"old": {blob, before}, "new": {encrypt(t, c, arn, nil), after}} {
		t.Run(name, func(t *testing.T) {
			back, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: test.blob})
			require.NoError(t, err)
			require.Equal(t, dataKey, back.Plaintext)
			require.Equal(t, test.material, *back.KeyMaterialId)
		})
	}
	_, err = s.Client("us-east-1").RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &replica})
	requireCode(t, "UnsupportedOperationException", err)

	for range 24 {
		_, err = c.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &arn})
		require.NoError(t, err)
	}
	_, err = s.Client(region, fast).RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &arn})
	requireCode(t, "LimitExceededException", err)
	list, err := c.ListKeyRotations(t.Context(), &kms.ListKeyRotationsInput{KeyId: &arn})
	require.NoError(t, err)
	require.Len(t, list.Rotations, 25)
	require.Equal(t, after, *list.Rotations[0].KeyMaterialId)
	require.Equal(t, types.RotationTypeOnDemand, list.Rotations[0].RotationType)
	require.WithinDuration(t, time.Now(), *list.Rotations[24].RotationDate, time.Hour)
}

func TestAutomaticRotation(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	status := func() *kms.GetKeyRotationStatusOutput {
		out, err := c.GetKeyRotationStatus(t.Context(), &kms.GetKeyRotationStatusInput{KeyId: &arn})
		require.NoError(t, err)
		return out
	}
	require.False(t, status().KeyRotationEnabled)
	_, err := c.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: &arn, RotationPeriodInDays: aws.Int32(90)})
	require.NoError(t, err)
	require.True(t, status().KeyRotationEnabled)
	require.EqualValues(t, 90, *status().RotationPeriodInDays)
	require.WithinDuration(t, time.Now().AddDate(0, 0, 90), *status().NextRotationDate, 2*time.Hour) // 2: daylight saving
	for _, days := range []int32{89, 2561} {
		_, err := c.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: &arn, RotationPeriodInDays: &days})
		requireCode(t, "ValidationException", err)
	}

	_, err = c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn})
	require.NoError(t, err)
	require.False(t, status().KeyRotationEnabled)
	_, err = c.CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: &arn})
	require.NoError(t, err)
	require.True(t, status().KeyRotationEnabled)

	_, err = c.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &arn})
	require.NoError(t, err)
	_, err = c.DisableKeyRotation(t.Context(), &kms.DisableKeyRotationInput{KeyId: &arn})
	require.NoError(t, err)
	require.False(t, status().KeyRotationEnabled)
}
