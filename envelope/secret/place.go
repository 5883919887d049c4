package secret

import (
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/kms"
)

const maxPlace = 255 // bytes

// checkPlace refuses a place that breaks the rules of SealText. One spelling of each place: no upper case, no spaces, no empty steps.
func checkPlace(place string) error {
	if len(place) > maxPlace {
		return fmt.Errorf("%w: a place has at most %d bytes, not %d", kms.ErrInvalid, maxPlace, len(place))
	}
	for step := range strings.SplitSeq(place, "/") {
		if step == "" || strings.Trim(step, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
			return fmt.Errorf("%w: a place such as \"primary/db\" is made of a-z 0-9 - _ . and / between them, not %.64q", kms.ErrInvalid, place)
		}
	}
	return nil
}

// join returns the place of a name within another place, which may be "".
func join(place, name string) string {
	if place == "" || name == "" {
		return place + name
	}
	return place + "/" + name
}
