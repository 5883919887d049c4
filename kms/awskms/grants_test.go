package awskms

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
	"github.com/holdfast-go/holdfast/kms"
)

// TestGrants uses a grant by its token before the service knows of it everywhere, bound to one tenant.
func TestGrants(t *testing.T) {
	s := awskmstest.New(t)
	arn := s.CreateKey(region)
	app := s.NewPrincipal("app")
	grant, err := s.Client(region).CreateGrant(t.Context(), &sdk.CreateGrantInput{
		KeyId: &arn, GranteePrincipal: &app.ARN,
		Operations:  []types.GrantOperation{types.GrantOperationEncrypt, types.GrantOperationDecrypt, types.GrantOperationDescribeKey},
		Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"tenant": "acme"}},
	})
	require.NoError(t, err)
	client := s.Client(region, func(o *sdk.Options) { o.Credentials = app })
	acme := kms.Context{"tenant": "acme", "holdfast:purpose": "record"}
	d, err := newDriver(t.Context(), client, arn, nil)
	require.NoError(t, err)
	_, err = d.Wrap(t.Context(), []byte(canary), acme)
	requireClass(t, kms.ErrAccessDenied, err)

	token := aws.ToString(grant.GrantToken)
	granted, err := newDriver(t.Context(), client, arn, []string{token})
	require.NoError(t, err)
	w, err := granted.Wrap(t.Context(), []byte(canary), acme)
	require.NoError(t, err)
	_, err = granted.Unwrap(t.Context(), w, acme)
	require.NoError(t, err)
	info, err := granted.Describe(t.Context()) // without the permission to ask for the rotation
	require.NoError(t, err)
	require.Equal(t, kms.Enabled, info.State)
	_, err = granted.Wrap(t.Context(), []byte(canary), kms.Context{"tenant": "other"})
	requireClass(t, kms.ErrAccessDenied, err)
	for _, r := range s.Requests() {
		if r.Operation == "Encrypt" || r.Operation == "Decrypt" || r.Operation == "DescribeKey" {
			require.Equal(t, arn, r.KeyID)
		}
	}

	s.SettleGrants()
	_, err = d.Unwrap(t.Context(), w, acme)
	require.NoError(t, err)
}

// TestGrantTokensAreCopied requires that a caller's later changes don't matter.
func TestGrantTokensAreCopied(t *testing.T) {
	w := &wire{answer: reply(200, jsonOf(t, encrypted(testARN)))}
	tokens := []string{"a grant token"}
	k, err := New(t.Context(), clientOver(w), testARN, &Options{GrantTokens: tokens})
	require.NoError(t, err)
	tokens[0] = "changed"
	_, err = k.Wrap(t.Context(), []byte("key"), nil)
	require.NoError(t, err)
	require.Equal(t, []any{"a grant token"}, w.requests[0].body["GrantTokens"])
}
