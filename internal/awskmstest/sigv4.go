package awskmstest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	dateForm  = "20060102T150405Z"
	// maxSkew is how far a request's date may be off. The signing documentation says five minutes in most cases.
	maxSkew = 5 * time.Minute
)

// authorization is what an Authorization header says.
type authorization struct {
	accessKey, date, region, service string // the credential scope
	signed                           []string
	signature                        string
}

// parseAuthorization reads "AWS4-HMAC-SHA256 Credential=key/date/region/service/aws4_request, SignedHeaders=a;b, Signature=hex".
func parseAuthorization(header string) (a authorization, ok bool) {
	fields, found := strings.CutPrefix(header, algorithm+" ")
	if !found {
		return a, false
	}
	parts := map[string]string{}
	for field := range strings.SplitSeq(fields, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(field), "=")
		if _, twice := parts[name]; !found || twice || value == "" {
			return a, false
		}
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	if len(parts) != 3 || parts["SignedHeaders"] == "" || parts["Signature"] == "" ||
		len(scope) != 5 || slices.Contains(scope, "") || scope[4] != "aws4_request" {
		return a, false
	}
	return authorization{
		accessKey: scope[0], date: scope[1], region: scope[2], service: scope[3],
		signed: strings.Split(parts["SignedHeaders"], ";"), signature: parts["Signature"],
	}, true
}

// authenticate returns who signed the request and for which region.
func (s *Server) authenticate(r *http.Request, body []byte) (Principal, string, error) {
	refuse := func(code, message string) (Principal, string, error) {
		return Principal{}, "", fail(code, "%s", message)
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return refuse("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	a, ok := parseAuthorization(header)
	date, err := time.Parse(dateForm, r.Header.Get("X-Amz-Date"))
	if !ok || err != nil {
		return refuse("IncompleteSignatureException", "The Authorization or X-Amz-Date header is missing a part or is malformed.")
	}
	s.mu.Lock()
	p, known := s.principals[a.accessKey]
	s.mu.Unlock()
	skew := time.Since(date)
	switch {
	case !known || r.Header.Get("X-Amz-Security-Token") != "": // the access keys here are long-lived, without a session
		return refuse("UnrecognizedClientException", "The security token included in the request is invalid.")
	case a.service != "kms":
		return refuse("InvalidSignatureException", "Credential should be scoped to correct service: 'kms'.")
	case a.date != date.Format("20060102"):
		return refuse("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
	case skew > maxSkew:
		return refuse("InvalidSignatureException", "Signature expired.")
	case skew < -maxSkew:
		return refuse("InvalidSignatureException", "Signature not yet current.")
	case !signsEnough(r.Header, a.signed):
		return refuse("InvalidSignatureException", "Host and every X-Amz header must be a signed header.")
	case !p.signed(r, body, a, date):
		return refuse("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
	}
	return p, a.region, nil
}

// signsEnough tells whether the signature covers what decides over the request's meaning.
func signsEnough(h http.Header, signed []string) bool {
	for name := range h {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(signed, name) {
			return false
		}
	}
	return slices.Contains(signed, "host")
}

// signed tells whether p signed exactly this request: it signs it again, with the headers that a lists and the hash of the
// body that came, and compares.
func (p Principal) signed(r *http.Request, body []byte, a authorization, date time.Time) bool {
	again := &http.Request{
		Method: r.Method,
		URL:    &url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: r.URL.RawQuery},
		Host:   r.Host,
		Header: http.Header{},
	}
	for _, name := range a.signed {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = slices.Clone(r.Header.Values(name))
		}
	}
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), p.credentials, again, hex.EncodeToString(hash[:]), a.service, a.region, date); err != nil {
		return false
	}
	b, ok := parseAuthorization(again.Header.Get("Authorization"))
	return ok && slices.Equal(a.signed, b.signed) &&
		subtle.ConstantTimeCompare([]byte(a.signature), []byte(b.signature)) == 1
}
