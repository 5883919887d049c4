package awskms

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestNewByARN requires that a process starts without KMS, when it knows the key's ARN.
func TestNewByARN(t *testing.T) {
	for _, arn := range []string{testARN, mrkARN} {
		w := &wire{answer: reply(503, "")}
		k, err := New(t.Context(), clientOver(w), arn, nil)
		require.NoError(t, err)
		require.Equal(t, kms.Ref{Provider: "awskms", KeyID: arn}, k.Ref())
		require.Empty(t, w.requests)
		require.ErrorIs(t, k.Check(t.Context()), kms.ErrUnavailable)
		require.NotEmpty(t, w.requests)
		require.NoError(t, k.Close())
	}
}

// TestNewByName resolves a name once, and keeps the ARN.
func TestNewByName(t *testing.T) {
	for _, name := range []string{keyID, "alias/app", "arn:aws:kms:eu-north-1:123456789012:alias/app"} {
		t.Run(name, func(t *testing.T) {
			w := &wire{answer: answers(map[string]func(request) (*http.Response, error){
				"DescribeKey": description(t, "Disabled", nil), // the state is for Check
				"Encrypt":     reply(200, jsonOf(t, encrypted(testARN))),
			})}
			k, err := New(t.Context(), clientOver(w), name, &Options{GrantTokens: []string{"a grant token"}})
			require.NoError(t, err)
			require.Equal(t, kms.Ref{Provider: "awskms", KeyID: testARN}, k.Ref())
			_, err = k.Wrap(t.Context(), []byte("key"), nil)
			require.NoError(t, err)
			require.Equal(t, request{"DescribeKey", map[string]any{"KeyId": name, "GrantTokens": []any{"a grant token"}}}, w.requests[0])
			require.Equal(t, []string{"DescribeKey", "Encrypt"}, w.operations())
			require.Equal(t, testARN, w.requests[1].body["KeyId"])
		})
	}
}

func TestNewRefuses(t *testing.T) {
	describes := func(more map[string]any) func(request) (*http.Response, error) {
		return description(t, "Enabled", more)
	}
	inRegion := func(region string) func(*sdk.Options) { return func(o *sdk.Options) { o.Region = region } }
	logging := func(mode aws.ClientLogMode) func(*sdk.Options) {
		return func(o *sdk.Options) { o.ClientLogMode = mode }
	}
	for _, c := range []struct {
		name    string
		keyID   string
		o       *Options
		client  func(*sdk.Options)
		answer  func(request) (*http.Response, error)
		want    error
		noCalls bool
	}{
		{"no name", "", nil, nil, nil, kms.ErrInvalid, true},
		{"an ARN of another service", "arn:aws:s3:::bucket", nil, nil, nil, kms.ErrInvalid, true},
		{"an ARN without a region", "arn:aws:kms::123456789012:key/" + keyID, nil, nil, nil, kms.ErrInvalid, true},
		{"an alias without its prefix", "team/app", nil, nil, nil, kms.ErrInvalid, true},
		{"an alias of nothing", "alias/", nil, nil, nil, kms.ErrInvalid, true},
		{"an alias with a space", "alias/my app", nil, nil, nil, kms.ErrInvalid, true},
		{"an address", "https://kms.example/key", nil, nil, nil, kms.ErrInvalid, true},
		{"a long id", strings.Repeat("a", 129), nil, nil, nil, kms.ErrInvalid, true},
		{"eleven grant tokens", testARN, &Options{GrantTokens: slices.Repeat([]string{"token"}, 11)}, nil, nil, kms.ErrInvalid, true},
		{"an empty grant token", testARN, &Options{GrantTokens: []string{""}}, nil, nil, kms.ErrInvalid, true},
		{"a long grant token", testARN, &Options{GrantTokens: []string{strings.Repeat("x", 8193)}}, nil, nil, kms.ErrInvalid, true},
		{"wrong options of the key", testARN, &Options{Key: &kms.Options{Attempts: 11}}, nil, nil, kms.ErrInvalid, true},
		{"negative time-out", testARN, &Options{Key: &kms.Options{Timeout: -1}}, nil, nil, kms.ErrInvalid, true},
		{"client of another region", testARN, nil, inRegion("eu-west-1"), nil, kms.ErrInvalid, true},
		{"client without a region", testARN, nil, inRegion(""), nil, kms.ErrInvalid, true},
		{"client of another region than the alias", "arn:aws:kms:eu-north-1:123456789012:alias/app", nil, inRegion("eu-west-1"), nil, kms.ErrInvalid, true},
		{"wrong options and an alias", "alias/app", &Options{Key: &kms.Options{Attempts: 11}}, nil, nil, kms.ErrInvalid, true},
		{"negative time-out and an alias", "alias/app", &Options{Key: &kms.Options{Timeout: -1}}, nil, nil, kms.ErrInvalid, true},
		{"client that logs, and an alias", "alias/app", nil, logging(aws.LogRequestWithBody), nil, kms.ErrInvalid, true},
		{"client that logs requests", testARN, nil, logging(aws.LogRequestWithBody), nil, kms.ErrInvalid, true},
		{"client that logs answers", testARN, nil, logging(aws.LogRetries | aws.LogResponseWithBody), nil, kms.ErrInvalid, true},

		{"a key to sign with", keyID, nil, nil, describes(map[string]any{"KeyUsage": "SIGN_VERIFY"}), kms.ErrInvalid, false},
		{"an asymmetric key", keyID, nil, nil, describes(map[string]any{"KeySpec": "RSA_2048"}), kms.ErrInvalid, false},
		{"an answer without an ARN", keyID, nil, nil, describes(map[string]any{"Arn": keyID}), kms.ErrInvalid, false},
		{"an answer with an alias", "alias/app", nil, nil, describes(map[string]any{"Arn": "arn:aws:kms:eu-north-1:123456789012:alias/app"}), kms.ErrInvalid, false},
		{"an answer about another id", mrkID, nil, nil, describes(nil), kms.ErrInvalid, false},
		{"an answer about another account", "arn:aws:kms:eu-north-1:000000000000:alias/app", nil, nil, describes(nil), kms.ErrInvalid, false},
		{"an answer about another region", "arn:aws:kms:eu-west-1:123456789012:alias/app", nil, inRegion("eu-west-1"), describes(nil), kms.ErrInvalid, false},
		{"an answer about another partition", "arn:aws-cn:kms:eu-north-1:123456789012:alias/app", nil, nil, describes(nil), kms.ErrInvalid, false},
		{"an alias in another region than the client", "alias/app", nil, inRegion("eu-west-1"), describes(nil), kms.ErrInvalid, false},
		{"no such alias", "alias/app", nil, nil, reply(400, `{"__type":"NotFoundException"}`), kms.ErrNotFound, false},
		{"no permission", "alias/app", nil, nil, reply(400, `{"__type":"AccessDeniedException"}`), kms.ErrAccessDenied, false},
		{"outage", "alias/app", nil, nil, reply(503, ""), kms.ErrUnavailable, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &wire{answer: c.answer}
			var options []func(*sdk.Options)
			if c.client != nil {
				options = append(options, c.client)
			}
			k, err := New(t.Context(), clientOver(w, options...), c.keyID, c.o)
			require.Nil(t, k)
			requireClass(t, c.want, err)
			require.Equal(t, c.noCalls, len(w.requests) == 0)
		})
	}
}

// TestNewSaysWhich requires that a refusal names the key and the region that were asked for.
func TestNewSaysWhich(t *testing.T) {
	for name, hint := range map[string]bool{"alias/nope": false, keyID: false, mrkID: false, "nope": true} {
		w := &wire{answer: reply(400, `{"__type":"NotFoundException"}`)}
		_, err := New(t.Context(), clientOver(w), name, nil)
		requireClass(t, kms.ErrNotFound, err)
		require.Contains(t, err.Error(), strconv.Quote(name))
		require.Contains(t, err.Error(), strconv.Quote(region))
		require.Equal(t, hint, strings.Contains(err.Error(), `"alias/"`), "%v", err)
		require.Equal(t, 1, strings.Count(err.Error(), "kms: "), "%v", err)
		var said *kms.Error
		require.ErrorAs(t, err, &said)
		require.Equal(t, sentRequestID, said.RequestID)
	}
	_, err := New(t.Context(), clientOver(&wire{}, func(o *sdk.Options) { o.Region = "eu-west-1" }), testARN, nil)
	require.Contains(t, err.Error(), keyID)
	_, err = New(t.Context(), &fakeClient{}, "alias/app", nil) // whose region is not known
	require.Contains(t, err.Error(), `"alias/app"`)
}

// TestNewOtherClient takes a Client that is not the SDK's, whose region is not known.
func TestNewOtherClient(t *testing.T) {
	f := &fakeClient{}
	k, err := New(t.Context(), f, testARN, nil)
	require.NoError(t, err)
	require.NoError(t, k.Close())
	require.Empty(t, f.described)
	_, err = New(t.Context(), f, "alias/app", nil)
	requireClass(t, kms.ErrInvalid, err) // it describes nothing
	require.Equal(t, []string{"alias/app"}, f.described)
}

// TestNewEnds requires that New takes no longer than its context or the key's time-out.
func TestNewEnds(t *testing.T) {
	client := &fakeClient{hangs: true} // the SDK's draws randomness, which FIPS modules don't give in a bubble
	bubble.Test(t, func(t *testing.T) {
		for timeout, want := range map[time.Duration]time.Duration{0: 10 * time.Second, time.Second: time.Second} {
			start := time.Now()
			_, err := New(t.Context(), client, "alias/app", &Options{Key: &kms.Options{Timeout: timeout}})
			requireClass(t, kms.ErrUnavailable, err)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, want, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := New(ctx, client, "alias/app", nil)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, time.Second, time.Since(start))
		asked := len(client.described)
		_, err = New(ctx, client, "alias/app", nil)
		require.ErrorIs(t, err, context.Canceled)
		require.Len(t, client.described, asked)
	})
}
