package envelope

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEvictionIsNotRemembered: that a key was evicted meanwhile is no failure to keep. The next try finds out anew.
func TestEvictionIsNotRemembered(t *testing.T) {
	ks := &keyset{ring: &ring{}}
	require.ErrorIs(t, ks.settle(1, time.Now(), nil, errGone), errGone)
	err, known := ks.verdict(t.Context(), true, false)
	require.False(t, known, err)
	k := &storedKey{name: "tenant/acme/data/0000000001"}
	require.False(t, ks.blame(k, errGone))
	_, err = ks.find(k)
	require.NoError(t, err)
}
