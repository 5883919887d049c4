package awskms

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/holdfast-go/holdfast/kms"
)

// Provider is the Ref.Provider of these keys.
const Provider = "awskms"

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
// client stays the caller's, must be for the key's region, have credentials, use TLS but on the loopback interface, and not log bodies.
//
// With a key ARN New makes no I/O, so a process starts during an outage too: call [kms.Key.Check] where that is not wanted. With
// the others it asks DescribeKey once, keeps the key's ARN, and never looks at the alias again. It then also refuses keys
// that are not for symmetric encryption. That call takes no longer than Options.Key.Timeout.
//
// New fails with an *[kms.Error]: [kms.ErrInvalid], before any I/O, when an argument or an option is wrong, and as DescribeKey does.
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
	// Only NewKey checks them, and they must be right before anything is asked: hence a Key that nobody gets.
	if _, err := kms.NewKey(&driver{ref: kms.Ref{Provider: Provider, KeyID: "unknown"}}, &own); err != nil {
		return nil, opening(err)
	}
	timeout := own.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second // as kms.Options has it
	}
	timed, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d, err := newDriver(timed, client, keyID, o.GrantTokens)
	if err != nil {
		return nil, opening(err)
	}
	d.release = release
	return kms.NewKey(d, &own)
}

// opening makes err one of New.
func opening(err error) *kms.Error {
	e := copied(err)
	e.Op = "open awskms key"
	return e
}

// copied returns err as an *kms.Error that may be changed.
func copied(err error) *kms.Error {
	if said, ok := err.(*kms.Error); ok {
		e := *said
		return &e
	}
	return &kms.Error{Err: err}
}

// newDriver returns a driver of the key that keyID names.
func newDriver(ctx context.Context, client Client, keyID string, tokens []string) (*driver, error) {
	if err := checkClient(client); err != nil {
		return nil, err
	}
	if len(tokens) > 10 || slices.ContainsFunc(tokens, func(s string) bool { return s == "" || len(s) > 8192 }) {
		return nil, fmt.Errorf("%w: Options.GrantTokens must be at most 10, each of 1 to 8192 bytes", kms.ErrInvalid)
	}
	key, full := parseARN(keyID)
	if !full && !aliasForm.MatchString(keyID) && !keyIDForm.MatchString(keyID) {
		return nil, fmt.Errorf("%w: name the key by its ARN, its id, or an alias or its ARN: an alias starts with \"alias/\"", kms.ErrInvalid)
	}
	d := &driver{client: client, tokens: slices.Clone(tokens), release: func() {}}
	var err error
	if full {
		err = checkRegion(client, key.region)
	}
	if err == nil && !key.isKey() {
		if key, err = d.resolve(ctx, keyID); err == nil {
			err = checkRegion(client, key.region)
		}
	}
	if err != nil {
		return nil, about(keyID, client, err)
	}
	d.key, d.ref = key, kms.Ref{Provider: Provider, KeyID: key.String()}
	return d, nil
}

// about adds to err which key was asked for, and where.
func about(keyID string, client Client, err error) error {
	e := copied(err)
	where, hint := "", ""
	if o, ok := optionsOf(client); ok {
		where = fmt.Sprintf(" in region %.32q", o.Region)
	}
	if keyIDForm.MatchString(keyID) && !officialForm.MatchString(keyID) {
		hint = ": if it is an alias, it starts with \"alias/\""
	}
	e.Err = fmt.Errorf("key %.300q%s: %w%s", keyID, where, e.Err, hint)
	return e
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
