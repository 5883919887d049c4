package awskms

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// TestRequests requires that key, context, algorithm and grant tokens go with every call.
func TestRequests(t *testing.T) {
	ec := kms.Context{"holdfast:purpose": "tenant-key", "tenant": "Größe"}
	want := map[string]any{
		"KeyId":               testARN,
		"EncryptionContext":   map[string]any{"holdfast:purpose": "tenant-key", "tenant": "Größe"},
		"EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
		"GrantTokens":         []any{"a grant token"},
	}
	w := &wire{answer: reply(200, jsonOf(t, encrypted(testARN)))}
	wrapped, err := driverOver(t, w, testARN).Wrap(t.Context(), []byte(canary), ec)
	require.NoError(t, err)
	require.Equal(t, kms.Wrapped{Ref: kms.Ref{Provider: "awskms", KeyID: testARN}, Blob: []byte("blob")}, wrapped)
	require.Equal(t, []request{{"Encrypt", with(want, "Plaintext", base64.StdEncoding.EncodeToString([]byte(canary)))}}, w.requests)

	w = &wire{answer: reply(200, jsonOf(t, decrypted(testARN)))}
	plaintext, err := driverOver(t, w, testARN).Unwrap(t.Context(), wrapped, ec)
	require.NoError(t, err)
	require.Equal(t, canary, string(plaintext))
	require.Equal(t, []request{{"Decrypt", with(want, "CiphertextBlob", base64.StdEncoding.EncodeToString([]byte("blob")))}}, w.requests)
}

// TestReplica opens what a related multi-Region key wrapped, and asks our key for it.
func TestReplica(t *testing.T) {
	w := &wire{answer: reply(200, jsonOf(t, decrypted(mrkARN)))}
	theirs := kms.Wrapped{Ref: kms.Ref{Provider: Provider, KeyID: strings.Replace(mrkARN, region, "us-east-1", 1)}, Blob: []byte("blob")}
	k, err := kms.NewKey(driverOver(t, w, mrkARN), nil)
	require.NoError(t, err)
	plaintext, err := k.Unwrap(t.Context(), theirs, nil)
	require.NoError(t, err)
	require.Equal(t, canary, string(plaintext))
	require.Equal(t, []string{"Decrypt"}, w.operations())
	require.Equal(t, mrkARN, w.requests[0].body["KeyId"])
	require.False(t, k.Stale(kms.Wrapped{Ref: k.Ref(), Blob: []byte("blob")}))
}

// TestRefusedFirst is what must cost no request.
func TestRefusedFirst(t *testing.T) {
	ref := kms.Ref{Provider: Provider, KeyID: testARN}
	good := kms.Wrapped{Ref: ref, Blob: []byte("blob")}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	wrap := func(n int, ec kms.Context) func(context.Context, *driver) error {
		return func(ctx context.Context, d *driver) error {
			got, err := d.Wrap(ctx, make([]byte, n), ec)
			require.Zero(t, got)
			return err
		}
	}
	unwrap := func(w kms.Wrapped, ec kms.Context) func(context.Context, *driver) error {
		return func(ctx context.Context, d *driver) error {
			got, err := d.Unwrap(ctx, w, ec)
			require.Nil(t, got)
			return err
		}
	}
	for _, c := range []struct {
		name   string
		ctx    context.Context
		run    func(context.Context, *driver) error
		closed bool
		want   error
	}{
		{"no plaintext", t.Context(), wrap(0, nil), false, kms.ErrInvalid},
		{"long plaintext", t.Context(), wrap(65, nil), false, kms.ErrInvalid},
		{"wrap with an empty context key", t.Context(), wrap(32, kms.Context{"": "x"}), false, kms.ErrInvalid},
		{"wrap with a large context", t.Context(), wrap(32, kms.Context{"x": strings.Repeat("x", 8192)}), false, kms.ErrInvalid},
		{"unwrap with text that is not UTF-8", t.Context(), unwrap(good, kms.Context{"x": "\xff"}), false, kms.ErrInvalid},
		{"foreign provider", t.Context(), unwrap(kms.Wrapped{Ref: kms.Ref{Provider: "local", KeyID: testARN}, Blob: good.Blob}, nil), false, kms.ErrNotFound},
		{"foreign key", t.Context(), unwrap(kms.Wrapped{Ref: kms.Ref{Provider: Provider, KeyID: mrkARN}, Blob: good.Blob}, nil), false, kms.ErrNotFound},
		{"a version", t.Context(), unwrap(kms.Wrapped{Ref: ref, Version: "1", Blob: good.Blob}, nil), false, kms.ErrNotFound},
		{"no blob", t.Context(), unwrap(kms.Wrapped{Ref: ref}, nil), false, kms.ErrCiphertext},
		{"large blob", t.Context(), unwrap(kms.Wrapped{Ref: ref, Blob: make([]byte, 6145)}, nil), false, kms.ErrCiphertext},
		{"wrap cancelled", canceled, wrap(32, nil), false, context.Canceled},
		{"unwrap cancelled", canceled, unwrap(good, nil), false, context.Canceled},
		{"describe cancelled", canceled, operations["DescribeKey"], false, context.Canceled},
		{"rotate cancelled", canceled, operations["RotateKeyOnDemand"], false, context.Canceled},
		{"destroy cancelled", canceled, operations["ScheduleKeyDeletion"], false, context.Canceled},
		{"wrap closed", t.Context(), wrap(32, nil), true, kms.ErrClosed},
		{"unwrap closed", t.Context(), unwrap(good, nil), true, kms.ErrClosed},
		{"describe closed", t.Context(), operations["DescribeKey"], true, kms.ErrClosed},
		{"rotate closed", t.Context(), operations["RotateKeyOnDemand"], true, kms.ErrClosed},
		{"destroy closed", t.Context(), operations["ScheduleKeyDeletion"], true, kms.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &wire{answer: reply(200, "{}")}
			d := driverOver(t, w, testARN)
			if c.closed {
				require.NoError(t, d.Close())
			}
			require.ErrorIs(t, c.run(c.ctx, d), c.want)
			require.Empty(t, w.requests)
		})
	}
}

// TestCancelledFirst does not leave it to the client to look at the context.
func TestCancelledFirst(t *testing.T) {
	f := &fakeClient{keyID: testARN, plaintext: []byte(canary)}
	d := driverOver(t, nil, testARN)
	d.client = f
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Unwrap(ctx, kms.Wrapped{Ref: d.ref, Blob: []byte("blob")}, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, f.decrypts)
}

func TestClose(t *testing.T) {
	released := 0
	d := driverOver(t, nil, testARN)
	d.release = func() { released++ }
	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	require.Equal(t, 1, released)
}
