package local

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestContract(t *testing.T) {
	kmstest.Run(t, func(t *testing.T) kmstest.Harness {
		f, other := newTestFile(t), newTestFile(t)
		return kmstest.Harness{
			Driver: f.d, Other: other.d,
			Disable: f.Disable, Enable: f.Enable, Destroy: f.Destroy,
			Reopen: func() kms.Driver { return reopen(t, f).d },
		}
	})
}

// newTestFile returns a File of its own.
func newTestFile(t *testing.T) *File {
	t.Helper()
	f, err := Create(filepath.Join(t.TempDir(), "key.json"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}
