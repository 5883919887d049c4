package awskms

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
	"github.com/holdfast-go/holdfast/kms"
)

// newKey returns a key of the stand-in.
func newKey(t *testing.T, client Client, name string, o *Options) *kms.Key {
	t.Helper()
	k, err := New(t.Context(), client, name, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Close()) })
	return k
}

func opens(t *testing.T, k *kms.Key, w kms.Wrapped, ec kms.Context) {
	t.Helper()
	got, err := k.Unwrap(t.Context(), w, ec)
	require.NoError(t, err)
	require.Equal(t, canary, string(got))
}

func wraps(t *testing.T, k *kms.Key, ec kms.Context) kms.Wrapped {
	t.Helper()
	w, err := k.Wrap(t.Context(), []byte(canary), ec)
	require.NoError(t, err)
	return w
}

// TestAliasMoved keeps a running process at its key, and brings a new one to the new key.
func TestAliasMoved(t *testing.T) {
	s := awskmstest.New(t)
	first, second := s.CreateKey(region), s.CreateKey(region)
	s.CreateAlias("alias/app", first)
	client := s.Client(region)
	running := newKey(t, client, "alias/app", nil)
	stored := wraps(t, running, nil)
	_, err := client.UpdateAlias(t.Context(), &sdk.UpdateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &second})
	require.NoError(t, err)

	require.Equal(t, first, wraps(t, running, nil).KeyID)
	opens(t, running, stored, nil)
	restarted := newKey(t, client, "alias/app", nil)
	require.Equal(t, second, wraps(t, restarted, nil).KeyID)
	before := s.Calls("")
	_, err = restarted.Unwrap(t.Context(), stored, nil)
	requireClass(t, kms.ErrNotFound, err)
	require.Equal(t, before, s.Calls(""))

	both, err := kms.Rolling(restarted, running)
	require.NoError(t, err)
	opens(t, both, stored, nil)
	require.True(t, both.Stale(stored))
}

// TestMultiRegion opens in one region what was wrapped in another, and calls its own only.
func TestMultiRegion(t *testing.T) {
	s := awskmstest.New(t)
	primary := s.CreateMultiRegionKey(region)
	replica := s.ReplicateKey(primary, "us-east-1")
	here, there := newKey(t, s.Client(region), primary, nil), newKey(t, s.Client("us-east-1"), replica, nil)
	ec := kms.Context{"tenant": "acme"}
	for _, w := range []kms.Wrapped{wraps(t, here, ec), wraps(t, there, ec)} {
		opens(t, here, w, ec)
		opens(t, there, w, ec)
	}
	for _, r := range s.Requests() {
		require.Equal(t, map[string]string{region: primary, "us-east-1": replica}[r.Region], r.KeyID)
	}

	// An outage of one region.
	stored := wraps(t, there, ec)
	s.SetState(replica, types.KeyStateUnavailable)
	_, err := there.Unwrap(t.Context(), stored, ec)
	requireClass(t, kms.ErrUnavailable, err)
	opens(t, here, stored, ec)

	single, other := s.CreateKey(region), s.CreateKey("us-east-1")
	w := wraps(t, newKey(t, s.Client("us-east-1"), other, nil), nil)
	_, err = newKey(t, s.Client(region), single, nil).Unwrap(t.Context(), w, nil)
	requireClass(t, kms.ErrNotFound, err)
}

// TestGrants uses a grant by its token before the service knows of it everywhere, bound to one tenant.
func TestGrants(t *testing.T) {
	s := awskmstest.New(t)
	arn := s.CreateKey(region)
	app := s.NewPrincipal("app")
	grant, err := s.Client(region).CreateGrant(t.Context(), &sdk.CreateGrantInput{
		KeyId: &arn, GranteePrincipal: &app.ARN,
		Operations:  []types.GrantOperation{types.GrantOperationEncrypt, types.GrantOperationDecrypt, types.GrantOperationDescribeKey},
		Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"tenant": "acme"}},
	})
	require.NoError(t, err)
	client := s.Client(region, func(o *sdk.Options) { o.Credentials = app })
	acme := kms.Context{"tenant": "acme", "holdfast:purpose": "record"}
	d, err := newDriver(t.Context(), client, arn, nil)
	require.NoError(t, err)
	_, err = d.Wrap(t.Context(), []byte(canary), acme)
	requireClass(t, kms.ErrAccessDenied, err)

	token := aws.ToString(grant.GrantToken)
	granted, err := newDriver(t.Context(), client, arn, []string{token})
	require.NoError(t, err)
	w, err := granted.Wrap(t.Context(), []byte(canary), acme)
	require.NoError(t, err)
	_, err = granted.Unwrap(t.Context(), w, acme)
	require.NoError(t, err)
	info, err := granted.Describe(t.Context()) // without the permission to ask for the rotation
	require.NoError(t, err)
	require.Equal(t, kms.Enabled, info.State)
	_, err = granted.Wrap(t.Context(), []byte(canary), kms.Context{"tenant": "other"})
	requireClass(t, kms.ErrAccessDenied, err)
	for _, r := range s.Requests() {
		if r.Operation == "Encrypt" || r.Operation == "Decrypt" || r.Operation == "DescribeKey" {
			require.Equal(t, arn, r.KeyID)
		}
	}

	s.SettleGrants()
	_, err = d.Unwrap(t.Context(), w, acme)
	require.NoError(t, err)
}

// TestCredentialsRefused is what the service says to a stranger, and to a wrong secret.
func TestCredentialsRefused(t *testing.T) {
	s := awskmstest.New(t)
	arn := s.CreateKey(region)
	good, err := s.Config(region).Credentials.Retrieve(t.Context())
	require.NoError(t, err)
	for name, c := range map[string]aws.Credentials{
		"unknown access key": {AccessKeyID: "AKIAUNKNOWN000000000", SecretAccessKey: good.SecretAccessKey},
		"wrong secret":       {AccessKeyID: good.AccessKeyID, SecretAccessKey: strings.Repeat("w", 40)},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKey(t, s.Client(region, func(o *sdk.Options) {
				o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
			}), arn, nil)
			_, err := k.Wrap(t.Context(), []byte(canary), nil)
			requireClass(t, kms.ErrAccessDenied, err)
		})
	}
}

// TestRetriesAreTheSDKs counts: the SDK's attempts, and not those of the Key on top.
func TestRetriesAreTheSDKs(t *testing.T) {
	for _, c := range []struct {
		fault awskmstest.Fault
		want  error
		calls int
	}{
		{awskmstest.Fault{Code: "ThrottlingException"}, kms.ErrThrottled, 3},
		{awskmstest.Fault{Code: "KMSInternalException"}, kms.ErrUnavailable, 3},
		{awskmstest.Fault{Drop: true}, kms.ErrUnavailable, 3},
		{awskmstest.Fault{Status: 503, Body: []byte("<html>")}, kms.ErrUnavailable, 3},
		{awskmstest.Fault{Code: "AccessDeniedException"}, kms.ErrAccessDenied, 1},
		{awskmstest.Fault{Code: "InvalidCiphertextException"}, kms.ErrCiphertext, 1},
		{awskmstest.Fault{Status: 403, Body: []byte("<html>")}, kms.ErrUnavailable, 1},
	} {
		s := awskmstest.New(t)
		k := newKey(t, s.Client(region, retrying), s.CreateKey(region), nil)
		w := wraps(t, k, nil)
		before := s.Calls("")
		s.Inject(func(string, int) *awskmstest.Fault { return &c.fault })
		_, err := k.Unwrap(t.Context(), w, nil)
		requireClass(t, c.want, err)
		require.Equal(t, c.calls, s.Calls("")-before, "%v", err)

		// One that passes is not seen.
		s.Inject(func(_ string, n int) *awskmstest.Fault {
			if n < c.calls {
				return &c.fault
			}
			return nil
		})
		opens(t, k, w, nil)
	}
}

// TestHang costs a caller the key's time-out, and one who leaves nothing.
func TestHang(t *testing.T) {
	s := awskmstest.New(t)
	k := newKey(t, s.Client(region), s.CreateKey(region), &Options{Key: &kms.Options{Timeout: 50 * time.Millisecond}})
	patient := newKey(t, s.Client(region), k.Ref().KeyID, &Options{Key: &kms.Options{Timeout: time.Hour}})
	w := wraps(t, patient, nil)
	arrived := make(chan struct{}, 100)
	s.Inject(func(string, int) *awskmstest.Fault {
		arrived <- struct{}{}
		return &awskmstest.Fault{Hang: true}
	})
	_, err := k.Unwrap(t.Context(), w, nil)
	requireClass(t, kms.ErrUnavailable, err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for len(arrived) > 0 {
		<-arrived
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err = patient.Unwrap(ctx, w, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, kms.ErrUnavailable)
}

// TestCanary shows that no error holds a key or a context value: not when the service repeats them in every place that it has.
func TestCanary(t *testing.T) {
	s := awskmstest.New(t)
	client := s.Client(region, func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} })
	d, err := newDriver(t.Context(), client, s.CreateKey(region), nil)
	require.NoError(t, err)
	ec := kms.Context{"tenant": contextCanary}
	w, err := d.Wrap(t.Context(), []byte(canary), ec)
	require.NoError(t, err)
	echo := canary + contextCanary
	faults := map[string]awskmstest.Fault{
		"status 500":  {Status: 500, Body: []byte(echo)},
		"status 403":  {Status: 403, Body: []byte(echo)},
		"status 200":  {Body: []byte(echo)},
		"JSON text":   {Body: []byte(fmt.Sprintf("%q", echo))},
		"JSON object": {Body: []byte(fmt.Sprintf(`{"KeyId":%q,"Plaintext":%q}`, echo, echo))},
		"code":        {Status: 400, Body: []byte(fmt.Sprintf(`{"__type":%q}`, echo))},
		"drop":        {Drop: true},
		"cut":         {Cut: 10},
		"cut at once": {Cut: -1},
		"edited": {Edit: func(answer map[string]any) {
			for name := range answer {
				answer[name] = echo
			}
		}},
	}
	for code := range modelled {
		faults[code] = awskmstest.Fault{Code: code, Message: echo}
	}
	for code := range unmodelled {
		faults[code] = awskmstest.Fault{Code: code, Message: echo}
	}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		f := faults[name]
		s.Inject(func(string, int) *awskmstest.Fault { return &f })
		_, err := d.Wrap(t.Context(), []byte(canary), ec)
		requireQuiet(t, err)
		_, err = d.Unwrap(t.Context(), w, ec)
		requireQuiet(t, err)
		_, err = d.Describe(t.Context())
		requireQuiet(t, err)
	}
	s.Inject(nil)
	_, err = d.Unwrap(t.Context(), w, kms.Context{"tenant": contextCanary + "x"})
	requireClass(t, kms.ErrCiphertext, err)
	requireQuiet(t, err)
}

// TestRotation rotates, finds what a rotation leaves behind, and meets the limit of a key's rotations.
func TestRotation(t *testing.T) {
	s := awskmstest.New(t)
	k := newKey(t, s.Client(region), s.CreateKey(region), nil)
	stored := wraps(t, k, nil)
	before, err := k.Describe(t.Context())
	require.NoError(t, err)
	require.NoError(t, k.Rotate(t.Context()))
	after, err := k.Describe(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, before.Version)
	require.NotEqual(t, before.Version, after.Version)
	opens(t, k, stored, nil)
	require.False(t, k.Stale(stored), "it can't tell")
	require.Empty(t, wraps(t, k, nil).Version)
	for err == nil {
		err = k.Rotate(t.Context())
	}
	requireClass(t, kms.ErrUnsupported, err)
	require.Less(t, s.Calls("RotateKeyOnDemand"), 30)
}

// TestDestroyed follows a key to its end.
func TestDestroyed(t *testing.T) {
	s := awskmstest.New(t)
	k := newKey(t, s.Client(region), s.CreateKey(region), nil)
	w := wraps(t, k, nil)
	at, err := k.Destroy(t.Context(), 20*24*time.Hour)
	require.NoError(t, err)
	require.False(t, at.IsZero())
	again, err := k.Destroy(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, at, again, "a deletion keeps its date")
	info, err := k.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, kms.PendingDeletion, info.State)
	require.Equal(t, at, info.DestroyAt)
	_, err = k.Unwrap(t.Context(), w, nil)
	requireClass(t, kms.ErrPendingDeletion, err)
	requireClass(t, kms.ErrPendingDeletion, k.Rotate(t.Context()))
	s.FinishDeletion(k.Ref().KeyID)
	_, err = k.Unwrap(t.Context(), w, nil)
	requireClass(t, kms.ErrNotFound, err)
}
