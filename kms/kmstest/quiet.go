package kmstest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

const (
	canary      = "canary-0123456789-canary-abcdef!" // what is wrapped
	canaryValue = "kanarie-9876543210"               // of a context
)

func canaryPairs() kms.Context { return kms.Context{"kind": "data", "tenant": canaryValue} }

func wrapCanary(t testing.TB, d kms.Driver) kms.Wrapped {
	t.Helper()
	return wrap(t, d, []byte(canary), canaryPairs())
}

// openedCanary is opened of the canaries.
func openedCanary(t testing.TB, d kms.Driver) kms.Wrapped {
	t.Helper()
	return opened(t, d, []byte(canary), canaryPairs())
}

// quiet requires that err shows nothing of the canaries.
func quiet(t testing.TB, err error) {
	t.Helper()
	require.Error(t, err)
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	for _, secret := range []string{canary, canaryValue} {
		for _, form := range []string{
			secret[:8],
			hex.EncodeToString([]byte(secret))[:16],
			base64.StdEncoding.EncodeToString([]byte(secret))[:10],
			strings.Trim(fmt.Sprint([]byte(secret[:8])), "[]"),
		} {
			require.False(t, strings.Contains(text, form), "an error shows the plaintext or a context value")
		}
	}
}

func quietErrors(t testing.TB, h Harness) {
	fails := func(_ any, err error) {
		t.Helper()
		quiet(t, err)
	}
	ctx, d := own(t), h.Driver
	w := wrapCanary(t, d)
	fails(d.Wrap(ctx, bytes.Repeat([]byte(canary), 3), canaryPairs()))
	for name, ec := range map[string]kms.Context{
		"empty key": {"": canaryValue},
		"not UTF-8": {"tenant": canaryValue + "\xff"},
		"too large": {"tenant": strings.Repeat(canaryValue, 1000)},
	} {
		t.Log(name)
		fails(d.Wrap(ctx, []byte(canary), ec))
		fails(d.Unwrap(ctx, w, ec))
	}
	fails(d.Unwrap(ctx, w, nil))
	wrong := canaryPairs()
	wrong["kind"] = canaryValue
	fails(d.Unwrap(ctx, w, wrong))
	cut := w
	cut.Blob = w.Blob[:len(w.Blob)-1]
	fails(d.Unwrap(ctx, cut, canaryPairs()))
	foreign := w
	foreign.Provider = "foreign"
	fails(d.Unwrap(ctx, foreign, canaryPairs()))
}
