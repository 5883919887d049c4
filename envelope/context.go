package envelope

import (
	"fmt"
	"maps"
	"strings"

	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

// canonical returns the bytes of a caller's context.
func canonical(ec kms.Context) ([]byte, error) {
	if err := checkContext(ec); err != nil {
		return nil, err
	}
	return ec.Canonical()
}

// checkContext refuses the pairs that are ours to add.
func checkContext(ec kms.Context) error {
	for key := range ec {
		if strings.HasPrefix(key, reserved.Prefix) {
			return fmt.Errorf("%w: context key %.64q is reserved: choose one that does not start with %q", kms.ErrInvalid, key, reserved.Prefix)
		}
	}
	return nil
}

// kmsContext returns what a message's data key is bound to at the KMS.
func kmsContext(ec kms.Context) kms.Context {
	full := make(kms.Context, len(ec)+1)
	maps.Copy(full, ec)
	full[reserved.Prefix+"purpose"] = "message"
	return full
}

// bodyContext is the additional data of a message's body.
func bodyContext(context []byte) []byte {
	return append([]byte("holdfast/v1 message\x00"), context...)
}
