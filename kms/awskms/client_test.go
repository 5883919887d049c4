package awskms

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestNilClient(t *testing.T) {
	for _, client := range []Client{nil, (*sdk.Client)(nil)} {
		_, err := New(t.Context(), client, testARN, nil)
		requireClass(t, kms.ErrInvalid, err)
	}
}

// TestClientRegion takes the region itself, and its two old names with FIPS, and nothing that holds them.
func TestClientRegion(t *testing.T) {
	for own, good := range map[string]bool{
		region: true, "fips-" + region: true, region + "-fips": true,
		"fips-" + region + "-fips": false, "fips-fips-" + region: false, region + "-fips-fips": false,
		"fips-us-east-1": false, "us-east-1-fips": false, "fips": false, "fips-": false, "-fips": false, "": false, "us-east-1": false,
		"fips" + region: false, region + "-fipsy": false,
	} {
		k, err := New(t.Context(), clientOver(&wire{}, func(o *sdk.Options) { o.Region = own }), testARN, nil)
		if !good {
			requireClass(t, kms.ErrInvalid, err)
			continue
		}
		require.NoError(t, err, "%q", own)
		require.NoError(t, k.Close())
	}
}

// TestClearEndpoint requires that keys travel under TLS, or not over a network.
func TestClearEndpoint(t *testing.T) {
	const none = ""
	for _, c := range []struct {
		endpoint     string
		disableHTTPS bool
		good         bool
	}{
		{none, false, true},
		{none, true, false},
		{"https://kms.example", false, true},
		{"https://kms.example", true, false},
		{"https://localhost:4566", true, true},
		{"http://kms.example", false, false},
		{"http://kms.eu-north-1.amazonaws.com", false, false},
		{"HTTP://kms.example", false, false},
		{"http://localhost:4566", false, true},
		{"http://localhost.example:4566", false, false},
		{"http://127.0.0.1:4566", false, true},
		{"http://127.1.2.3", false, true},
		{"http://[::1]:4566", false, true},
		{"http://127.0.0.1.example", false, false},
		{"http://10.0.0.1:4566", false, false},
		{"http://[fe80::1]:4566", false, false},
		{"http://0.0.0.0:4566", false, false},
		{"http://127.0.0.1@kms.example", false, false},
		{"kms.example", false, false},
		{"://", false, false},
	} {
		client := func(o *sdk.Options) {
			o.EndpointOptions.DisableHTTPS = c.disableHTTPS
			if c.endpoint != none {
				o.BaseEndpoint = aws.String(c.endpoint)
			}
		}
		for _, name := range []string{testARN, "alias/app"} {
			w := &wire{answer: description(t, "Enabled", nil)}
			k, err := New(t.Context(), clientOver(w, client), name, nil)
			if !c.good {
				requireClass(t, kms.ErrInvalid, err)
				require.Empty(t, w.requests, "%+v", c)
				continue
			}
			require.NoError(t, err, "%+v", c)
			require.NoError(t, k.Close())
		}
		if c.endpoint == none {
			continue
		}
		open := kms.Openers{"awskms": Opener(aws.Config{Region: region, Credentials: credentials, BaseEndpoint: &c.endpoint})}
		if k, err := open.Open(t.Context(), "awskms:///"+testARN); c.good || c.disableHTTPS {
			require.NoError(t, err, "%+v", c)
			require.NoError(t, k.Close())
		} else {
			requireClass(t, kms.ErrInvalid, err)
		}
	}
}

// clearResolver decides for every request where it goes.
type clearResolver struct{ sdk.EndpointResolverV2 }

func (clearResolver) ResolveEndpoint(ctx context.Context, p sdk.EndpointParameters) (smithyendpoints.Endpoint, error) {
	p.Endpoint = aws.String("http://kms.example")
	return sdk.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, p)
}

// TestClearRequest stops a request in clear that no option of the client told of.
func TestClearRequest(t *testing.T) {
	w := &wire{answer: reply(200, "{}")}
	client := clientOver(w, func(o *sdk.Options) { o.EndpointResolverV2 = clearResolver{} })
	k, err := New(t.Context(), client, testARN, &Options{Key: &kms.Options{Attempts: 3}})
	require.NoError(t, err)
	_, err = k.Wrap(t.Context(), []byte(canary), nil)
	requireClass(t, kms.ErrInvalid, err)
	d := driverOver(t, w, testARN)
	d.client = client
	for name, run := range operations {
		requireClass(t, kms.ErrInvalid, run(t.Context(), d))
		require.Empty(t, w.requests, name)
	}
}

// TestNoCredentials refuses a client that would send requests unsigned.
func TestNoCredentials(t *testing.T) {
	for name, none := range map[string]aws.CredentialsProvider{
		"nil": nil, "anonymous": aws.AnonymousCredentials{}, "anonymous, cached": aws.NewCredentialsCache(aws.AnonymousCredentials{}),
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{answer: description(t, "Enabled", nil)}
			_, err := New(t.Context(), clientOver(w, func(o *sdk.Options) { o.Credentials = none }), "alias/app", nil)
			requireClass(t, kms.ErrInvalid, err)
			open := kms.Openers{"awskms": Opener(aws.Config{Region: region, Credentials: none, HTTPClient: w})}
			for _, uri := range []string{"awskms:///" + testARN, "awskms:///alias/app"} {
				_, err = open.Open(t.Context(), uri)
				requireClass(t, kms.ErrInvalid, err)
			}
			require.Empty(t, w.requests)
		})
	}
}
