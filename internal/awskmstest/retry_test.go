package awskmstest_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
)

// How often the SDK asks, by error: three times at most, and once where it takes the error for an answer.
func TestRetries(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  awskmstest.Fault
		status int
		calls  int
	}{
		{"ThrottlingException", awskmstest.Fault{Code: "ThrottlingException", Message: "Rate exceeded"}, 400, 3},
		{"LimitExceededException", awskmstest.Fault{Code: "LimitExceededException", Message: "why"}, 400, 3},
		{"KMSInternalException", awskmstest.Fault{Code: "KMSInternalException", Message: "why"}, 500, 3},
		{"KeyUnavailableException", awskmstest.Fault{Code: "KeyUnavailableException", Message: "why"}, 500, 3},
		{"DependencyTimeoutException", awskmstest.Fault{Code: "DependencyTimeoutException", Message: "why"}, 503, 3},
		{"ServiceUnavailable", awskmstest.Fault{Code: "ServiceUnavailable", Message: "why", Status: 503}, 503, 3},
		{"DisabledException", awskmstest.Fault{Code: "DisabledException", Message: "why"}, 400, 1},
		{"AccessDeniedException", awskmstest.Fault{Code: "AccessDeniedException", Message: "why"}, 400, 1},
		{"ExpiredTokenException", awskmstest.Fault{Code: "ExpiredTokenException", Message: "why"}, 400, 1},
		{"DisabledException as the model has it", awskmstest.Fault{Code: "DisabledException", Message: "why", Status: 409}, 409, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := awskmstest.New(t)
			c := s.Client(region, fast)
			arn := s.CreateKey(region)
			s.Inject(always(&test.fault))
			_, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
			requireCode(t, test.fault.Code, err)
			var api smithy.APIError
			require.ErrorAs(t, err, &api)
			require.Equal(t, test.fault.Message, api.ErrorMessage())
			var response *smithyhttp.ResponseError
			require.ErrorAs(t, err, &response)
			require.Equal(t, test.status, response.HTTPStatusCode())
			require.Equal(t, test.calls, s.Calls("DescribeKey"))

			s.Inject(once(&test.fault)) // n starts anew
			_, err = c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
			require.Equal(t, test.calls == 1, err != nil)

			s.Inject(nil)
			describe(t, c, arn)
		})
	}
}

func TestDefaultRetries(t *testing.T) {
	require.Equal(t, 3, retry.NewStandard().MaxAttempts()) // as in TestRetries, without the waits
	s := awskmstest.New(t)
	require.Equal(t, 3, s.Client(region).Options().Retryer.MaxAttempts())
}

func TestRequestIDAndRetryAfter(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region, single)
	s.Inject(always(&awskmstest.Fault{Code: "ThrottlingException", RetryAfter: 1500 * time.Millisecond}))
	_, err := c.ListAliases(t.Context(), nil)
	var response interface {
		ServiceRequestID() string
		HTTPResponse() *smithyhttp.Response
	}
	require.ErrorAs(t, err, &response)
	require.Equal(t, s.Requests()[0].ID, response.ServiceRequestID())
	require.Equal(t, "2", response.HTTPResponse().Header.Get("Retry-After"))
	require.Equal(t, "1500", response.HTTPResponse().Header.Get("X-Amz-Retry-After"))
}
