package awskms

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestInvalidState asks for the state once, and never takes the answer for less than a refusal or an outage.
func TestInvalidState(t *testing.T) {
	states := map[string]error{
		"Disabled":               kms.ErrDisabled,
		"PendingImport":          kms.ErrDisabled,
		"PendingDeletion":        kms.ErrPendingDeletion,
		"PendingReplicaDeletion": kms.ErrPendingDeletion,
		"Creating":               kms.ErrUnavailable,
		"Updating":               kms.ErrDisabled, // DescribeKey lags behind
		"Enabled":                kms.ErrDisabled,
		"Updating in a store":    kms.ErrUnavailable, // which fails
		"Enabled in a store":     kms.ErrUnavailable,
		"Unavailable":            kms.ErrUnavailable,
		"SomethingNew":           kms.ErrUnavailable,
		"":                       kms.ErrUnavailable,
		"no answer":              kms.ErrDisabled,
		"no permission":          kms.ErrDisabled,
		"another key":            kms.ErrDisabled,
	}
	for _, operation := range []string{"Encrypt", "Decrypt", "RotateKeyOnDemand"} {
		for state, want := range states {
			t.Run(operation+" "+state, func(t *testing.T) {
				w, code := &wire{}, invalidState
				test := func() {
					err := operations[operation](t.Context(), driverOver(t, w, testARN))
					requireClass(t, want, err)
					requireQuiet(t, err)
					require.Equal(t, []string{operation, "DescribeKey"}, w.operations())
					require.Equal(t, []any{"a grant token"}, w.requests[1].body["GrantTokens"])
				}
				w.answer = func(r request) (*http.Response, error) {
					switch {
					case r.operation != "DescribeKey":
						return reply(400, `{"__type":"`+code+`","message":"`+canary+`"}`)(r)
					case state == "no answer":
						return reply(503, "")(r)
					case state == "no permission":
						return reply(400, `{"__type":"AccessDeniedException"}`)(r)
					case state == "another key":
						return reply(200, jsonOf(t, map[string]any{"KeyMetadata": map[string]any{"Arn": mrkARN, "KeyState": "Enabled"}}))(r)
					}
					m := map[string]any{"Arn": testARN}
					state, stored := strings.CutSuffix(state, " in a store")
					m["KeyState"] = state
					if stored {
						m["CustomKeyStoreId"] = "cks-1234567890abcdef0"
					}
					return reply(200, jsonOf(t, map[string]any{"KeyMetadata": m}))(r)
				}
				test()

				w.requests, code = nil, disabled
				if want != kms.ErrPendingDeletion {
					want = kms.ErrDisabled // it is what was answered
				}
				test()
			})
		}
	}
}

// TestLaggingDescribe has DescribeKey say that a key is enabled, which is refused already or whose key store is out.
func TestLaggingDescribe(t *testing.T) {
	for store, want := range map[string]error{"": kms.ErrDisabled, "cks-1234567890abcdef0": kms.ErrUnavailable} {
		s := awskmstest.New(t)
		client := s.Client(region, func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} })
		k := newKey(t, client, s.CreateKey(region), nil)
		w := wraps(t, k, nil)
		_, err := k.Destroy(t.Context(), 0)
		require.NoError(t, err)
		s.Inject(func(string, int) *awskmstest.Fault {
			return &awskmstest.Fault{Edit: func(answer map[string]any) {
				m := answer["KeyMetadata"].(map[string]any)
				m["KeyState"], m["CustomKeyStoreId"] = "Enabled", store
			}}
		})
		_, err = k.Unwrap(t.Context(), w, nil)
		requireClass(t, want, err)
	}
}

// TestRefusalIsNotHeldUp requires that a refusal comes within a second, or half of the caller's time, of a DescribeKey that hangs, and
// that one answer serves the refusals of some seconds.
func TestRefusalIsNotHeldUp(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := &fakeClient{err: &types.KMSInvalidStateException{}, hangs: true}
		d := driverOver(t, nil, testARN)
		d.client = f
		refused := func(timeout time.Duration, want error) time.Duration {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			start := time.Now()
			_, err := d.Unwrap(ctx, kms.Wrapped{Ref: d.ref, Blob: []byte("blob")}, nil)
			requireClass(t, want, err)
			return time.Since(start)
		}
		// One who has little time learns nothing, which is not for others.
		require.Equal(t, 200*time.Millisecond, refused(400*time.Millisecond, kms.ErrDisabled))
		require.Equal(t, time.Second, refused(time.Minute, kms.ErrDisabled))
		require.Len(t, f.described, 2)
		require.Zero(t, refused(time.Minute, kms.ErrDisabled))
		require.Len(t, f.described, 2)

		f.hangs = false
		f.metadata = &types.KeyMetadata{Arn: aws.String(testARN), KeyState: types.KeyStatePendingDeletion}
		require.Zero(t, refused(time.Minute, kms.ErrDisabled))
		time.Sleep(rememberFor)
		require.Zero(t, refused(time.Minute, kms.ErrPendingDeletion))
		require.Len(t, f.described, 3)
		for range 10 {
			require.Zero(t, refused(time.Minute, kms.ErrPendingDeletion))
		}
		require.Len(t, f.described, 3)

		// Another code says something else.
		f.err, f.metadata.KeyState = &types.DisabledException{}, types.KeyStateDisabled
		require.Zero(t, refused(time.Minute, kms.ErrDisabled))
		require.Len(t, f.described, 4)
	})
}
