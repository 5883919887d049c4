package awskms

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

var goodARNs = []string{
	testARN,
	mrkARN,
	"arn:aws-cn:kms:cn-north-1:123456789012:key/" + keyID,
	"arn:aws-us-gov:kms:us-gov-west-1:000000000000:key/" + keyID,
	"arn:aws-iso-b:kms:us-isob-east-1:123456789012:key/" + mrkID,
	"arn:aws:kms:eu-north-1:123456789012:alias/app",
	"arn:aws:kms:eu-north-1:123456789012:alias/Team_1/app-2",
}

var badARNs = []string{
	"", "arn", "arn:aws:kms", keyID, "alias/app",
	"arn:aws:kms:eu-north-1:123456789012:key/",
	"arn:aws:kms:eu-north-1:123456789012:alias/",
	"arn:aws:kms:eu-north-1:123456789012:" + keyID,
	"arn:aws:kms:eu-north-1:123456789012:grant/" + keyID,
	"arn:aws:kms:eu-north-1:123456789012:key:" + keyID,
	"arn:aws:kms:eu-north-1:123456789012:key/" + keyID + "/more",
	"arn:aws:kms:eu-north-1:123456789012:key/" + strings.ToUpper(keyID),
	"arn:aws:kms:eu-north-1:123456789012:key/a key",
	"arn:aws:kms:eu-north-1:123456789012:key/" + strings.Repeat("a", 129),
	"arn:aws:kms:eu-north-1:12345678901:key/" + keyID,
	"arn:aws:kms:eu-north-1:1234567890123:key/" + keyID,
	"arn:aws:kms:eu-north-1:12345678901x:key/" + keyID,
	"arn:aws:kms:eu-north-1::key/" + keyID,
	"arn:aws:kms::123456789012:key/" + keyID,
	"arn:aws:kms:eu.north:123456789012:key/" + keyID,
	"arn:aws:kms:EU-NORTH-1:123456789012:key/" + keyID,
	"arn:aws:kms:evil.example/:123456789012:key/" + keyID,
	"arn::kms:eu-north-1:123456789012:key/" + keyID,
	"arn:AWS:kms:eu-north-1:123456789012:key/" + keyID,
	"arn:aws:s3:eu-north-1:123456789012:key/" + keyID,
	"ARN:aws:kms:eu-north-1:123456789012:key/" + keyID,
	" " + testARN, testARN + " ", testARN + "\n", "x" + testARN, testARN + "\x00",
}

func TestParseARN(t *testing.T) {
	for _, s := range goodARNs {
		a, ok := parseARN(s)
		require.True(t, ok, "%q", s)
		require.Equal(t, s, a.String())
	}
	for _, s := range badARNs {
		a, ok := parseARN(s)
		require.False(t, ok, "%q", s)
		require.Zero(t, a)
	}
	a, _ := parseARN(testARN)
	require.Equal(t, arn{partition: "aws", region: region, account: "123456789012", resource: "key/" + keyID}, a)
}

func TestOwns(t *testing.T) {
	for _, c := range []struct {
		name, own, asked string
		owns             bool
	}{
		{"itself", testARN, testARN, true},
		{"other region", testARN, "arn:aws:kms:eu-west-1:123456789012:key/" + keyID, false},
		{"other account", testARN, "arn:aws:kms:eu-north-1:123456789013:key/" + keyID, false},
		{"multi-Region: itself", mrkARN, mrkARN, true},
		{"multi-Region: other region", mrkARN, "arn:aws:kms:us-east-1:123456789012:key/" + mrkID, true},
		{"multi-Region: other account", mrkARN, "arn:aws:kms:us-east-1:123456789013:key/" + mrkID, false},
		{"multi-Region: other partition", mrkARN, "arn:aws-cn:kms:us-east-1:123456789012:key/" + mrkID, false},
		{"multi-Region: other key", mrkARN, "arn:aws:kms:us-east-1:123456789012:key/" + mrkID + "0", false},
		{"multi-Region: alias of that name", mrkARN, "arn:aws:kms:us-east-1:123456789012:alias/" + mrkID, false},
		{"multi-Region: no region", mrkARN, "arn:aws:kms::123456789012:key/" + mrkID, false},
		{"multi-Region: an address for a region", mrkARN, "arn:aws:kms:evil.example/?:123456789012:key/" + mrkID, false},
		{"multi-Region: id alone", mrkARN, mrkID, false},
		{"multi-Region: nothing", mrkARN, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := driverOver(t, nil, c.own)
			require.Equal(t, c.owns, d.Owns(kms.Ref{Provider: Provider, KeyID: c.asked}))
			require.False(t, d.Owns(kms.Ref{Provider: "local", KeyID: c.asked}))
			require.False(t, d.Owns(kms.Ref{KeyID: c.asked}))
		})
	}
}

func FuzzParseARN(f *testing.F) {
	for _, s := range append(goodARNs, badARNs...) {
		f.Add(s)
	}
	own, _ := parseARN(mrkARN)
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseARN(s)
		if !ok {
			require.Zero(t, a)
			return
		}
		require.Equal(t, s, a.String(), "an ARN has one form")
		require.Regexp(t, regionForm, a.region)
		require.True(t, a.isKey() || strings.HasPrefix(a.resource, "alias/"))
		if own.sameKey(a) {
			require.Equal(t, "aws", a.partition)
			require.Equal(t, "123456789012", a.account)
			require.Equal(t, "key/"+mrkID, a.resource)
		}
	})
}
