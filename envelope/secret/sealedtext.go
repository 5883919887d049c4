package secret

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

const (
	anyPrefix     = "enc:"
	prefix        = "enc:v1:"
	secretBinding = "secret"
	maxSealed     = 64 << 10                                              // bytes of a sealed text
	maxText       = (maxSealed-len(prefix))*6/8 - envelope.RecordOverhead // bytes of what one holds
)

// encoding is unpadded, and strict: one text for each record.
func encoding() *base64.Encoding { return base64.RawURLEncoding.Strict() }

// SealText returns t as a sealed text for a configuration file: "enc:v1:" and a record in base64url, 4/3 of the length of t and 83 or 84 bytes. It opens for the tenant and at the place alone.
// Deployment and tenant may be those of the service, or others for its configuration.
//
// A place names what the secret is for, such as "db" or "primary/db": 1 to 255 bytes of a-z 0-9 - _ . and / between them.
//
// It fails with [kms.ErrInvalid] on another place, on an empty t, and on one that is sealed already or [secret], with envelope.ErrTooLarge above 49 089 bytes, and as Tenant.Seal does.
func SealText(ctx context.Context, tn envelope.Tenant, place string, t Text) (string, error) {
	s, err := sealText(ctx, tn, place, t.Reveal())
	return s, atEdge(err)
}

func sealText(ctx context.Context, tn envelope.Tenant, place, plaintext string) (string, error) {
	switch {
	case plaintext == "":
		return "", fmt.Errorf("%w: there is nothing to seal: the text is empty", kms.ErrInvalid)
	case len(plaintext) > maxText:
		return "", fmt.Errorf("%w: a sealed text holds at most %d bytes, not %d", envelope.ErrTooLarge, maxText, len(plaintext))
	case strings.HasPrefix(strings.TrimSpace(plaintext), prefix):
		return "", fmt.Errorf("%w: the text is sealed already", kms.ErrInvalid)
	}
	if err := refusePrinted(plaintext); err != nil {
		return "", err
	}
	if err := checkPlace(place); err != nil {
		return "", err
	}
	record, err := tn.Seal(ctx, []byte(plaintext), envelope.Bind(secretBinding, place))
	if err != nil {
		return "", err
	}
	return prefix + encoding().EncodeToString(record), nil
}

// OpenText returns what SealText has sealed for the tenant and the place. White space around sealed does not matter.
//
// It fails with [ErrNotSealed] on a text that does not start with "enc:", with envelope.ErrFormat on one that is not of the form of SealText, longer than 64 KiB or of a
// later version, with envelope.ErrOpen where it was sealed for another place, with envelope.ErrWrongScope where for another tenant, with [kms.ErrInvalid] on what is no place, and as Tenant.Open does.
func OpenText(ctx context.Context, tn envelope.Tenant, place, sealed string) (Text, error) {
	t, err := openText(ctx, tn, place, sealed)
	return t, atEdge(err)
}

func openText(ctx context.Context, tn envelope.Tenant, place, sealed string) (Text, error) {
	if err := checkPlace(place); err != nil {
		return Text{}, err
	}
	record, err := parse(strings.TrimSpace(sealed))
	if err != nil {
		return Text{}, err
	}
	plaintext, err := tn.Open(ctx, record, envelope.Bind(secretBinding, place))
	defer clear(plaintext)
	switch {
	case errors.Is(err, envelope.ErrOpen):
		return Text{}, fmt.Errorf("%w: is %.64q the place that it was sealed for?", err, place)
	case err != nil:
		return Text{}, err
	}
	return NewText(string(plaintext)), nil
}

// parse returns the record in a sealed text. Its errors repeat nothing of what may be a secret.
func parse(sealed string) ([]byte, error) {
	text, ok := strings.CutPrefix(sealed, prefix)
	switch {
	case !strings.HasPrefix(sealed, anyPrefix):
		return nil, ErrNotSealed
	case len(sealed) > maxSealed:
		return nil, malformedText("a sealed text has at most %d bytes, not %d", maxSealed, len(sealed))
	case !ok && hasVersion(sealed):
		return nil, malformedText("a sealed text of another version than 1: it may need a later release")
	case !ok:
		return nil, malformedText("a sealed text starts with %q", prefix)
	case strings.ContainsAny(text, "\r\n"): // which the decoder passes over
		return nil, malformedText("a sealed text has no line breaks")
	}
	record, err := encoding().DecodeString(text)
	if err != nil {
		return nil, malformedText("after %q a sealed text is base64url without padding, to its end", prefix)
	}
	return record, nil
}

// hasVersion tells whether a text starts with "enc:v" and a number.
func hasVersion(sealed string) bool {
	version, _, ok := strings.Cut(strings.TrimPrefix(sealed, anyPrefix), ":")
	return ok && len(version) > 1 && version[0] == 'v' && strings.Trim(version[1:], "0123456789") == ""
}

func malformedText(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), envelope.ErrFormat)
}
