package awskmstest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
)

// tb is a testing.TB outside of a test.
type tb struct {
	testing.TB
	cleanup func()
}

func (*tb) Helper()            {}
func (b *tb) Cleanup(f func()) { b.cleanup = f }

func ExampleNew() {
	t := &tb{} // in a test, its *testing.T
	s := awskmstest.New(t)
	defer t.cleanup()

	arn := s.CreateKey("eu-north-1")
	s.Inject(func(operation string, n int) *awskmstest.Fault {
		if n == 1 {
			return &awskmstest.Fault{Code: "ThrottlingException", Message: "Rate exceeded"}
		}
		return nil
	})
	out, err := s.Client("eu-north-1", fast).GenerateDataKey(context.Background(), &kms.GenerateDataKeyInput{
		KeyId: &arn, KeySpec: types.DataKeySpecAes256,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(out.Plaintext), "bytes after", s.Calls("GenerateDataKey"), "calls")
	// Output: 32 bytes after 2 calls
}
