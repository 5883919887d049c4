// Package awskms wraps keys under a symmetric key in AWS KMS, through the AWS SDK for Go.
//
//	cfg, err := config.LoadDefaultConfig(ctx) // packages config and kms here are those of the SDK
//	key, err := awskms.New(ctx, kms.NewFromConfig(cfg), "arn:aws:kms:eu-north-1:123456789012:key/...", nil)
//	defer key.Close()
//
// The examples of [New], [Opener] and [OpenerWith] run. Wrap is one Encrypt, Unwrap one Decrypt, each with the key's ARN
// and with the whole context as the encryption context, which KMS authenticates and writes to CloudTrail.
// An answer about another key or algorithm, or without content, is refused, and of one over 64 KiB the rest counts
// as cut off. KMS does not say how long a
// plaintext was when it was wrapped, so one that comes back shorter can't be told here: a kms.Key takes 1 to
// 64 bytes, and package envelope, which knows the length, 32.
//
// # Cost and limits
//
// A stored kms.Wrapped of a 32-byte key takes about 275 bytes: the key's ARN, of some 75, and a blob of about 184
// (assumed, for AWS gives no figure). A blob may have up to 6144 bytes.
//
// Each call is one request. Requests, keys and rotations cost money: see https://aws.amazon.com/kms/pricing/.
// Requests per second are limited for each account and region, for Encrypt and Decrypt together: see "Request
// quotas" in the KMS Developer Guide. The API reference names no limit of its own for the encryption context;
// that of kms.Context is 8 KiB.
//
// # Permissions
//
//	kms:Encrypt                Wrap
//	kms:Decrypt                Unwrap
//	kms:DescribeKey            New with anything but a key ARN; Describe; telling why a key does not work
//	kms:GetKeyRotationStatus   Describe, for RotationPeriod; without it that is 0
//	kms:RotateKeyOnDemand      Rotate
//	kms:ScheduleKeyDeletion    Destroy
//
// A policy for the service of one tenant:
//
//	{
//	  "Version": "2012-10-17",
//	  "Statement": [
//	    {
//	      "Effect": "Allow",
//	      "Action": ["kms:Encrypt", "kms:Decrypt"],
//	      "Resource": "arn:aws:kms:eu-north-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
//	      "Condition": {"StringEquals": {"kms:EncryptionContext:tenant": "acme"}}
//	    },
//	    {
//	      "Effect": "Allow",
//	      "Action": ["kms:DescribeKey", "kms:GetKeyRotationStatus"],
//	      "Resource": "arn:aws:kms:eu-north-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
//	    }
//	  ]
//	}
//
// It suits keys that are wrapped under contexts of your own, and a Sealer of package envelope, whose callers all pass "tenant".
// Keys that this module wraps for itself carry pairs that start with "holdfast:" instead, such as
// holdfast:purpose: a policy for those must name these.
//
// [kms.Key.Check] uses a context without a tenant, {"holdfast:purpose": "check"}: under such a policy it fails
// with [kms.ErrAccessDenied]. A new grant works at once with Options.GrantTokens, and after some minutes
// without.
//
// # Outages, refusals, retries
//
// While AWS KMS is out nothing is wrapped or unwrapped; keys that are unwrapped already stay so. Only an error
// code that KMS itself sends, below HTTP status 500, is a refusal: [kms.ErrAccessDenied], [kms.ErrDisabled],
// [kms.ErrPendingDeletion], [kms.ErrNotFound], [kms.ErrCiphertext], [kms.ErrInvalid], and [kms.ErrUnsupported],
// which also a key gives that has used up its rotations. All else is [kms.ErrUnavailable]: a proxy's 403, a
// page instead of JSON, and no credentials to ask with. Throttling is
// [kms.ErrThrottled], and so is a rotation while another is in progress. [kms.Key.Status] tells it without I/O.
//
// Where STS, or whoever else gives out credentials, denies them, that is [kms.ErrUnavailable] too. It says nothing about the key, since KMS
// was never asked; a caller can't tell a right that was taken away from a role, a token or a clock that is out of order for
// a while; and the next credentials may be good.
//
// A call that fails because of the key's state costs a second request, DescribeKey, since KMS answers a key
// that waits for its deletion as it may a disabled one. It gets a second, or half of the time that is left if that is less,
// and its answer serves the refusals with the same code of the next 3 seconds. Where it fails the key counts as disabled,
// which may be wrong of a key that waits for its deletion or whose custom key store is out: a refusal stays one. So does it when
// DescribeKey calls the key enabled, which KMS may do for a while after a change; only of a key in a custom key store does that
// mean an outage. A deleted key is [kms.ErrNotFound]: KMS does not remember it.
//
// The SDK repeats what is throttled or out of order, 3 times in all by default, and the Key then does not: see
// [Options]. A KMS that hangs costs a caller Options.Key.Timeout, whatever the SDK would do. A rotation is
// sent once.
//
// Errors hold the code and the request id that KMS answered, and never its message, which may repeat what was
// sent. A request id of another form than KMS gives them is left out.
//
// # The client
//
// [New] and [Opener] refuse an SDK client without credentials, which would send unsigned requests, one that logs bodies, one for another
// region, and one whose endpoint is not https unless it is on the loopback interface: requests hold the keys to wrap in clear. Each
// request is looked at again before it leaves. Redirects are up to the HTTP client that a client was made with.
//
// # Rotation and destruction
//
// KMS keeps the version of a key inside the blob, and Encrypt does not name it. So Wrapped.Version is empty, and
// [kms.Key.Stale] can't tell what was wrapped before a rotation; it opens all the same. Describe has the current
// version. Info.Rotated is always zero, because no operation used here tells it.
//
// Destroy waits 7 to 30 days, rounded up to whole ones. A key that waits for its deletion already keeps its
// date. The date is zero for a multi-Region key that has replicas, because it waits for them.
//
// # Aliases and multi-Region keys
//
// An alias is resolved when the process starts. When it is moved, running processes keep their key, and new ones
// get the other: open what was wrapped before with [kms.Rolling] over both.
//
// What was wrapped under a multi-Region key, whose id starts with "mrk-", is opened with the related key that is
// configured here, in its own region: the region in what is stored is never called. To wrap in several regions
// at once use [kms.AnyOf].
//
// # Tested against
//
// The real SDK client over HTTP, and a stand-in for KMS that was written from its public documentation, with the
// conformance suite of package kmstest. None of it ran against AWS.
package awskms
