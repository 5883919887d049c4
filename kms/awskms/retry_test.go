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
)

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
	for _, c := range []struct {
		ms, seconds string
		want        time.Duration
	}{
		{"1500", "", 1500 * time.Millisecond},
		{"1500", "2", 1500 * time.Millisecond},
		{"0", "2", 0},
		{"2147483647", "", 2147483647 * time.Millisecond},
		{"4294967296", "2", 2 * time.Second},
		{"-1", "2", 2 * time.Second},
		{"soon", "2", 2 * time.Second},
		{"1.5", "", 0},
	} {
		h := http.Header{"X-Amz-Retry-After": {c.ms}, "Retry-After": {c.seconds}}
		require.Equal(t, c.want, retryAfter(h, now), "%v", h)
	}

	for status, want := range map[int]time.Duration{429: 9 * time.Second, 503: 9 * time.Second, 400: 0} {
		r := reply(status, `{"__type":"AccessDeniedException"}`, "Retry-After", "9")
		err := operations["Encrypt"](t.Context(), driverOver(t, &wire{answer: r}, testARN))
		var said *kms.Error
		require.ErrorAs(t, err, &said)
		require.Equal(t, want, said.RetryAfter, "%d", status)
	}
}

// TestRetriesAreTheSDKs counts: the SDK's attempts, and not those of the Key on top.
func TestRetriesAreTheSDKs(t *testing.T) {
	for _, c := range []struct {
		fault awskmstest.Fault
		want  error
		calls int
	}{
		{awskmstest.Fault{Code: "ThrottlingException"}, kms.ErrThrottled, 3},
		{awskmstest.Fault{Code: "KMSInternalException"}, kms.ErrUnavailable, 3},
		{awskmstest.Fault{Drop: true}, kms.ErrUnavailable, 3},
		{awskmstest.Fault{Status: 503, Body: []byte("<html>")}, kms.ErrUnavailable, 3},
		{awskmstest.Fault{Code: "AccessDeniedException"}, kms.ErrAccessDenied, 1},
		{awskmstest.Fault{Code: "InvalidCiphertextException"}, kms.ErrCiphertext, 1},
		{awskmstest.Fault{Status: 403, Body: []byte("<html>")}, kms.ErrUnavailable, 1},
	} {
		s := awskmstest.New(t)
		k := newKey(t, s.Client(region, retrying), s.CreateKey(region), nil)
		w := wraps(t, k, nil)
		before := s.Calls("")
		s.Inject(func(string, int) *awskmstest.Fault { return &c.fault })
		_, err := k.Unwrap(t.Context(), w, nil)
		requireClass(t, c.want, err)
		require.Equal(t, c.calls, s.Calls("")-before, "%v", err)

		// One that passes is not seen.
		s.Inject(func(_ string, n int) *awskmstest.Fault {
			if n < c.calls {
				return &c.fault
			}
			return nil
		})
		opens(t, k, w, nil)
	}
}

// TestHang costs a caller the key's time-out, and one who leaves nothing.
func TestHang(t *testing.T) {
	s := awskmstest.New(t)
	k := newKey(t, s.Client(region), s.CreateKey(region), &Options{Key: &kms.Options{Timeout: 50 * time.Millisecond}})
	patient := newKey(t, s.Client(region), k.Ref().KeyID, &Options{Key: &kms.Options{Timeout: time.Hour}})
	w := wraps(t, patient, nil)
	arrived := make(chan struct{}, 100)
	s.Inject(func(string, int) *awskmstest.Fault {
		arrived <- struct{}{}
		return &awskmstest.Fault{Hang: true}
	})
	_, err := k.Unwrap(t.Context(), w, nil)
	requireClass(t, kms.ErrUnavailable, err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for len(arrived) > 0 {
		<-arrived
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err = patient.Unwrap(ctx, w, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, kms.ErrUnavailable)
}

// TestEitherRetryAfter reads the pause from whichever header the service sends.
func TestEitherRetryAfter(t *testing.T) {
	s := awskmstest.New(t)
	k := newKey(t, s.Client(region, func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} }), s.CreateKey(region), nil)
	for removed, want := range map[string]time.Duration{
		"Retry-After": 1500 * time.Millisecond, "X-Amz-Retry-After": 2 * time.Second, "X-Other": 1500 * time.Millisecond,
	} {
		s.Inject(func(string, int) *awskmstest.Fault {
			return &awskmstest.Fault{Code: "ThrottlingException", RetryAfter: 1500 * time.Millisecond, Header: map[string]string{removed: ""}}
		})
		_, err := k.Wrap(t.Context(), []byte(canary), nil)
		var said *kms.Error
		require.ErrorAs(t, err, &said)
		require.Equal(t, want, said.RetryAfter, "without %s", removed)
	}
}
