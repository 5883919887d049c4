package awskmstest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
)

// always injects f into every request.
func always(f *awskmstest.Fault) func(string, int) *awskmstest.Fault {
	return func(string, int) *awskmstest.Fault { return f }
}

// once injects f into the first request of every operation.
func once(f *awskmstest.Fault) func(string, int) *awskmstest.Fault {
	return func(_ string, n int) *awskmstest.Fault {
		if n > 1 {
			return nil
		}
		return f
	}
}

func single(o *kms.Options) { o.Retryer = aws.NopRetryer{} }

// Broken answers are errors without a code, and the operation was not done.
func TestBrokenAnswers(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region, single)
	for name, fault := range map[string]*awskmstest.Fault{
		"drop":            {Drop: true},
		"cut after none":  {Cut: -1},
		"cut after one":   {Cut: 1},
		"cut in half":     {Cut: 300},
		"HTML":            {Body: []byte("<html><body>Bad Gateway</body></html>")},
		"HTML with 502":   {Body: []byte("<html>"), Status: 502},
		"broken JSON":     {Body: []byte(`{"KeyMetadata":{"KeyId":`)},
		"other JSON":      {Body: []byte(`[1]`)},
		"status alone":    {Status: 500},
		"dropped by edit": {Edit: func(a map[string]any) { a["KeyMetadata"] = 7 }},
	} {
		t.Run(name, func(t *testing.T) {
			arn := s.CreateKey(region)
			s.Inject(always(fault))
			out, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
			require.Error(t, err, "%v", out)
			var modeled *types.NotFoundException
			require.False(t, errors.As(err, &modeled))
			s.Inject(nil)
			describe(t, c, arn)
		})
	}
}

// Empty bodies are no error to the SDK where it expects nothing, so a client must look at what it got.
func TestEmptyAnswer(t *testing.T) {
	s := awskmstest.New(t)
	arn := s.CreateKey(region)
	s.Inject(always(&awskmstest.Fault{Body: []byte("{}")}))
	out, err := s.Client(region, single).Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: []byte("x")})
	require.NoError(t, err)
	require.Nil(t, out.Plaintext)
	require.Nil(t, out.KeyId)
}

func TestAfter(t *testing.T) {
	for name, fault := range map[string]awskmstest.Fault{
		"drop":  {Drop: true},
		"error": {Code: "KMSInternalException"},
		"body":  {Body: []byte("<html>")},
	} {
		for _, after := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " after", false: " before"}[after], func(t *testing.T) {
				s := awskmstest.New(t)
				c := s.Client(region, single)
				arn := s.CreateKey(region)
				fault.After = after
				s.Inject(always(&fault))
				_, err := c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn})
				if fault.Body == nil { // the SDK does not read an answer that it expects nothing of
					require.Error(t, err)
				}
				s.Inject(nil)
				require.Equal(t, !after, describe(t, c, arn).Enabled)
			})
		}
	}
}

func TestEdit(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region, single)
	arn, other := s.CreateKey(region), s.CreateKey(region)
	blob := encrypt(t, c, arn, nil)
	s.Inject(always(&awskmstest.Fault{Edit: func(a map[string]any) {
		a["KeyId"] = other
		a["Plaintext"] = a["Plaintext"].([]byte)[:31]
	}}))
	out, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: blob})
	require.NoError(t, err)
	require.Equal(t, other, *out.KeyId)
	require.Equal(t, dataKey[:31], out.Plaintext)

	_, err = c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &other, CiphertextBlob: blob})
	requireCode(t, "IncorrectKeyException", err) // an error is not edited
}

// A header replaces that of the server, or removes it.
func TestHeader(t *testing.T) {
	s := awskmstest.New(t)
	for _, header := range []map[string]string{{"X-Amzn-Requestid": "mine", "Retry-After": ""}, {"x-amz-retry-after": ""}} {
		s.Inject(always(&awskmstest.Fault{Code: "ThrottlingException", RetryAfter: 1500 * time.Millisecond, Header: header}))
		_, err := s.Client(region, single).ListAliases(t.Context(), nil)
		var answer *awshttp.ResponseError
		require.ErrorAs(t, err, &answer)
		seconds, ms := answer.Response.Header["Retry-After"], answer.Response.Header["X-Amz-Retry-After"]
		if header["X-Amzn-Requestid"] == "" {
			require.Equal(t, []string{"2"}, seconds)
			require.Nil(t, ms)
			continue
		}
		require.Equal(t, "mine", answer.ServiceRequestID())
		require.Nil(t, seconds)
		require.Equal(t, []string{"1500"}, ms)
	}
}

// A caller that leaves gets its own error at once.
func TestLeave(t *testing.T) {
	s := awskmstest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.Inject(func(string, int) *awskmstest.Fault {
		cancel()
		return &awskmstest.Fault{Hang: true}
	})
	_, err := s.Client(region).ListAliases(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, s.Calls("ListAliases"))
}

// Requests that hang or are delayed get no answer, and a server that closes lets go of them all.
func TestCloseWhileHanging(t *testing.T) {
	for name, fault := range map[string]*awskmstest.Fault{
		"hang":  {Hang: true},
		"delay": {Delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			const callers = 4
			failed := make(chan error, callers)
			t.Run("server", func(t *testing.T) {
				s := awskmstest.New(t)
				c := s.Client(region, single)
				arrived := make(chan struct{})
				s.Inject(func(string, int) *awskmstest.Fault {
					arrived <- struct{}{}
					return fault
				})
				for range callers {
					go func() {
						_, err := c.ListAliases(context.Background(), nil)
						failed <- err
					}()
				}
				for range callers {
					<-arrived
				}
			})
			for range callers {
				require.Error(t, <-failed)
			}
		})
	}
}

// So does one whose request is too long to be read.
func TestCloseWhileHangingUnread(t *testing.T) {
	failed := make(chan error, 1)
	t.Run("server", func(t *testing.T) {
		s := awskmstest.New(t)
		cfg := s.Config(region)
		arrived := make(chan struct{})
		s.Inject(func(string, int) *awskmstest.Fault {
			close(arrived)
			return &awskmstest.Fault{Hang: true}
		})
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, *cfg.BaseEndpoint, bytes.NewReader(make([]byte, 4<<20)))
		require.NoError(t, err)
		go func() {
			res, err := cfg.HTTPClient.Do(r)
			if err == nil {
				res.Body.Close()
			}
			failed <- err
		}()
		<-arrived
	})
	require.Error(t, <-failed)
}

// Faults strike requests that are refused too: the network does not read signatures.
func TestFaultOfUnsigned(t *testing.T) {
	s := awskmstest.New(t)
	s.Inject(always(&awskmstest.Fault{Status: 418, Body: []byte("tea")}))
	res, err := s.Config(region).HTTPClient.Do(func() *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, *s.Config(region).BaseEndpoint, nil)
		require.NoError(t, err)
		return r
	}())
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "tea", string(body))
	require.Equal(t, 418, res.StatusCode)
	require.Equal(t, 1, s.Calls(""))
}

func TestConcurrentUse(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	s.Inject(func(_ string, n int) *awskmstest.Fault {
		if n%7 == 0 {
			return &awskmstest.Fault{Code: "InvalidCiphertextException"}
		}
		return nil
	})
	done := make(chan error)
	for range 8 {
		go func() {
			for range 8 {
				out, err := c.Encrypt(context.Background(), &kms.EncryptInput{KeyId: &arn, Plaintext: dataKey})
				if err == nil {
					_, err = c.Decrypt(context.Background(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: out.CiphertextBlob})
				}
				var injected *types.InvalidCiphertextException
				if err != nil && !errors.As(err, &injected) {
					done <- err
					return
				}
				_, _ = s.Requests(), s.Calls("")
			}
			done <- nil
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
	require.Equal(t, 64, s.Calls("Encrypt"))
	require.Equal(t, 64-64/7, s.Calls("Decrypt"))
}
