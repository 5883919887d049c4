package awskms

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestContract runs the real SDK client against the stand-in for AWS KMS.
func TestContract(t *testing.T) {
	kmstest.Run(t, func(t *testing.T) kmstest.Harness {
		s := awskmstest.New(t)
		own, other := s.CreateKey(region), s.CreateKey(region)
		const alias = "alias/app"
		s.CreateAlias(alias, own)
		client := s.Client(region, func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} }) // its pauses would hold up the faults
		admin := s.Client(region)
		open := func(name string) *driver {
			d, err := newDriver(t.Context(), client, name, nil)
			require.NoError(t, err)
			return d
		}
		fault := func(f awskmstest.Fault) (undo func()) {
			s.Inject(func(string, int) *awskmstest.Fault { return &f })
			return func() { s.Inject(nil) }
		}
		driver := open(alias)
		require.Equal(t, own, driver.Ref().KeyID)
		return kmstest.Harness{
			Driver: driver,
			Other:  open(other),
			Calls:  func() int { return s.Calls("") },
			Disable: func(ctx context.Context) error {
				_, err := admin.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: &own})
				return err
			},
			Enable: func(ctx context.Context) error {
				_, err := admin.EnableKey(ctx, &sdk.EnableKeyInput{KeyId: &own})
				return err
			},
			Destroy: func(ctx context.Context) error {
				_, err := driver.Destroy(ctx, 0)
				return err
			},
			CancelDestroy: func(ctx context.Context) error {
				if _, err := admin.CancelKeyDeletion(ctx, &sdk.CancelKeyDeletionInput{KeyId: &own}); err != nil {
					return err
				}
				_, err := admin.EnableKey(ctx, &sdk.EnableKeyInput{KeyId: &own})
				return err
			},
			MoveAlias: func(ctx context.Context) error {
				_, err := admin.UpdateAlias(ctx, &sdk.UpdateAliasInput{AliasName: aws.String(alias), TargetKeyId: &other})
				return err
			},
			Reopen: func() kms.Driver { return open(own) },
			Deny: func() func() {
				return fault(awskmstest.Fault{Code: "AccessDeniedException", Message: "User is not authorized"})
			},
			Throttle: func() (time.Duration, func()) {
				const pause = 3 * time.Second
				return pause, fault(awskmstest.Fault{Code: "ThrottlingException", Message: "Rate exceeded", RetryAfter: pause})
			},
			Outage: func() func() {
				return fault(awskmstest.Fault{Status: http.StatusServiceUnavailable, Body: []byte("<html>no backend</html>")})
			},
			Hang: func(arrived func()) func() {
				released := make(chan struct{})
				s.Inject(func(string, int) *awskmstest.Fault {
					arrived()
					<-released
					return nil
				})
				return func() {
					s.Inject(nil)
					close(released)
				}
			},
		}
	})
}
