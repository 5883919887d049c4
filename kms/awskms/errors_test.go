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
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// classes are all that an error may match.
var classes = []error{
	kms.ErrNotFound, kms.ErrDisabled, kms.ErrPendingDeletion, kms.ErrDestroyed, kms.ErrAccessDenied, kms.ErrThrottled,
	kms.ErrUnavailable, kms.ErrCiphertext, kms.ErrInvalid, kms.ErrUnsupported, kms.ErrClosed,
}

// requireClass requires that err matches that class and no other, and may be tried again only if it is an outage.
func requireClass(t testing.TB, want, err error) {
	t.Helper()
	for _, class := range classes {
		require.Equal(t, class == want, errors.Is(err, class), "%v: %v", class, err)
	}
	var said *kms.Error
	require.ErrorAs(t, err, &said)
	require.Equal(t, want == kms.ErrUnavailable || want == kms.ErrThrottled, said.Retryable, "%v", err)
}

// modelled is what each exception of the SDK means. Those that the operations used here can't return are outages: what
// KMS does not say in answer to a call is no refusal of it.
var modelled = map[string]error{
	"AlreadyExistsException":                                  kms.ErrUnavailable,
	"CloudHsmClusterInUseException":                           kms.ErrUnavailable,
	"CloudHsmClusterInvalidConfigurationException":            kms.ErrUnavailable,
	"CloudHsmClusterNotActiveException":                       kms.ErrUnavailable,
	"CloudHsmClusterNotFoundException":                        kms.ErrUnavailable,
	"CloudHsmClusterNotRelatedException":                      kms.ErrUnavailable,
	"ConflictException":                                       kms.ErrThrottled,
	"CustomKeyStoreHasCMKsException":                          kms.ErrUnavailable,
	"CustomKeyStoreInvalidStateException":                     kms.ErrUnavailable,
	"CustomKeyStoreNameInUseException":                        kms.ErrUnavailable,
	"CustomKeyStoreNotFoundException":                         kms.ErrUnavailable,
	"DependencyTimeoutException":                              kms.ErrUnavailable,
	"DisabledException":                                       kms.ErrDisabled,
	"DryRunOperationException":                                kms.ErrUnavailable,
	"ExpiredImportTokenException":                             kms.ErrUnavailable,
	"IncorrectKeyException":                                   kms.ErrCiphertext,
	"IncorrectKeyMaterialException":                           kms.ErrUnavailable,
	"IncorrectTrustAnchorException":                           kms.ErrUnavailable,
	"InvalidAliasNameException":                               kms.ErrUnavailable,
	"InvalidArnException":                                     kms.ErrInvalid,
	"InvalidCiphertextException":                              kms.ErrCiphertext,
	"InvalidGrantIdException":                                 kms.ErrUnavailable,
	"InvalidGrantTokenException":                              kms.ErrAccessDenied,
	"InvalidImportTokenException":                             kms.ErrUnavailable,
	"InvalidKeyUsageException":                                kms.ErrInvalid,
	"InvalidMarkerException":                                  kms.ErrUnavailable,
	"KMSInternalException":                                    kms.ErrUnavailable,
	"KMSInvalidMacException":                                  kms.ErrUnavailable,
	"KMSInvalidSignatureException":                            kms.ErrUnavailable,
	"KMSInvalidStateException":                                kms.ErrDisabled,
	"KeyUnavailableException":                                 kms.ErrUnavailable,
	"LimitExceededException":                                  kms.ErrUnsupported,
	"MalformedPolicyDocumentException":                        kms.ErrUnavailable,
	"NotFoundException":                                       kms.ErrNotFound,
	"TagException":                                            kms.ErrUnavailable,
	"UnsupportedOperationException":                           kms.ErrUnsupported,
	"XksKeyAlreadyInUseException":                             kms.ErrUnavailable,
	"XksKeyInvalidConfigurationException":                     kms.ErrUnavailable,
	"XksKeyNotFoundException":                                 kms.ErrUnavailable,
	"XksProxyIncorrectAuthenticationCredentialException":      kms.ErrUnavailable,
	"XksProxyInvalidConfigurationException":                   kms.ErrUnavailable,
	"XksProxyInvalidResponseException":                        kms.ErrUnavailable,
	"XksProxyUriEndpointInUseException":                       kms.ErrUnavailable,
	"XksProxyUriInUseException":                               kms.ErrUnavailable,
	"XksProxyUriUnreachableException":                         kms.ErrUnavailable,
	"XksProxyVpcEndpointServiceInUseException":                kms.ErrUnavailable,
	"XksProxyVpcEndpointServiceInvalidConfigurationException": kms.ErrUnavailable,
	"XksProxyVpcEndpointServiceNotFoundException":             kms.ErrUnavailable,
}

// unmodelled is what codes mean that the SDK has no type for.
var unmodelled = map[string]error{
	"AccessDenied":                        kms.ErrAccessDenied,
	"AccessDeniedException":               kms.ErrAccessDenied,
	"ExpiredToken":                        kms.ErrAccessDenied,
	"ExpiredTokenException":               kms.ErrAccessDenied,
	"IncompleteSignature":                 kms.ErrAccessDenied,
	"IncompleteSignatureException":        kms.ErrAccessDenied,
	"InternalFailure":                     kms.ErrUnavailable,
	"InvalidAction":                       kms.ErrUnsupported,
	"InvalidClientTokenId":                kms.ErrAccessDenied,
	"InvalidSignatureException":           kms.ErrAccessDenied,
	"MissingAuthenticationToken":          kms.ErrAccessDenied,
	"MissingAuthenticationTokenException": kms.ErrAccessDenied,
	"NotAuthorized":                       kms.ErrAccessDenied,
	"OptInRequired":                       kms.ErrAccessDenied,
	"RequestExpired":                      kms.ErrAccessDenied,
	"RequestLimitExceeded":                kms.ErrThrottled,
	"RequestThrottled":                    kms.ErrThrottled,
	"RequestThrottledException":           kms.ErrThrottled,
	"RequestTimeout":                      kms.ErrUnavailable,
	"RequestTimeoutException":             kms.ErrUnavailable,
	"SerializationException":              kms.ErrInvalid,
	"ServiceUnavailable":                  kms.ErrUnavailable,
	"ServiceUnavailableException":         kms.ErrUnavailable,
	"SignatureDoesNotMatch":               kms.ErrAccessDenied,
	"SlowDown":                            kms.ErrThrottled,
	"ThrottledException":                  kms.ErrThrottled,
	"Throttling":                          kms.ErrThrottled,
	"ThrottlingException":                 kms.ErrThrottled,
	"TooManyRequestsException":            kms.ErrThrottled,
	"UnknownOperationException":           kms.ErrUnsupported,
	"UnrecognizedClientException":         kms.ErrAccessDenied,
	"ValidationError":                     kms.ErrInvalid,
	"ValidationException":                 kms.ErrInvalid,
	// What AWS KMS does not say.
	"ForbiddenException": kms.ErrUnavailable,
	"Forbidden":          kms.ErrUnavailable,
	"NotFound":           kms.ErrUnavailable,
	"Disabled":           kms.ErrUnavailable,
	"UnknownError":       kms.ErrUnavailable,
}

// TestEveryException finds an exception that a new SDK brings and nobody has thought of.
func TestEveryException(t *testing.T) {
	for id := range sdk.TypeRegistry.Entries {
		name := strings.TrimPrefix(id, "com.amazonaws.kms#")
		if strings.HasSuffix(name, "Exception") {
			require.Contains(t, modelled, name)
		}
	}
	for name := range modelled {
		require.Contains(t, sdk.TypeRegistry.Entries, "com.amazonaws.kms#"+name)
	}
}

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
					require.Equal(t, requestID, said.RequestID)
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

func TestRetryAfter(t *testing.T) {
	now := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"2147483647":                    2147483647 * time.Second,
		"4294967296":                    0,
		"-1":                            0,
		"1.5":                           0,
		"soon":                          0,
		"Tue, 04 Mar 2025 05:06:37 GMT": 30 * time.Second,
		"Tue, 04 Mar 2025 05:06:00 GMT": 0,
	} {
		require.Equal(t, want, retryAfter(http.Header{"Retry-After": {value}}, now), "%q", value)
	}
	require.Zero(t, retryAfter(nil, now))

	for status, want := range map[int]time.Duration{429: 9 * time.Second, 503: 9 * time.Second, 400: 0} {
		r := reply(status, `{"__type":"AccessDeniedException"}`, "Retry-After", "9")
		err := operations["Encrypt"](t.Context(), driverOver(t, &wire{answer: r}, testARN))
		var said *kms.Error
		require.ErrorAs(t, err, &said)
		require.Equal(t, want, said.RetryAfter, "%d", status)
	}
}
