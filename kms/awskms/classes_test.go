package awskms

import (
	"errors"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
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
