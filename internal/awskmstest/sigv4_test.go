package awskmstest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
)

func TestCredentials(t *testing.T) {
	s := awskmstest.New(t)
	arn := s.CreateKey(region)
	good, err := s.Config(region).Credentials.Retrieve(t.Context())
	require.NoError(t, err)
	for name, test := range map[string]struct {
		change func(*aws.Credentials)
		want   string
	}{
		"right":          {func(*aws.Credentials) {}, ""},
		"other secret":   {func(c *aws.Credentials) { c.SecretAccessKey += "x" }, "InvalidSignatureException"},
		"unknown key id": {func(c *aws.Credentials) { c.AccessKeyID = "AKIAIOSFODNN7EXAMPLE" }, "UnrecognizedClientException"},
		"session token":  {func(c *aws.Credentials) { c.SessionToken = "x" }, "UnrecognizedClientException"},
	} {
		t.Run(name, func(t *testing.T) {
			creds := good
			test.change(&creds)
			c := s.Client(region, fast, func(o *kms.Options) {
				o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return creds, nil })
			})
			_, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
			requireCode(t, test.want, err)
		})
	}
}

// raw is a request that the SDK would not make.
type raw struct {
	method, path, target, contentType, body string
	date                                    time.Time
	region, service                         string
	unsigned                                bool
	after                                   func(*http.Request) // what happens to it on the way
}

// send signs and sends a request, and returns the status and error code of the answer, "" for none.
func (x raw) send(t *testing.T, cfg aws.Config) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), x.method, *cfg.BaseEndpoint+x.path, strings.NewReader(x.body))
	require.NoError(t, err)
	r.Header.Set("X-Amz-Target", x.target)
	r.Header.Set("Content-Type", x.contentType)
	if !x.unsigned {
		creds, err := cfg.Credentials.Retrieve(t.Context())
		require.NoError(t, err)
		hash := sha256.Sum256([]byte(x.body))
		require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), creds, r, hex.EncodeToString(hash[:]), x.service, x.region, x.date))
	}
	if x.after != nil {
		x.after(r)
	}
	res, err := cfg.HTTPClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NotEmpty(t, res.Header.Get("X-Amzn-Requestid"))
	var e struct {
		Type string `json:"__type"`
	}
	if len(body) > 0 { // some operations answer without one
		require.NoError(t, json.Unmarshal(body, &e))
	}
	return res.StatusCode, e.Type
}

func TestRequestsAreChecked(t *testing.T) {
	const (
		signature = "InvalidSignatureException"
		operation = "UnknownOperationException"
		json      = "SerializationException"
	)
	cfg := awskmstest.New(t).Config(region)
	for name, test := range map[string]struct {
		change func(*raw)
		want   string
	}{
		"right":         {func(*raw) {}, ""},
		"unsigned":      {func(x *raw) { x.unsigned = true }, "MissingAuthenticationTokenException"},
		"a bit old":     {func(x *raw) { x.date = x.date.Add(-4 * time.Minute) }, ""},
		"old":           {func(x *raw) { x.date = x.date.Add(-6 * time.Minute) }, signature},
		"early":         {func(x *raw) { x.date = x.date.Add(6 * time.Minute) }, signature},
		"other service": {func(x *raw) { x.service = "s3" }, signature},
		"other region":  {func(x *raw) { x.region = "eu-west-1" }, ""},
		"body changed": {after(func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(`{"Description":"x"}`))
			r.ContentLength = 19
		}), signature},
		"same length":     {after(func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`[]`)) }), signature},
		"other operation": {after(func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.ListAliases") }), signature},
		"other type":      {after(func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }), signature},
		"header added":    {after(func(r *http.Request) { r.Header.Set("X-Amz-Extra", "x") }), signature},
		"host changed":    {after(func(r *http.Request) { r.Host = "kms.example" }), signature},
		"path changed":    {after(func(r *http.Request) { r.URL.Path = "/x" }), signature},
		"query added":     {after(func(r *http.Request) { r.URL.RawQuery = "x=y" }), signature},
		"date changed": {after(func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().UTC().Add(time.Second).Format("20060102T150405Z"))
		}), signature},
		"other day's scope":   {after(replace("/"+time.Now().UTC().Format("20060102")+"/", "/20200101/")), signature},
		"no date":             {after(func(r *http.Request) { r.Header.Del("X-Amz-Date") }), "IncompleteSignatureException"},
		"half":                {after(replace("Signature=", "Sig=")), "IncompleteSignatureException"},
		"other terminator":    {after(replace("aws4_request", "aws5_request")), "IncompleteSignatureException"},
		"no grant id":         {func(x *raw) { x.target = "TrentService.RevokeGrant"; x.body = `{"KeyId":"x"}` }, "ValidationException"},
		"other algorithm":     {after(replace("HMAC-SHA256", "HMAC-SHA1")), "IncompleteSignatureException"},
		"less signed":         {after(replace("host;", "")), signature},
		"get":                 {func(x *raw) { x.method = http.MethodGet; x.body = "" }, operation},
		"path":                {func(x *raw) { x.path = "/v1" }, operation},
		"unknown operation":   {func(x *raw) { x.target = "TrentService.Sign" }, operation},
		"bare operation":      {func(x *raw) { x.target = "" }, operation},
		"content type":        {func(x *raw) { x.contentType = "application/json" }, operation},
		"no JSON":             {func(x *raw) { x.body = "{" }, json},
		"no object":           {func(x *raw) { x.body = "[]" }, json},
		"wrong type":          {func(x *raw) { x.body = `{"Description":1}` }, json},
		"huge":                {func(x *raw) { x.body = `{"Description":"` + strings.Repeat("x", 1<<20) + `"}` }, json},
		"unknown parameter":   {func(x *raw) { x.body = `{"description":""}` }, "ValidationException"},
		"missing parameter":   {func(x *raw) { x.target = "TrentService.DescribeKey" }, "ValidationException"},
		"null parameter":      {func(x *raw) { x.target = "TrentService.DescribeKey"; x.body = `{"KeyId":null}` }, "ValidationException"},
		"nulls are like none": {func(x *raw) { x.body = `{"Description":null}` }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := raw{
				method: http.MethodPost, path: "/", target: "TrentService.CreateKey", contentType: "application/x-amz-json-1.1", body: "{}",
				date: time.Now().UTC(), region: region, service: "kms",
			}
			test.change(&x)
			status, code := x.send(t, cfg)
			require.Equal(t, test.want, code)
			require.Equal(t, map[bool]int{true: 200, false: 400}[test.want == ""], status)
		})
	}
}

func after(f func(*http.Request)) func(*raw) { return func(x *raw) { x.after = f } }

// replace changes the Authorization header.
func replace(old, with string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, with, 1))
	}
}

func TestRequests(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	blob := encrypt(t, c, arn, map[string]string{"a": "b"})
	_, err := c.ReEncrypt(t.Context(), &kms.ReEncryptInput{
		CiphertextBlob: blob, SourceEncryptionContext: map[string]string{"a": "b"},
		DestinationKeyId: &arn, DestinationEncryptionContext: map[string]string{"c": "d"},
	})
	require.NoError(t, err)
	_, err = s.Client("us-east-1").Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: blob, GrantTokens: []string{"t"}})
	require.Error(t, err)

	got := s.Requests()
	require.Equal(t, []awskmstest.Request{
		{ID: got[0].ID, Operation: "Encrypt", Region: region, KeyID: arn, EncryptionContext: map[string]string{"a": "b"}},
		{ID: got[1].ID, Operation: "ReEncrypt", Region: region, KeyID: arn, EncryptionContext: map[string]string{"c": "d"}},
		{ID: got[2].ID, Operation: "Decrypt", Region: "us-east-1", KeyID: arn, GrantTokens: []string{"t"}},
	}, got)
	require.NotEqual(t, got[0].ID, got[1].ID)
	require.Equal(t, 1, s.Calls("Decrypt"))
	require.Equal(t, 0, s.Calls("CreateKey"))
	require.Equal(t, 3, s.Calls(""))
	got[0].EncryptionContext["a"] = "changed"
	require.Equal(t, "b", s.Requests()[0].EncryptionContext["a"])
}

// FuzzRequest sends signed bodies: none is a success that should not be, and none ends the server.
func FuzzRequest(f *testing.F) {
	f.Add("Encrypt", []byte(`{"KeyId":"alias/a","Plaintext":"AAAA","EncryptionContext":{"a":"b"}}`))
	f.Add("Decrypt", []byte(`{"CiphertextBlob":"8QAAAA=="}`))
	f.Add("CreateKey", []byte(`{"MultiRegion":true}`))
	f.Add("CreateGrant", []byte(`{"KeyId":"x","GranteePrincipal":"y","Operations":["Encrypt"],"Constraints":{"SourceArn":"z"}}`))
	f.Add("RetireGrant", []byte(`{"GrantToken":"x"}`))
	f.Add("GenerateDataKey", []byte(`{"KeyId":"alias/a","NumberOfBytes":-1}`))
	s := awskmstest.New(f)
	s.CreateAlias("alias/a", s.CreateKey(region))
	cfg := s.Config(region)
	f.Fuzz(func(t *testing.T, operation string, body []byte) {
		if strings.ContainsFunc(operation, func(r rune) bool { return r < ' ' || r > '~' }) || len(operation) > 100 {
			t.Skip("no header")
		}
		x := raw{
			method: http.MethodPost, path: "/", target: "TrentService." + operation, contentType: "application/x-amz-json-1.1", body: string(body),
			date: time.Now().UTC(), region: region, service: "kms",
		}
		status, code := x.send(t, cfg)
		require.True(t, status == 200 && code == "" || status == 400 && code != "", "status %d, code %q", status, code)
		if status == 200 {
			require.NotEqual(t, "Decrypt", operation) // nobody guesses a blob
			require.True(t, json.Valid(bytes.TrimSpace(body)))
		}
	})
}
