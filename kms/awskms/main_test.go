package awskms

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/kms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	region        = "eu-north-1"
	keyID         = "1234abcd-12ab-34cd-56ef-1234567890ab"
	testARN       = "arn:aws:kms:eu-north-1:123456789012:key/" + keyID
	mrkID         = "mrk-1234abcd12ab34cd56ef1234567890ab"
	mrkARN        = "arn:aws:kms:eu-north-1:123456789012:key/" + mrkID
	sentRequestID = "11111111-2222-3333-4444-555555555555"
)

// request is what an SDK client sent.
type request struct {
	operation string
	body      map[string]any
}

// wire stands in for the network below an SDK client.
type wire struct {
	requests []request
	answer   func(r request) (*http.Response, error)
}

// Do implements aws.HTTPClient.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	sent := request{operation: operation}
	if err := json.Unmarshal(data, &sent.body); err != nil {
		return nil, err
	}
	w.requests = append(w.requests, sent)
	return w.answer(sent)
}

// operations returns the names of what was sent, in its order.
func (w *wire) operations() (names []string) {
	for _, r := range w.requests {
		names = append(names, r.operation)
	}
	return names
}

// reply answers every request alike.
func reply(status int, body string, header ...string) func(request) (*http.Response, error) {
	return func(request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amzn-Requestid": {sentRequestID}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{
			StatusCode: status, Header: h,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	}
}

// jsonOf returns a body.
func jsonOf(t testing.TB, v map[string]any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: strings.Repeat("s", 40)}, nil
})

// clientOver returns an SDK client over w which tries everything once.
func clientOver(w *wire, options ...func(*sdk.Options)) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: strings.Repeat("s", 40)}, nil
		}),
		HTTPClient: w,
		Retryer:    aws.NopRetryer{},
	}, options...)
}

// driverOver returns the driver of the key arn over an SDK client over w.
func driverOver(t testing.TB, w *wire, name string, options ...func(*sdk.Options)) *driver {
	t.Helper()
	key, ok := parseARN(name)
	require.True(t, ok)
	return &driver{
		client: clientOver(w, options...), key: key, ref: kms.Ref{Provider: Provider, KeyID: name},
		tokens: []string{"a grant token"}, release: func() {},
	}
}

// retrying has an SDK client try again as by default, but without pauses.
func retrying(o *sdk.Options) {
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
}
