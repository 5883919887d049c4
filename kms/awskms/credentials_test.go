package awskms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
	"github.com/holdfast-go/holdfast/kms"
)

// TestCredentials shows that without credentials to ask with, KMS has refused nothing: whatever their provider says.
func TestCredentials(t *testing.T) {
	sts := &smithy.OperationError{ServiceID: "STS", OperationName: "AssumeRole", Err: &smithy.GenericAPIError{
		Code: "AccessDenied", Message: "role " + canary,
	}}
	for name, refusal := range map[string]error{
		"nothing answers":        errors.New("no answer from " + canary),
		"IMDS":                   &smithy.OperationError{ServiceID: "ec2imds", OperationName: "GetMetadata", Err: errors.New(canary)},
		"STS denies":             sts,
		"STS denies, wrapped":    fmt.Errorf("failed to refresh cached credentials, %w", sts),
		"a code without service": fmt.Errorf("endpoint: %w", &smithy.GenericAPIError{Code: "AccessDeniedException"}),
		"a KMS exception":        &types.DisabledException{},
		"own cancel":             context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{}
			without := func(o *sdk.Options) {
				o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{}, refusal
				})
			}
			for _, run := range operations {
				err := run(t.Context(), driverOver(t, w, testARN, without))
				requireClass(t, kms.ErrUnavailable, err)
				requireQuiet(t, err)
				if errors.Is(refusal, sts) {
					require.Contains(t, err.Error(), "AssumeRole")
				}
			}
			require.Empty(t, w.requests)
		})
	}
}

// TestCredentialsRefused is what the service says to a stranger, and to a wrong secret.
func TestCredentialsRefused(t *testing.T) {
	s := awskmstest.New(t)
	arn := s.CreateKey(region)
	good, err := s.Config(region).Credentials.Retrieve(t.Context())
	require.NoError(t, err)
	for name, c := range map[string]aws.Credentials{
		"unknown access key": {AccessKeyID: "AKIAUNKNOWN000000000", SecretAccessKey: good.SecretAccessKey},
		"wrong secret":       {AccessKeyID: good.AccessKeyID, SecretAccessKey: strings.Repeat("w", 40)},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKey(t, s.Client(region, func(o *sdk.Options) {
				o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
			}), arn, nil)
			_, err := k.Wrap(t.Context(), []byte(canary), nil)
			requireClass(t, kms.ErrAccessDenied, err)
		})
	}
}
