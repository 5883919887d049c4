package awskms

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/holdfast-go/holdfast/kms"
)

// Opener returns what opens these for [kms.Openers], with credentials and all else from cfg, of which it takes a copy:
//
//	awskms:///arn:aws:kms:eu-north-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
//	awskms:///alias/app?region=eu-north-1
//	awskms:///1234abcd-12ab-34cd-56ef-1234567890ab?region=eu-north-1
//
// The path is what [New] takes, without escapes. The region is that of the ARN; else that of the query, its
// only parameter; else that of cfg. An ARN and a query that disagree, a host, a user, a fragment (but for an empty one, which net/url drops),
// another or a second parameter are [kms.ErrInvalid], and so is a cfg without credentials or with an endpoint in clear.
//
// Without an HTTP client in cfg each key gets one, which follows no redirects, and whose connections Close closes.
func Opener(cfg aws.Config) kms.OpenFunc { return OpenerWith(cfg, nil) }

// OpenerWith is [Opener] for keys under o, of which it takes a copy. What is wrong with o shows when a key is opened.
func OpenerWith(cfg aws.Config, o *Options) kms.OpenFunc {
	var options Options
	if o != nil {
		options.GrantTokens = slices.Clone(o.GrantTokens)
	}
	if o != nil && o.Key != nil {
		key := *o.Key
		key.ObserveContext = slices.Clone(key.ObserveContext)
		options.Key = &key
	}
	return func(ctx context.Context, u *url.URL) (*kms.Key, error) {
		keyID, region, err := parseURI(u, cfg.Region)
		if err != nil {
			return nil, err
		}
		own, release := cfg, func() {}
		own.Region = region
		if own.HTTPClient == nil {
			transport := awshttp.NewBuildableClient().GetTransport() // a copy, with the SDK's settings
			own.HTTPClient = &http.Client{
				Transport:     transport,
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			release = transport.CloseIdleConnections
		}
		k, err := open(ctx, sdk.NewFromConfig(own), keyID, &options, release)
		if err != nil {
			release()
			return nil, err
		}
		return k, nil
	}
}

// parseURI returns what u names, and its region; preset is that of the configuration. It repeats nothing of u, which may hold a password.
func parseURI(u *url.URL, preset string) (keyID, region string, err error) {
	keyID, ok := strings.CutPrefix(u.Path, "/")
	if !ok || keyID == "" || u.RawPath != "" || u.OmitHost || u.Opaque != "" || u.User != nil || u.Host != "" || u.Fragment != "" || u.RawFragment != "" {
		return "", "", refuse("the URI must be awskms:///KEY or awskms:///KEY?region=REGION, and no more")
	}
	if u.RawQuery != "" || u.ForceQuery {
		region, ok = strings.CutPrefix(u.RawQuery, "region=")
		if !ok || !regionForm.MatchString(region) {
			return "", "", refuse("the URI's only parameter is region, given once, such as eu-north-1")
		}
	}
	if key, ok := parseARN(keyID); ok {
		if region != "" && region != key.region {
			return "", "", refuse("the URI's region is not that of its ARN: leave it out")
		}
		return keyID, key.region, nil
	}
	if region == "" {
		region = preset
	}
	if region == "" {
		return "", "", refuse("the region is not known: add ?region=REGION to the URI, or use an ARN")
	}
	return keyID, region, nil
}

func refuse(what string) error {
	return &kms.Error{Op: "open awskms key", Err: fmt.Errorf("%w: %s", kms.ErrInvalid, what)}
}
