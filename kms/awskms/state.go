package awskms

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/holdfast-go/holdfast/kms"
)

// stateOf returns our name of a key's state, and the class of a call that KMSInvalidStateException refuses in it.
func stateOf(m *types.KeyMetadata) (kms.State, error) {
	switch m.KeyState {
	case types.KeyStateEnabled, types.KeyStateUpdating:
		if aws.ToString(m.CustomKeyStoreId) != "" {
			return kms.Enabled, kms.ErrUnavailable // the store that the key is in fails
		}
		return kms.Enabled, kms.ErrDisabled // DescribeKey has not heard yet of what the call met
	case types.KeyStateDisabled, types.KeyStatePendingImport: // the latter has no key material until its owner imports it
		return kms.Disabled, kms.ErrDisabled
	case types.KeyStatePendingDeletion, types.KeyStatePendingReplicaDeletion:
		return kms.PendingDeletion, kms.ErrPendingDeletion
	}
	return kms.Unknown, kms.ErrUnavailable // Creating, or Unavailable: its key store is not connected
}

// How long the question after the state of a key may take, and how long its answer is good for.
const (
	askFor      = time.Second
	rememberFor = 3 * time.Second
)

// told is what DescribeKey told about a refusal with that code; class is nil where it failed.
type told struct {
	code  string
	state kms.State
	class error
	until time.Time
}

// memory keeps the last one, so that not every call that a key refuses costs two requests.
type memory struct {
	mu   sync.Mutex
	last told
}

// failed maps what the client said. A call that does not fit the key's state costs one question after that state, because the
// codes don't tell: a key that waits for its deletion is answered with either of two. Without an answer it counts as disabled.
func (d *driver) failed(ctx context.Context, err error) error {
	e, code := failure(ctx, err), codeOf(err)
	if !errors.Is(e, kms.ErrDisabled) {
		return e
	}
	t := d.tell(ctx, code)
	switch {
	case t.class == nil:
		e.Err = fmt.Errorf("%w, and DescribeKey failed, which tells why", e.Err)
	case code == disabled && t.class != kms.ErrPendingDeletion:
	default:
		e.Err = fmt.Errorf("%w: AWS KMS answered %q, and of the key that it is %s", t.class, code, t.state)
		e.Retryable = errors.Is(t.class, kms.ErrUnavailable)
	}
	return e
}

// tell asks for the state of a key that refused a call with that code. It takes a second, or half of the time that is left.
func (d *driver) tell(ctx context.Context, code string) told {
	now := time.Now()
	d.state.mu.Lock()
	last := d.state.last
	d.state.mu.Unlock()
	if last.code == code && now.Before(last.until) {
		return last
	}
	limit := askFor
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, deadline.Sub(now)/2)
	}
	asked, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t := told{code: code, until: now.Add(rememberFor)}
	m, err := d.describe(asked)
	switch {
	case err == nil:
		t.state, t.class = stateOf(m)
	case ctx.Err() != nil || limit < askFor:
		return t // an impatient caller's failure is nobody else's
	}
	d.state.mu.Lock()
	d.state.last = t
	d.state.mu.Unlock()
	return t
}
