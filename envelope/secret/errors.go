package secret

import (
	"fmt"

	"github.com/holdfast-go/holdfast/kms"
)

// ErrNotSealed says that a value is not sealed where a sealed one must stand, such as a password in plaintext in a configuration file. It also
// matches [kms.ErrInvalid].
var ErrNotSealed = fmt.Errorf("%w: the value is not sealed: seal it with SealText or the command holdfast", kms.ErrInvalid)

// atEdge puts the package's name before an error on its way out.
func atEdge(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("secret: %w", err)
}
