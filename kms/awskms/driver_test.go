package awskms

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// encrypted and decrypted are right answers about the key arn.
func encrypted(arn string) map[string]any {
	return map[string]any{"KeyId": arn, "CiphertextBlob": []byte("blob"), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
}

func decrypted(arn string) map[string]any {
	return map[string]any{"KeyId": arn, "Plaintext": []byte(canary), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "KeyMaterialId": "ab12"}
}

// with returns a changed copy of an answer; nil removes.
func with(answer map[string]any, name string, value any) map[string]any {
	changed := map[string]any{}
	for k, v := range answer {
		changed[k] = v
	}
	changed[name] = value
	if value == nil {
		delete(changed, name)
	}
	return changed
}

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
	theirs := kms.Wrapped{Ref: kms.Ref{Provider: provider, KeyID: strings.Replace(mrkARN, region, "us-east-1", 1)}, Blob: []byte("blob")}
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
	ref := kms.Ref{Provider: provider, KeyID: testARN}
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
		{"foreign key", t.Context(), unwrap(kms.Wrapped{Ref: kms.Ref{Provider: provider, KeyID: mrkARN}, Blob: good.Blob}, nil), false, kms.ErrNotFound},
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

// TestWrongAnswers is what a service that works never says. None of it may be taken, tried again, or repeated in an error.
func TestWrongAnswers(t *testing.T) {
	other := strings.Replace(testARN, "1234abcd", "9999abcd", 1)
	for _, c := range []struct {
		name      string
		operation string
		answer    map[string]any
		want      error
	}{
		{"wrap: another key", "Encrypt", encrypted(other), kms.ErrInvalid},
		{"wrap: the key's id alone", "Encrypt", encrypted(keyID), kms.ErrInvalid},
		{"wrap: the plaintext for a key", "Encrypt", encrypted(canary), kms.ErrInvalid},
		{"wrap: no key", "Encrypt", with(encrypted(testARN), "KeyId", nil), kms.ErrInvalid},
		{"wrap: no blob", "Encrypt", with(encrypted(testARN), "CiphertextBlob", nil), kms.ErrInvalid},
		{"wrap: empty blob", "Encrypt", with(encrypted(testARN), "CiphertextBlob", ""), kms.ErrInvalid},
		{"wrap: large blob", "Encrypt", with(encrypted(testARN), "CiphertextBlob", make([]byte, 6145)), kms.ErrInvalid},
		{"wrap: another algorithm", "Encrypt", with(encrypted(testARN), "EncryptionAlgorithm", "RSAES_OAEP_SHA_256"), kms.ErrInvalid},
		{"wrap: no algorithm", "Encrypt", with(encrypted(testARN), "EncryptionAlgorithm", nil), kms.ErrInvalid},
		{"wrap: nothing", "Encrypt", map[string]any{}, kms.ErrInvalid},
		{"unwrap: another key", "Decrypt", decrypted(other), kms.ErrInvalid},
		{"unwrap: another region's", "Decrypt", decrypted(strings.Replace(testARN, region, "eu-west-1", 1)), kms.ErrInvalid},
		{"unwrap: no key", "Decrypt", with(decrypted(testARN), "KeyId", nil), kms.ErrInvalid},
		{"unwrap: no plaintext", "Decrypt", with(decrypted(testARN), "Plaintext", nil), kms.ErrInvalid},
		{"unwrap: empty plaintext", "Decrypt", with(decrypted(testARN), "Plaintext", ""), kms.ErrInvalid},
		{"unwrap: another algorithm", "Decrypt", with(decrypted(testARN), "EncryptionAlgorithm", "SM2PKE"), kms.ErrInvalid},
		{"unwrap: no algorithm", "Decrypt", with(decrypted(testARN), "EncryptionAlgorithm", nil), kms.ErrInvalid},
		{"unwrap: long plaintext", "Decrypt", with(decrypted(testARN), "Plaintext", bytes.Repeat([]byte(canary), 3)), kms.ErrCiphertext},
		{"unwrap: nothing", "Decrypt", map[string]any{}, kms.ErrInvalid},
		{"describe: another key", "DescribeKey", map[string]any{"KeyMetadata": map[string]any{"Arn": other, "KeyState": "Enabled"}}, kms.ErrInvalid},
		{"describe: nothing", "DescribeKey", map[string]any{}, kms.ErrInvalid},
		{"destroy: another key", "ScheduleKeyDeletion", map[string]any{"KeyId": other, "DeletionDate": 1.8e9}, kms.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &wire{answer: reply(200, jsonOf(t, c.answer))}
			d := driverOver(t, w, testARN)
			err := operations[c.operation](t.Context(), d)
			require.ErrorIs(t, err, c.want)
			requireQuiet(t, err)
			k, newErr := kms.NewKey(d, &kms.Options{Attempts: 3})
			require.NoError(t, newErr)
			w.requests = nil
			switch c.operation {
			case "Encrypt":
				got, err := k.Wrap(t.Context(), []byte(canary), nil)
				requireClass(t, c.want, err)
				require.Zero(t, got)
			case "Decrypt":
				got, err := k.Unwrap(t.Context(), kms.Wrapped{Ref: d.ref, Blob: []byte("blob")}, nil)
				requireClass(t, c.want, err)
				require.Nil(t, got)
			default:
				return
			}
			require.Len(t, w.requests, 1, "it was tried again")
		})
	}
}

// TestRefusedPlaintextIsCleared watches the bytes that a refused answer brought.
func TestRefusedPlaintextIsCleared(t *testing.T) {
	for name, answer := range map[string]*fakeClient{
		"another key":       {keyID: mrkARN, plaintext: []byte(canary)},
		"a long plaintext":  {keyID: testARN, plaintext: bytes.Repeat([]byte(canary), 3)},
		"another algorithm": {keyID: testARN, plaintext: []byte(canary), algorithm: "SM2PKE"},
	} {
		t.Run(name, func(t *testing.T) {
			d := driverOver(t, nil, testARN)
			d.client = answer
			got, err := d.Unwrap(t.Context(), kms.Wrapped{Ref: d.ref, Blob: []byte("blob")}, nil)
			require.Error(t, err)
			require.Nil(t, got)
			require.Equal(t, make([]byte, len(answer.plaintext)), answer.plaintext)
		})
	}
}

// TestInvalidState asks for the state once, and never takes the answer for less than a refusal or an outage.
func TestInvalidState(t *testing.T) {
	states := map[string]error{
		"Disabled":               kms.ErrDisabled,
		"PendingImport":          kms.ErrDisabled,
		"PendingDeletion":        kms.ErrPendingDeletion,
		"PendingReplicaDeletion": kms.ErrPendingDeletion,
		"Creating":               kms.ErrUnavailable,
		"Updating":               kms.ErrUnavailable,
		"Unavailable":            kms.ErrUnavailable,
		"Enabled":                kms.ErrUnavailable, // its key store fails
		"SomethingNew":           kms.ErrUnavailable,
		"":                       kms.ErrUnavailable,
		"no answer":              kms.ErrDisabled,
		"no permission":          kms.ErrDisabled,
		"another key":            kms.ErrDisabled,
	}
	for _, operation := range []string{"Encrypt", "Decrypt", "RotateKeyOnDemand"} {
		for state, want := range states {
			t.Run(operation+" "+state, func(t *testing.T) {
				w := &wire{}
				code := invalidState
				test := func() {
					err := operations[operation](t.Context(), driverOver(t, w, testARN))
					requireClass(t, want, err)
					requireQuiet(t, err)
					require.Equal(t, []string{operation, "DescribeKey"}, w.operations())
					require.Equal(t, []any{"a grant token"}, w.requests[1].body["GrantTokens"])
				}
				w.answer = func(r request) (*http.Response, error) {
					switch {
					case r.operation != "DescribeKey":
						return reply(400, `{"__type":"`+code+`","message":"`+canary+`"}`)(r)
					case state == "no answer":
						return reply(503, "")(r)
					case state == "no permission":
						return reply(400, `{"__type":"AccessDeniedException"}`)(r)
					case state == "another key":
						return reply(200, jsonOf(t, map[string]any{"KeyMetadata": map[string]any{"Arn": mrkARN, "KeyState": "Enabled"}}))(r)
					}
					return reply(200, jsonOf(t, map[string]any{"KeyMetadata": map[string]any{"Arn": testARN, "KeyState": state}}))(r)
				}
				test()

				w.requests, code = nil, disabled
				if want != kms.ErrPendingDeletion {
					want = kms.ErrDisabled // it is what was answered
				}
				test()
			})
		}
	}
}

func TestClose(t *testing.T) {
	released := 0
	d := driverOver(t, nil, testARN)
	d.release = func() { released++ }
	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	require.Equal(t, 1, released)
}
