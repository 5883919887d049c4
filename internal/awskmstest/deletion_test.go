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

func TestScheduleKeyDeletion(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	for _, test := range []struct {
		name string
		days *int32
		want int32 // 0 for a refusal
	}{
		{"default", nil, 30},
		{"least", aws.Int32(7), 7},
		{"most", aws.Int32(30), 30},
		{"less", aws.Int32(6), 0},
		{"more", aws.Int32(31), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			arn := s.CreateKey(region)
			out, err := c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn, PendingWindowInDays: test.days})
			if test.want == 0 {
				requireCode(t, "ValidationException", err)
				require.Equal(t, types.KeyStateEnabled, describe(t, c, arn).KeyState)
				return
			}
			require.NoError(t, err)
			require.Equal(t, arn, *out.KeyId)
			require.Equal(t, types.KeyStatePendingDeletion, out.KeyState)
			require.Equal(t, test.want, *out.PendingWindowInDays)
			require.WithinDuration(t, time.Now().Add(time.Duration(test.want)*24*time.Hour), *out.DeletionDate, time.Hour)
			require.Equal(t, *out.DeletionDate, *describe(t, c, arn).DeletionDate)

			_, err = c.CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: &arn})
			require.NoError(t, err)
			require.Equal(t, types.KeyStateDisabled, describe(t, c, arn).KeyState)
			require.Nil(t, describe(t, c, arn).DeletionDate)
		})
	}
}

func TestFinishDeletion(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	s.CreateAlias("alias/app", arn)
	blob := encrypt(t, c, arn, nil)
	guest := s.NewPrincipal("guest")
	grant, err := c.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: &arn, GranteePrincipal: &guest.ARN, Operations: []types.GrantOperation{"Encrypt"}})
	require.NoError(t, err)
	_, err = c.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn})
	require.NoError(t, err)
	s.FinishDeletion(arn)

	for name, id := range map[string]string{"ARN": arn, "alias": "alias/app"} {
		t.Run(name, func(t *testing.T) {
			_, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id})
			requireCode(t, "NotFoundException", err)
			_, err = c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &id, CiphertextBlob: blob})
			requireCode(t, "NotFoundException", err)
		})
	}
	_, err = c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob})
	requireCode(t, "AccessDeniedException", err)
	other := s.CreateKey(region)
	_, err = c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &other, CiphertextBlob: blob})
	requireCode(t, "IncorrectKeyException", err)

	list, err := c.ListAliases(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, list.Aliases)
	_, err = c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &other, Plaintext: dataKey, GrantTokens: []string{*grant.GrantToken}})
	requireCode(t, "InvalidGrantTokenException", err)
}

// A primary key waits for its replicas to be gone.
func TestDeletePrimary(t *testing.T) {
	s := awskmstest.New(t)
	here, there := s.Client(region), s.Client("us-east-1")
	primary := s.CreateMultiRegionKey(region)
	replica := s.ReplicateKey(primary, "us-east-1")
	blob := encrypt(t, here, primary, nil)
	out, err := here.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &primary, PendingWindowInDays: aws.Int32(8)})
	require.NoError(t, err)
	require.Equal(t, types.KeyStatePendingReplicaDeletion, out.KeyState)
	require.Nil(t, out.DeletionDate)
	m := describe(t, here, primary)
	require.Nil(t, m.DeletionDate)
	require.EqualValues(t, 8, *m.PendingDeletionWindowInDays)
	_, err = there.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob})
	require.NoError(t, err)

	_, err = there.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &replica})
	require.NoError(t, err)
	require.Equal(t, types.KeyStatePendingReplicaDeletion, describe(t, here, primary).KeyState)
	s.FinishDeletion(replica)
	m = describe(t, here, primary)
	require.Equal(t, types.KeyStatePendingDeletion, m.KeyState)
	require.WithinDuration(t, time.Now().Add(8*24*time.Hour), *m.DeletionDate, time.Hour)
	require.Empty(t, m.MultiRegionConfiguration.ReplicaKeys)
	s.FinishDeletion(primary)
	_, err = here.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &primary})
	requireCode(t, "NotFoundException", err)
}
