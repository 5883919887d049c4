package awskms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/holdfast-go/holdfast/kms"
)

// Describe implements [kms.Describer]. What it may not ask, or can't, of the rotation is left out.
func (d *driver) Describe(ctx context.Context) (kms.Info, error) {
	if err := d.ready(ctx); err != nil {
		return kms.Info{}, err
	}
	m, err := d.describe(ctx)
	if err != nil {
		return kms.Info{}, err
	}
	state, _ := stateOf(m)
	info := kms.Info{
		State:     state,
		Version:   aws.ToString(m.CurrentKeyMaterialId),
		Region:    d.key.region,
		DestroyAt: aws.ToTime(m.DeletionDate),
	}
	out, err := d.client.GetKeyRotationStatus(ctx, &sdk.GetKeyRotationStatusInput{KeyId: aws.String(d.ref.KeyID)}, guarded)
	if err != nil {
		if e := failure(ctx, err); !errors.Is(e, kms.ErrAccessDenied) && !errors.Is(e, kms.ErrUnsupported) && codeOf(err) != invalidState {
			return kms.Info{}, e
		}
		return info, nil
	}
	if !d.named(out.KeyId) {
		return kms.Info{}, wrongAnswer(out.ResultMetadata, "another key, or none")
	}
	const most = 10_000 // far above the API reference's 2560, and a time.Duration holds it
	if days := aws.ToInt32(out.RotationPeriodInDays); out.KeyRotationEnabled && days > 0 && days <= most {
		info.RotationPeriod = time.Duration(days) * 24 * time.Hour
	}
	return info, nil
}

// describe asks what KMS knows of our key.
func (d *driver) describe(ctx context.Context) (*types.KeyMetadata, error) {
	m, err := d.describeKey(ctx, d.ref.KeyID)
	if err == nil && aws.ToString(m.Arn) != d.ref.KeyID {
		return nil, fmt.Errorf("%w: AWS KMS answered wrongly: it describes another key", kms.ErrInvalid)
	}
	return m, err
}

func (d *driver) describeKey(ctx context.Context, keyID string) (*types.KeyMetadata, error) {
	out, err := d.client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: aws.String(keyID), GrantTokens: d.tokens}, guarded)
	if err != nil {
		return nil, failure(ctx, err)
	}
	if out.KeyMetadata == nil {
		return nil, wrongAnswer(out.ResultMetadata, "no description")
	}
	return out.KeyMetadata, nil
}

// Rotate implements [kms.Rotator]. The SDK does not repeat it: a second rotation counts against the few that a key has.
func (d *driver) Rotate(ctx context.Context) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	once := func(o *sdk.Options) { o.RetryMaxAttempts = 1 }
	out, err := d.client.RotateKeyOnDemand(ctx, &sdk.RotateKeyOnDemandInput{KeyId: aws.String(d.ref.KeyID)}, guarded, once)
	if err != nil {
		return d.failed(ctx, err)
	}
	if !d.named(out.KeyId) {
		return wrongAnswer(out.ResultMetadata, "another key, or none")
	}
	return nil
}

// named tells whether an answer names our key, by its ARN or its id alone: the API reference leaves open which it is.
func (d *driver) named(keyID *string) bool {
	name := aws.ToString(keyID)
	return name == d.ref.KeyID || "key/"+name == d.key.resource
}

// The waiting period of a deletion, in days, by the API reference.
const (
	minWindow = 7
	maxWindow = 30
)

// Destroy implements [kms.Destroyer]. A key that waits for its deletion already keeps its date.
func (d *driver) Destroy(ctx context.Context, after time.Duration) (time.Time, error) {
	const day = 24 * time.Hour
	if after > maxWindow*day {
		return time.Time{}, fmt.Errorf("%w: AWS KMS deletes a key after %d to %d days: choose no more", kms.ErrInvalid, minWindow, maxWindow)
	}
	if err := d.ready(ctx); err != nil {
		return time.Time{}, err
	}
	days := max(minWindow, int32((after+day-1)/day))
	out, err := d.client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{
		KeyId:               aws.String(d.ref.KeyID),
		PendingWindowInDays: aws.Int32(days),
	}, guarded)
	if err == nil {
		if !d.named(out.KeyId) {
			return time.Time{}, wrongAnswer(out.ResultMetadata, "another key, or none")
		}
		return deletion(out.ResultMetadata, out.KeyState, out.DeletionDate)
	}
	err = d.failed(ctx, err)
	if !errors.Is(err, kms.ErrPendingDeletion) {
		return time.Time{}, err
	}
	m, err := d.describe(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return deletion(middleware.Metadata{}, m.KeyState, m.DeletionDate)
}

// deletion returns the date of a deletion. Only that of a key which waits for its replicas has none.
func deletion(answer middleware.Metadata, state types.KeyState, date *time.Time) (time.Time, error) {
	if date == nil && state != types.KeyStatePendingReplicaDeletion {
		return time.Time{}, wrongAnswer(answer, "no date of the deletion")
	}
	return aws.ToTime(date), nil
}
