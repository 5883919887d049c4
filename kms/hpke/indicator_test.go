//go:build fipsindicator

package hpke

import (
	"crypto/fips140"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/indicator"
	"github.com/holdfast-go/holdfast/kms"
)

// TestApproved calls the driver itself: a Key calls it in a goroutine of its own, out of the indicator's sight.
func TestApproved(t *testing.T) {
	if fips140.Version() == "v1.0.0" {
		t.Skip("the FIPS module v1.0.0 does not approve of HPKE's primitives")
	}
	ctx, ec := t.Context(), kms.Context{"tenant": "acme"}
	for _, k := range kems() {
		t.Run(k.String(), func(t *testing.T) {
			var priv *PrivateKey
			var err error
			require.True(t, indicator.Approved(func() { priv, err = GenerateKey(k) }))
			require.NoError(t, err)
			d := &driver{pub: priv.Public(), priv: priv}
			var w kms.Wrapped
			require.True(t, indicator.Approved(func() { w, err = d.Wrap(ctx, []byte("a key"), ec) }))
			require.NoError(t, err)
			require.True(t, indicator.Approved(func() { _, err = d.Unwrap(ctx, w, ec) }))
			require.NoError(t, err)
		})
	}
}
