package awskmstest

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// account is the account that all keys and principals belong to.
const account = "111122223333"

// Principal is an IAM user of the account. It is the [aws.CredentialsProvider] of its own access key.
type Principal struct {
	ARN         string
	credentials aws.Credentials
}

// Retrieve returns the access key.
func (p Principal) Retrieve(context.Context) (aws.Credentials, error) { return p.credentials, nil }

// NewPrincipal makes a user who may do nothing but what grants allow. name is one of an IAM user.
func (s *Server) NewPrincipal(name string) Principal {
	p := Principal{
		ARN: fmt.Sprintf("arn:aws:iam::%s:user/%s", account, name),
		credentials: aws.Credentials{
			AccessKeyID:     "AKIA" + rand.Text()[:16],
			SecretAccessKey: rand.Text() + rand.Text()[:14],
			Source:          "awskmstest",
			AccountID:       account,
		},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.principals[p.credentials.AccessKeyID] = p
	return p
}
