package awskms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// operations call everything that asks KMS, each through the real SDK client.
var operations = map[string]func(ctx context.Context, d *driver) error{
	"Encrypt": func(ctx context.Context, d *driver) error {
		_, err := d.Wrap(ctx, []byte(canary), kms.Context{"tenant": contextCanary})
		return err
	},
	"Decrypt": func(ctx context.Context, d *driver) error {
		_, err := d.Unwrap(ctx, kms.Wrapped{Ref: d.ref, Blob: []byte("blob")}, kms.Context{"tenant": contextCanary})
		return err
	},
	"DescribeKey": func(ctx context.Context, d *driver) error {
		_, err := d.Describe(ctx)
		return err
	},
	"RotateKeyOnDemand": func(ctx context.Context, d *driver) error { return d.Rotate(ctx) },
	"ScheduleKeyDeletion": func(ctx context.Context, d *driver) error {
		_, err := d.Destroy(ctx, 0)
		return err
	},
}

// TestClasses is the table of every error code and HTTP status to our class.
func TestClasses(t *testing.T) {
	codes := map[string]error{}
	for _, table := range []map[string]error{modelled, unmodelled} {
		for code, class := range table {
			codes[code] = class
		}
	}
	for operation, run := range operations {
		t.Run(operation, func(t *testing.T) {
			for code, class := range codes {
				for _, status := range []int{400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504} {
					want := class
					switch {
					case status == 429:
						want = kms.ErrThrottled
					case status >= 500 && class != kms.ErrThrottled:
						want = kms.ErrUnavailable
					case code == invalidState || code == disabled:
						continue // TestInvalidState
					}
					echo := fmt.Sprintf("message with %s and %s", canary, contextCanary)
					body := jsonOf(t, map[string]any{"__type": "com.amazonaws.kms#" + code, "message": echo})
					err := run(t.Context(), driverOver(t, &wire{answer: reply(status, body)}, testARN))
					requireClass(t, want, err)
					requireQuiet(t, err)
					var said *kms.Error
					require.ErrorAs(t, err, &said)
					require.Equal(t, sentRequestID, said.RequestID)
					var api smithy.APIError
					require.False(t, errors.As(err, &api), "the SDK's error has the service's text")
				}
			}
		})
	}
}

// TestNoCode is what proxies, captive portals and broken connections make.
func TestNoCode(t *testing.T) {
	const html = "<html>" + canary + "</html>"
	for name, c := range map[string]struct {
		r    func(request) (*http.Response, error)
		want error
	}{
		"redirect":              {reply(302, "", "Location", "https://example.org/"), kms.ErrUnavailable},
		"HTML 400":              {reply(400, html), kms.ErrUnavailable},
		"HTML 401":              {reply(401, html), kms.ErrUnavailable},
		"HTML 403":              {reply(403, html), kms.ErrUnavailable},
		"HTML 404":              {reply(404, html), kms.ErrUnavailable},
		"HTML 407":              {reply(407, html), kms.ErrUnavailable},
		"HTML 429":              {reply(429, html), kms.ErrThrottled},
		"HTML 500":              {reply(500, html), kms.ErrUnavailable},
		"HTML 502":              {reply(502, html), kms.ErrUnavailable},
		"HTML 503":              {reply(503, html), kms.ErrUnavailable},
		"empty 400":             {reply(400, ""), kms.ErrUnavailable},
		"empty 403":             {reply(403, ""), kms.ErrUnavailable},
		"empty object 403":      {reply(403, "{}"), kms.ErrUnavailable},
		"message only 403":      {reply(403, `{"message":"Forbidden `+canary+`"}`), kms.ErrUnavailable},
		"code is a number 403":  {reply(403, `{"code":403}`), kms.ErrUnavailable},
		"code is the plaintext": {reply(403, `{"__type":"`+canary+`"}`), kms.ErrUnavailable},
		"cut error 400":         {reply(400, `{"__type":"DisabledExcep`), kms.ErrUnavailable},
		"cut answer 200":        {reply(200, `{"KeyId":"`+canary), kms.ErrUnavailable},
		"HTML 200":              {reply(200, html), kms.ErrUnavailable},
		"wrong type 200":        {reply(200, `{"KeyId":{"a":"`+canary+`"},"KeyMetadata":"`+canary+`","CiphertextBlob":7}`), kms.ErrUnavailable},
		"no base64 200":         {reply(200, `{"CiphertextBlob":"`+canary+`!","Plaintext":"`+canary+`!"}`), kms.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			for operation, run := range operations {
				if strings.HasSuffix(name, " 200") && operation != "Encrypt" && operation != "Decrypt" {
					continue
				}
				err := run(t.Context(), driverOver(t, &wire{answer: c.r}, testARN))
				requireClass(t, c.want, err)
				requireQuiet(t, err)
			}
		})
	}
	t.Run("connection cut in the body", func(t *testing.T) {
		for _, run := range operations {
			answer := func(sent request) (*http.Response, error) {
				r, err := reply(400, "")(sent)
				r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"__type":"Disab`), iotest.ErrReader(io.ErrUnexpectedEOF)))
				return r, err
			}
			err := run(t.Context(), driverOver(t, &wire{answer: answer}, testARN))
			requireClass(t, kms.ErrUnavailable, err)
		}
	})
}

func TestNoAnswer(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"refused":      {dial(syscall.ECONNREFUSED), "dial tcp"},
		"reset":        {&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, "read tcp"},
		"host":         {dial(&net.DNSError{Err: "no such host", Name: "kms.example", IsNotFound: true}), "no such host"},
		"TLS":          {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "unknown authority"},
		"closed":       {io.EOF, ""},
		"time-out":     {timeout{}, ""},
		"own deadline": {context.DeadlineExceeded, ""}, // of the HTTP client
		"own cancel":   {context.Canceled, ""},
		"broken HTTP":  {fmt.Errorf("malformed HTTP response %q", canary), ""},
	} {
		t.Run(name, func(t *testing.T) {
			for operation, run := range operations {
				answer := func(request) (*http.Response, error) { return nil, c.err }
				err := run(t.Context(), driverOver(t, &wire{answer: answer}, testARN))
				requireClass(t, kms.ErrUnavailable, err)
				requireQuiet(t, err)
				require.Contains(t, err.Error(), c.says, operation)
				require.NotErrorIs(t, err, context.Canceled)
				require.NotErrorIs(t, err, context.DeadlineExceeded)
			}
		})
	}
}

type timeout struct{}

func (timeout) Error() string { return "time-out" }

func (timeout) Timeout() bool { return true }

// TestOtherClient takes errors as they come from a Client that is not the SDK's.
func TestOtherClient(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{
		{&types.DisabledException{Message: aws.String(canary)}, kms.ErrDisabled},
		{fmt.Errorf("wrapped: %w", &types.NotFoundException{}), kms.ErrNotFound},
		{&smithy.GenericAPIError{Code: "ThrottlingException", Message: canary}, kms.ErrThrottled},
		{errors.New(canary), kms.ErrUnavailable},
		{&awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{}}, kms.ErrUnavailable},
		{&awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{}}}, kms.ErrUnavailable},
	} {
		err := failure(t.Context(), c.err)
		requireClass(t, c.want, err)
		requireQuiet(t, err)
	}
}

// TestContextErrors keeps the caller's reasons visible, but not at the cost of what KMS answered.
func TestContextErrors(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
	defer cancel()
	broken := errors.New("broken")

	err := failure(canceled, broken)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, slices.ContainsFunc(classes, func(class error) bool { return errors.Is(err, class) }))
	require.False(t, err.Retryable)

	err = failure(expired, broken)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	requireClass(t, kms.ErrUnavailable, err)

	for _, ctx := range []context.Context{canceled, expired} {
		requireClass(t, kms.ErrDisabled, failure(ctx, &types.DisabledException{}))
	}
}

// TestRequestIDs keeps only what looks like one.
func TestRequestIDs(t *testing.T) {
	for id, want := range map[string]string{
		sentRequestID: sentRequestID, "Root-1": "Root-1", strings.Repeat("a", 64): strings.Repeat("a", 64),
		strings.Repeat("a", 65): "", "": "", "two words": "", canary: "", "a=b": "", "a\n": "", "ä": "",
	} {
		require.Equal(t, want, requestID(id), "%q", id)
	}
	for _, answer := range []func(request) (*http.Response, error){
		reply(400, `{"__type":"AccessDeniedException"}`, "X-Amzn-Requestid", canary),
		reply(200, `{}`, "X-Amzn-Requestid", canary),
	} {
		err := operations["Encrypt"](t.Context(), driverOver(t, &wire{answer: answer}, testARN))
		var said *kms.Error
		require.ErrorAs(t, err, &said)
		require.Empty(t, said.RequestID)
		requireQuiet(t, err)
	}
}
