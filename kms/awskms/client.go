package awskms

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/holdfast-go/holdfast/kms"
)

// Client is what this package calls of the SDK's *kms.Client.
type Client interface {
	Encrypt(context.Context, *sdk.EncryptInput, ...func(*sdk.Options)) (*sdk.EncryptOutput, error)
	Decrypt(context.Context, *sdk.DecryptInput, ...func(*sdk.Options)) (*sdk.DecryptOutput, error)
	DescribeKey(context.Context, *sdk.DescribeKeyInput, ...func(*sdk.Options)) (*sdk.DescribeKeyOutput, error)
	GetKeyRotationStatus(context.Context, *sdk.GetKeyRotationStatusInput, ...func(*sdk.Options)) (*sdk.GetKeyRotationStatusOutput, error)
	RotateKeyOnDemand(context.Context, *sdk.RotateKeyOnDemandInput, ...func(*sdk.Options)) (*sdk.RotateKeyOnDemandOutput, error)
	ScheduleKeyDeletion(context.Context, *sdk.ScheduleKeyDeletionInput, ...func(*sdk.Options)) (*sdk.ScheduleKeyDeletionOutput, error)
}

// errClear refuses to send keys over a network in clear.
var errClear = fmt.Errorf("%w: the keys to wrap would travel in clear: give the client an https endpoint, or one on the loopback interface", kms.ErrInvalid)

// checkClient refuses an SDK client that would give keys away, or has nothing to sign with. Of other clients it knows nothing.
func checkClient(client Client) error {
	if c, ok := client.(*sdk.Client); client == nil || ok && c == nil {
		return fmt.Errorf("%w: the client is nil: use NewFromConfig of the SDK's package kms", kms.ErrInvalid)
	}
	o, ok := optionsOf(client)
	if !ok {
		return nil
	}
	if o.ClientLogMode.IsRequestWithBody() || o.ClientLogMode.IsResponseWithBody() {
		return fmt.Errorf("%w: the client logs bodies, which hold the keys that are wrapped: log without bodies", kms.ErrInvalid)
	}
	if o.Credentials == nil { // the SDK makes anonymous ones nil too
		return fmt.Errorf("%w: the client has no credentials, and would send unsigned requests: make its configuration with LoadDefaultConfig of the SDK's package config", kms.ErrInvalid)
	}
	endpoint := &url.URL{Scheme: "https"}
	if o.BaseEndpoint != nil {
		var err error
		if endpoint, err = url.Parse(*o.BaseEndpoint); err != nil {
			return fmt.Errorf("%w: the client's BaseEndpoint can't be parsed: give an https URL", kms.ErrInvalid)
		}
	}
	if o.EndpointOptions.DisableHTTPS {
		endpoint.Scheme = "http"
	}
	if !confidential(endpoint) {
		return errClear
	}
	return nil
}

// confidential tells whether nobody on a network can read what is sent to u.
func confidential(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// checkRegion refuses an SDK client for another region than that of the key.
func checkRegion(client Client, region string) error {
	o, ok := optionsOf(client)
	if !ok {
		return nil
	}
	own, fips := strings.CutPrefix(o.Region, "fips-") // old names of endpoints: fips-us-east-1, us-east-1-fips
	if !fips {
		own = strings.TrimSuffix(own, "-fips")
	}
	if own != region {
		return fmt.Errorf("%w: the key is in the region %s and the client is for %.32q: make the client for the key's region", kms.ErrInvalid, region, o.Region)
	}
	return nil
}

// optionsOf returns the options of an SDK client.
func optionsOf(client Client) (sdk.Options, bool) {
	c, ok := client.(interface{ Options() sdk.Options })
	if !ok {
		return sdk.Options{}, false
	}
	return c.Options(), true
}
