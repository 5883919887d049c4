package awskms

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What must not be in the text of an error: a key, and a value of the context it belongs to.
const (
	canary        = "canary-0123456789-canary-abcdef!"
	contextCanary = "tenant-canary-4711"
)

// requireQuiet requires that no text of err, and of nothing that it wraps, holds a canary in any form.
func requireQuiet(t testing.TB, err error) {
	t.Helper()
	require.Error(t, err)
	var texts []string
	var walk func(error)
	walk = func(err error) {
		if err == nil {
			return
		}
		texts = append(texts, fmt.Sprintf("%v %+v %#v %q", err, err, err, err))
		walk(errors.Unwrap(err))
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			for _, one := range several.Unwrap() {
				walk(one)
			}
		}
	}
	walk(err)
	all := strings.Join(texts, "\n")
	for _, secret := range []string{canary, contextCanary} {
		for _, form := range []string{
			secret[:10],
			hex.EncodeToString([]byte(secret))[:20],
			base64.StdEncoding.EncodeToString([]byte(secret))[:12],
			strings.Trim(fmt.Sprint([]byte(secret[:10])), "[]"),
		} {
			require.NotContains(t, all, form)
		}
	}
}
