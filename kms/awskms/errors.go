package awskms

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/holdfast-go/holdfast/kms"
)

// The codes of a call that does not fit the key's state: see driver.failed in state.go.
const (
	disabled     = "DisabledException"
	invalidState = "KMSInvalidStateException"
)

// classOf returns what an error code of AWS KMS means: those that the API reference lists for the operations of [Client],
// those it lists as common to all, and older names of some. nil is for the rest: all that say that it is
// KMS which failed, and what KMS does not say.
func classOf(code string) error {
	switch code {
	case "InvalidCiphertextException", "IncorrectKeyException":
		return kms.ErrCiphertext
	case "NotFoundException":
		return kms.ErrNotFound
	case disabled, invalidState:
		return kms.ErrDisabled
	case "AccessDeniedException", "AccessDenied", "NotAuthorized", "OptInRequired", "InvalidGrantTokenException",
		"UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException", "ExpiredToken", "RequestExpired",
		"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "IncompleteSignatureException",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException":
		return kms.ErrAccessDenied
	case "ValidationException", "ValidationError", "SerializationException", "InvalidArnException", "InvalidKeyUsageException":
		return kms.ErrInvalid
	case "UnsupportedOperationException", "UnknownOperationException", "InvalidAction",
		"LimitExceededException": // the key was rotated as often as it may be
		return kms.ErrUnsupported
	case "ThrottlingException", "Throttling", "ThrottledException", "RequestThrottled", "RequestThrottledException",
		"RequestLimitExceeded", "TooManyRequestsException", "SlowDown",
		"ConflictException": // a rotation is in progress, or about to begin
		return kms.ErrThrottled
	}
	return nil
}

// failure maps what the client said. Only a code that AWS KMS itself sent below HTTP status 500 is a refusal. All else is an
// outage: no answer, no credentials to ask with, an answer that can't be read, and what proxies say.
//
// Nothing of what the client said is wrapped or repeated but codes and causes of broken connections, because the
// texts of AWS KMS may hold what they are about.
func failure(ctx context.Context, err error) *kms.Error {
	if errors.Is(err, errClear) {
		return &kms.Error{Err: errClear}
	}
	answer, api, foreign := sources(err)
	if done := ctx.Err(); done != nil && api == nil {
		if errors.Is(done, context.DeadlineExceeded) {
			return &kms.Error{Retryable: true, Err: fmt.Errorf("%w: %w", kms.ErrUnavailable, done)}
		}
		return &kms.Error{Err: done}
	}
	e, class, status := &kms.Error{}, error(nil), 0
	if api != nil {
		class = classOf(api.ErrorCode())
	}
	if answer != nil {
		e.RequestID, status = requestID(answer.ServiceRequestID()), answer.HTTPStatusCode()
	}
	switch {
	case status == http.StatusTooManyRequests:
		class = kms.ErrThrottled
	case class == nil, status >= 500 && class != kms.ErrThrottled:
		class = kms.ErrUnavailable
	}
	if class == kms.ErrUnavailable || class == kms.ErrThrottled {
		e.Retryable = true
		if answer != nil {
			e.RetryAfter = retryAfter(answer.Response.Header, time.Now())
		}
	}
	switch {
	case foreign != nil:
		e.Err = fmt.Errorf("%w: no credentials for AWS KMS: %.32q %.32q failed%s", class, foreign.Service(), foreign.Operation(), named(foreign))
	case answer != nil:
		e.Err = fmt.Errorf("%w: AWS KMS answered%s, HTTP status %d", class, named(err), status)
	case api != nil:
		e.Err = fmt.Errorf("%w: AWS KMS answered%s", class, named(err))
	default:
		e.Err = fmt.Errorf("%w: no answer from AWS KMS: %s", class, cause(err))
	}
	return e
}

// sources finds what KMS answered: the HTTP response, and the error in it. An SDK client that has no credentials fails
// inside its own call with what another service said to it, which foreign then is, or with anything that a provider of credentials makes up.
func sources(err error) (answer *awshttp.ResponseError, api smithy.APIError, foreign *smithy.OperationError) {
	var call *smithy.OperationError
	ours := !errors.As(err, &call) // from a Client that is not the SDK's
	if !ours && errors.As(call.Err, &foreign) {
		return nil, nil, foreign
	}
	if errors.As(err, &answer) && !came(answer) {
		answer = nil
	}
	if answer != nil || ours {
		errors.As(err, &api)
	}
	return answer, api, nil
}

// came tells whether there is a response. The SDK has such an error also where none came, and others may have half of one.
func came(e *awshttp.ResponseError) bool {
	return e.Response != nil && e.Response.Response != nil && e.Response.StatusCode != 0
}

// idForm is how request ids look: UUIDs, and what proxies make up.
var idForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// requestID returns id, or "" for what is none.
func requestID(id string) string {
	if !idForm.MatchString(id) {
		return ""
	}
	return id
}

// codeOf returns the code that AWS KMS answered, or "".
func codeOf(err error) string {
	if _, api, _ := sources(err); api != nil {
		return api.ErrorCode()
	}
	return ""
}

// wordForm is how codes and states look. No key or plaintext in base64 looks so but by rare chance.
var wordForm = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

// named returns the code in err for an error's text.
func named(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) || !wordForm.MatchString(api.ErrorCode()) {
		return " without an error code"
	}
	return fmt.Sprintf(" %q", api.ErrorCode())
}

// cause returns why there is no answer, for an error's text, as far as that can't hold what was sent or received.
func cause(err error) string {
	var (
		certificate *tls.CertificateVerificationError
		lookup      *net.DNSError
		connection  *net.OpError
	)
	switch {
	case errors.As(err, &certificate):
		return fmt.Sprintf("%.200q", certificate.Error())
	case errors.As(err, &lookup):
		return fmt.Sprintf("%.200q", lookup.Error())
	case errors.As(err, &connection):
		return fmt.Sprintf("%.200q", connection.Error())
	}
	return "the request was not sent, or the connection broke"
}

// retryAfter reads the pause that is asked for: X-Amz-Retry-After has milliseconds, Retry-After seconds or a date. The former
// counts where there are both.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseUint(h.Get("X-Amz-Retry-After"), 10, 31); err == nil {
		return time.Duration(ms) * time.Millisecond
	}
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
