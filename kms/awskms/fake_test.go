package awskms

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// fakeClient is a Client that is not the SDK's.
type fakeClient struct {
	Client
	keyID     string
	algorithm types.EncryptionAlgorithmSpec
	plaintext []byte
	metadata  *types.KeyMetadata
	decrypts  int
	described []string
	hangs     bool
	err       error // of Decrypt
}

func (f *fakeClient) Decrypt(context.Context, *sdk.DecryptInput, ...func(*sdk.Options)) (*sdk.DecryptOutput, error) {
	f.decrypts++
	if f.err != nil {
		return nil, f.err
	}
	algorithm := f.algorithm
	if algorithm == "" {
		algorithm = types.EncryptionAlgorithmSpecSymmetricDefault
	}
	return &sdk.DecryptOutput{KeyId: aws.String(f.keyID), Plaintext: f.plaintext, EncryptionAlgorithm: algorithm}, nil
}

func (f *fakeClient) DescribeKey(ctx context.Context, in *sdk.DescribeKeyInput, _ ...func(*sdk.Options)) (*sdk.DescribeKeyOutput, error) {
	f.described = append(f.described, aws.ToString(in.KeyId))
	if f.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &sdk.DescribeKeyOutput{KeyMetadata: f.metadata}, nil
}
