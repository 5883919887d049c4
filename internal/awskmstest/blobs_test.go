package awskmstest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzBlob opens what was sealed, and no other bytes.
func FuzzBlob(f *testing.F) {
	k := &key{id: newKeyID(false)}
	k.material = newMaterial(k)
	context := map[string]string{"a": "b", "c": ""}
	good := k.seal([]byte("plaintext"), context)
	f.Add(good)
	f.Add(good[:headerSize])
	f.Add(good[:headerSize-1])
	f.Add(append(bytes.Clone(good), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		parsed, ok := parseBlob(b)
		if !ok {
			return
		}
		plaintext, id, err := k.open(parsed, context)
		require.Equal(t, bytes.Equal(b, good), err == nil)
		if err == nil {
			require.Equal(t, "plaintext", string(plaintext))
			require.Equal(t, k.current().id, id)
		}
	})
}

// Contexts that would run together without lengths are told apart.
func TestAdditionalData(t *testing.T) {
	seen := map[string]bool{}
	for _, context := range []map[string]string{
		nil, {"a": "bc"}, {"ab": "c"}, {"abc": ""}, {"": "abc"}, {"a": "b", "c": ""}, {"a": "", "b": "c"}, {"a": "", "b": "", "c": ""},
	} {
		b := string(additionalData(nil, context))
		require.False(t, seen[b])
		seen[b] = true
	}
}

// FuzzAuthorization reads headers: what it takes has all its parts.
func FuzzAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIA/20260102/eu-north-1/kms/aws4_request, SignedHeaders=host;x-amz-date, Signature=abc")
	f.Add("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request,SignedHeaders=host,Signature=x,Signature=y")
	f.Add("AWS4-HMAC-SHA256 Credential=///, SignedHeaders=, Signature=")
	f.Add("Basic YTpi")
	f.Fuzz(func(t *testing.T, header string) {
		a, ok := parseAuthorization(header)
		if !ok {
			return
		}
		for _, part := range []string{a.accessKey, a.date, a.region, a.service, a.signature, strings.Join(a.signed, ";")} {
			require.NotEmpty(t, part)
			require.Contains(t, header, part)
		}
	})
}
