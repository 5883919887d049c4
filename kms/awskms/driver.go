package awskms

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/holdfast-go/holdfast/kms"
)

// maxBlob is the most that Decrypt takes, in bytes: the API reference's limit of CiphertextBlob.
const maxBlob = 6144

// driver is the kms.Driver over one KMS key.
type driver struct {
	client  Client
	key     arn
	ref     kms.Ref // names key
	tokens  []string
	state   memory
	closed  atomic.Bool
	release func()
}

func (d *driver) Ref() kms.Ref { return d.ref }

// Owns implements [kms.Owner]: related multi-Region keys open each other's.
func (d *driver) Owns(ref kms.Ref) bool {
	if ref.Provider != Provider {
		return false
	}
	key, ok := parseARN(ref.KeyID)
	return ok && d.key.sameKey(key)
}

func (d *driver) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	if n := len(plaintext); n == 0 || n > kms.MaxPlaintext {
		return kms.Wrapped{}, fmt.Errorf("%w: plaintext must be 1 to %d bytes, not %d", kms.ErrInvalid, kms.MaxPlaintext, n)
	}
	if _, err := ec.Canonical(); err != nil {
		return kms.Wrapped{}, err
	}
	if err := d.ready(ctx); err != nil {
		return kms.Wrapped{}, err
	}
	out, err := d.client.Encrypt(ctx, &sdk.EncryptInput{
		KeyId:               aws.String(d.ref.KeyID),
		Plaintext:           plaintext,
		EncryptionContext:   ec,
		EncryptionAlgorithm: types.EncryptionAlgorithmSpecSymmetricDefault,
		GrantTokens:         d.tokens,
	}, guarded)
	if err != nil {
		return kms.Wrapped{}, d.failed(ctx, err)
	}
	if err := d.checkAnswer(out.ResultMetadata, out.KeyId, out.EncryptionAlgorithm); err != nil {
		return kms.Wrapped{}, err
	}
	if n := len(out.CiphertextBlob); n == 0 || n > maxBlob {
		return kms.Wrapped{}, wrongAnswer(out.ResultMetadata, fmt.Sprintf("a ciphertext of %d bytes", n))
	}
	return kms.Wrapped{Ref: d.ref, Blob: out.CiphertextBlob}, nil
}

func (d *driver) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	switch {
	case !d.Owns(w.Ref):
		return nil, fmt.Errorf("%w: it was wrapped under another", kms.ErrNotFound)
	case w.Version != "":
		return nil, fmt.Errorf("%w: no version %.20q: AWS KMS keeps the version inside the blob", kms.ErrNotFound, w.Version)
	case len(w.Blob) == 0 || len(w.Blob) > maxBlob:
		return nil, kms.ErrCiphertext
	}
	if _, err := ec.Canonical(); err != nil {
		return nil, err
	}
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	out, err := d.client.Decrypt(ctx, &sdk.DecryptInput{
		KeyId:               aws.String(d.ref.KeyID),
		CiphertextBlob:      w.Blob,
		EncryptionContext:   ec,
		EncryptionAlgorithm: types.EncryptionAlgorithmSpecSymmetricDefault,
		GrantTokens:         d.tokens,
	}, guarded)
	if err != nil {
		return nil, d.failed(ctx, err)
	}
	err = d.checkAnswer(out.ResultMetadata, out.KeyId, out.EncryptionAlgorithm)
	switch n := len(out.Plaintext); {
	case err != nil:
	case n == 0: // Encrypt takes no empty plaintext
		err = wrongAnswer(out.ResultMetadata, "no plaintext")
	case n > kms.MaxPlaintext:
		err = fmt.Errorf("%w: it holds %d bytes, not 1 to %d", kms.ErrCiphertext, n, kms.MaxPlaintext)
	}
	if err != nil {
		clear(out.Plaintext)
		return nil, err
	}
	return out.Plaintext, nil
}

// Close implements [kms.Driver].
func (d *driver) Close() error {
	if d.closed.CompareAndSwap(false, true) {
		d.release()
	}
	return nil
}

// ready tells why no request may be made.
func (d *driver) ready(ctx context.Context) error {
	if d.closed.Load() {
		return kms.ErrClosed
	}
	return ctx.Err()
}

// checkAnswer refuses an answer to Encrypt or Decrypt that is not about our key.
func (d *driver) checkAnswer(m middleware.Metadata, keyID *string, algorithm types.EncryptionAlgorithmSpec) error {
	switch {
	case aws.ToString(keyID) != d.ref.KeyID:
		return wrongAnswer(m, "another key, or none")
	case algorithm != types.EncryptionAlgorithmSpecSymmetricDefault:
		return wrongAnswer(m, "another algorithm, or none")
	}
	return nil
}

// wrongAnswer is for what AWS KMS never says. It repeats none of it.
func wrongAnswer(m middleware.Metadata, what string) error {
	id, _ := awsmiddleware.GetRequestIDMetadata(m)
	return &kms.Error{RequestID: requestID(id), Err: fmt.Errorf("%w: AWS KMS answered wrongly: with %s", kms.ErrInvalid, what)}
}
