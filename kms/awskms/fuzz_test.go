package awskms

import (
	"bytes"
	"errors"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// FuzzAnswer has Unwrap take any answer: it returns a key that the answer holds, or an error without a trace of it.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "", []byte(`{"KeyId":"`+testARN+`","Plaintext":"Y2FuYXJ5","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`))
	f.Add(200, "", []byte(`{"KeyId":"`+mrkARN+`","Plaintext":"Y2FuYXJ5","EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`))
	f.Add(200, "", []byte(`{"KeyId":null,"Plaintext":7}`))
	f.Add(200, "", []byte(``))
	f.Add(400, "", []byte(`{"__type":"com.amazonaws.kms#InvalidCiphertextException","message":"m"}`))
	f.Add(400, "DisabledException:http://internal.amazon.com/", []byte(`{}`))
	f.Add(403, "", []byte(`<html>`))
	f.Add(429, "", []byte(`{"code":"AccessDenied"}`))
	f.Add(503, "ThrottlingException", []byte(``))
	f.Fuzz(func(t *testing.T, status int, code string, body []byte) {
		if status < 200 || status > 599 {
			t.Skip("no final status of HTTP")
		}
		var header []string
		if code != "" {
			header = []string{"X-Amzn-Errortype", code}
		}
		d := driverOver(t, &wire{answer: reply(status, string(body), header...)}, testARN)
		got, err := d.Unwrap(t.Context(), kms.Wrapped{Ref: d.ref, Blob: []byte("blob")}, nil)
		if err == nil {
			require.Less(t, status, 300)
			require.True(t, len(got) >= 1 && len(got) <= kms.MaxPlaintext)
			require.True(t, bytes.Contains(body, []byte("SYMMETRIC_DEFAULT")) || bytes.ContainsRune(body, '\\'))
			return
		}
		require.Nil(t, got)
		matched := 0
		for _, class := range classes {
			if errors.Is(err, class) {
				matched++
			}
		}
		require.Equal(t, 1, matched, "%v", err)
		require.Less(t, len(err.Error()), 1000)
	})
}

// FuzzParseURI requires that no text makes a host of its own.
func FuzzParseURI(f *testing.F) {
	for _, path := range append(goodARNs, badARNs...) {
		f.Add("awskms:///" + path)
		f.Add("awskms:///" + path + "?region=eu-north-1")
	}
	f.Add("awskms://user:secret@host/alias/app?region=evil.example%2F#fragment")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil {
			t.Skip("no URI")
		}
		keyID, region, err := parseURI(u, "us-east-1")
		if err != nil {
			requireClass(t, kms.ErrInvalid, err)
			return
		}
		require.Regexp(t, regionForm, region)
		require.Equal(t, "/"+keyID, u.Path)
		require.Empty(t, u.Host)
		if key, ok := parseARN(keyID); ok {
			require.Equal(t, key.region, region)
		}
	})
}
