package awskms

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/holdfast-go/holdfast/kms"
)

// provider is the Ref.Provider of these keys.
const provider = "awskms"

// Client is what this package calls of the SDK's *kms.Client.
type Client interface {
	Encrypt(context.Context, *sdk.EncryptInput, ...func(*sdk.Options)) (*sdk.EncryptOutput, error)
	Decrypt(context.Context, *sdk.DecryptInput, ...func(*sdk.Options)) (*sdk.DecryptOutput, error)
	DescribeKey(context.Context, *sdk.DescribeKeyInput, ...func(*sdk.Options)) (*sdk.DescribeKeyOutput, error)
	GetKeyRotationStatus(context.Context, *sdk.GetKeyRotationStatusInput, ...func(*sdk.Options)) (*sdk.GetKeyRotationStatusOutput, error)
	RotateKeyOnDemand(context.Context, *sdk.RotateKeyOnDemandInput, ...func(*sdk.Options)) (*sdk.RotateKeyOnDemandOutput, error)
	ScheduleKeyDeletion(context.Context, *sdk.ScheduleKeyDeletionInput, ...func(*sdk.Options)) (*sdk.ScheduleKeyDeletionOutput, error)
}

// Options are the settings of [New]. nil and the zero value are the defaults.
type Options struct {
	// GrantTokens go with every Encrypt, Decrypt and DescribeKey, to use a grant before KMS knows of it everywhere,
	// which takes minutes. None by default; at most 10, each of 1 to 8192 bytes.
	GrantTokens []string
	// Key are the settings of the key. nil means the defaults. Attempts of 0 mean 1 here, because the SDK tries again
	// by itself: 3 times in all unless the client was made otherwise.
	Key *kms.Options
}

// New returns the KMS key that keyID names: a key ARN, an alias ARN, a key id, or an alias like "alias/app". The
// client stays the caller's, must be for the key's region, and must not log bodies.
//
// With a key ARN New makes no I/O, so a process starts during an outage too: call [kms.Key.Check] where that is not wanted. With
// the others it asks DescribeKey once, keeps the key's ARN, and never looks at the alias again. It then also refuses keys
// that are not for symmetric encryption. That call takes no longer than Options.Key.Timeout.
//
// New fails with an *[kms.Error]: [kms.ErrInvalid] when an argument or an option is wrong, and as DescribeKey does.
func New(ctx context.Context, client Client, keyID string, o *Options) (*kms.Key, error) {
	return open(ctx, client, keyID, o, func() {})
}

// open is New; release is called when the key is closed, and not when open fails.
func open(ctx context.Context, client Client, keyID string, o *Options, release func()) (*kms.Key, error) {
	if o == nil {
		o = &Options{}
	}
	var own kms.Options
	if o.Key != nil {
		own = *o.Key
	}
	if own.Attempts == 0 {
		own.Attempts = 1
	}
	timeout := own.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second // as kms.Options has it; NewKey refuses a negative one
	}
	timed, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d, err := newDriver(timed, client, keyID, o.GrantTokens)
	if err != nil {
		e := kms.Error{Err: err}
		if said, ok := err.(*kms.Error); ok {
			e = *said
		}
		e.Op = "open awskms key"
		return nil, &e
	}
	d.release = release
	return kms.NewKey(d, &own)
}

// newDriver returns a driver of the key that keyID names.
func newDriver(ctx context.Context, client Client, keyID string, tokens []string) (*driver, error) {
	if client == nil {
		return nil, fmt.Errorf("%w: the client is nil: use NewFromConfig of the SDK's package kms", kms.ErrInvalid)
	}
	if len(tokens) > 10 || slices.ContainsFunc(tokens, func(s string) bool { return s == "" || len(s) > 8192 }) {
		return nil, fmt.Errorf("%w: Options.GrantTokens must be at most 10, each of 1 to 8192 bytes", kms.ErrInvalid)
	}
	d := &driver{client: client, tokens: slices.Clone(tokens), release: func() {}}
	key, full := parseARN(keyID)
	switch {
	case full && key.isKey():
	case full || aliasForm.MatchString(keyID) || keyIDForm.MatchString(keyID):
		var err error
		if key, err = d.resolve(ctx, keyID); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: name the key by its ARN, its id, or an alias or its ARN: an alias starts with \"alias/\"", kms.ErrInvalid)
	}
	if err := checkClient(client, key.region); err != nil {
		return nil, err
	}
	d.key, d.ref = key, kms.Ref{Provider: provider, KeyID: key.String()}
	return d, nil
}

// resolve asks once which key name stands for: an alias, an alias ARN or a key id.
func (d *driver) resolve(ctx context.Context, name string) (arn, error) {
	if err := ctx.Err(); err != nil {
		return arn{}, err
	}
	m, err := d.describeKey(ctx, name)
	if err != nil {
		return arn{}, err
	}
	key, ok := parseARN(aws.ToString(m.Arn))
	if !ok || !key.isKey() {
		return arn{}, fmt.Errorf("%w: AWS KMS answered wrongly: it names no key ARN", kms.ErrInvalid)
	}
	asked, full := parseARN(name)
	switch {
	case full && (asked.partition != key.partition || asked.region != key.region || asked.account != key.account):
		return arn{}, fmt.Errorf("%w: AWS KMS answered wrongly: the alias names a key of another region or account", kms.ErrInvalid)
	case !full && !strings.HasPrefix(name, "alias/") && key.resource != "key/"+name:
		return arn{}, fmt.Errorf("%w: AWS KMS answered wrongly: it describes another key", kms.ErrInvalid)
	case m.KeyUsage != types.KeyUsageTypeEncryptDecrypt || m.KeySpec != types.KeySpecSymmetricDefault:
		return arn{}, fmt.Errorf("%w: %s can't wrap keys: use one with KeyUsage ENCRYPT_DECRYPT and KeySpec SYMMETRIC_DEFAULT", kms.ErrInvalid, key)
	}
	return key, nil
}

// checkClient refuses an SDK client that is made for something else. Other clients are taken as they are.
func checkClient(client Client, region string) error {
	c, ok := client.(interface{ Options() sdk.Options })
	if !ok {
		return nil
	}
	o := c.Options()
	if o.ClientLogMode.IsRequestWithBody() || o.ClientLogMode.IsResponseWithBody() {
		return fmt.Errorf("%w: the client logs bodies, which hold the keys that are wrapped: log without bodies", kms.ErrInvalid)
	}
	old := strings.Contains(o.Region, "fips") // a name for an endpoint, such as fips-us-east-1
	if o.Region != region && !old {
		return fmt.Errorf("%w: the key is in the region %s and the client is for %.32q: make the client for the key's region", kms.ErrInvalid, region, o.Region)
	}
	return nil
}
