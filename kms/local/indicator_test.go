//go:build fipsindicator

package local

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/indicator"
	"github.com/holdfast-go/holdfast/kms"
)

// TestApproved calls the driver itself: a Key calls it in a goroutine of its own, out of the indicator's sight.
func TestApproved(t *testing.T) {
	f, err := Create(filepath.Join(t.TempDir(), "key.json"), passphrase(rightPassphrase))
	require.NoError(t, err)
	defer f.Close()
	ctx, ec := t.Context(), kms.Context{"tenant": "acme"}
	var w kms.Wrapped
	require.True(t, indicator.Approved(func() { w, err = f.d.Wrap(ctx, []byte("a key"), ec) }))
	require.NoError(t, err)
	require.True(t, indicator.Approved(func() { _, err = f.d.Unwrap(ctx, w, ec) }))
	require.NoError(t, err)
	require.True(t, indicator.Approved(func() { err = f.d.Rotate(ctx) }))
	require.NoError(t, err)
}
