package hpke

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestContract(t *testing.T) {
	needHPKE(t)
	for _, k := range kems() {
		t.Run(k.String(), func(t *testing.T) {
			if testing.Short() && k == MLKEM1024P384 {
				t.Skip("the suite makes some 14 000 calls, and P-384 is slow under the race detector")
			}
			kmstest.Run(t, func(t *testing.T) kmstest.Harness {
				d := newDriver(t, k)
				return kmstest.Harness{Driver: d, Other: newDriver(t, k), Reopen: func() kms.Driver { return reopen(t, d) }}
			})
		})
	}
}

func newDriver(t *testing.T, k KEM) *driver {
	t.Helper()
	priv, err := GenerateKey(k)
	require.NoError(t, err)
	return &driver{pub: priv.Public(), priv: priv}
}

// reopen returns a driver of the same key pair, as it comes out of a file.
func reopen(t *testing.T, d *driver) *driver {
	t.Helper()
	priv, err := ParsePrivateKey(d.priv.PEM())
	require.NoError(t, err)
	return &driver{pub: priv.Public(), priv: priv}
}
