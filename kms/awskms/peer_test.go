package awskms

import (
	"testing"

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
