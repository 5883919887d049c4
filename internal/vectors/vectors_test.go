package vectors

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWrite reads each file of this module and writes it again: every byte stays.
func TestWrite(t *testing.T) {
	for _, file := range []string{
		"../../aead/testdata/vectors.json",
		"../floe/testdata/vectors.json",
		"../../envelope/testdata/vectors.json",
		"../../envelope/testdata/lists.json",
		"../../envelope/testdata/keyring.json",
		"../../envelope/field/testdata/columns.json",
		"../../envelope/secret/testdata/enc.json",
		"../../envelope/secret/testdata/passwords.json",
		"../../kms/local/testdata/blobs.json",
		"../../kms/hpke/testdata/hpke.json",
	} {
		t.Run(file, func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			path := filepath.Join(t.TempDir(), "vectors.json")
			Write(t, path, Load(t, file))
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, string(want) == string(got), "the file is not what Write makes of its vectors")
		})
	}
}
