package awskms

import (
	"bytes"
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
