package local

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// TestForgedKeyID has a second key under the first one's id. A record can be made that opens under both; what stops
// that is here, where the id is recomputed when the key is loaded.
func TestForgedKeyID(t *testing.T) {
	first, second := bytes.Repeat([]byte{1}, aead.KeySize), bytes.Repeat([]byte{2}, aead.KeySize)
	k, err := aead.ParseKey(first)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		key     []byte
		refused bool
	}{"the key of the id": {first, false}, "another key": {second, true}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key.json")
			require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `{"format":"holdfast key file","format_version":1,"key_id":%q,"state":"enabled","current":1,`+
				`"versions":[{"number":1,"created":"2026-01-01T00:00:00Z","id":%q,"key":%q}]}`,
				strings.Repeat("42", 16), k.ID(), base64.StdEncoding.EncodeToString(c.key)), 0o600))
			f, err := Open(path, nil)
			if c.refused {
				require.ErrorIs(t, err, kms.ErrInvalid)
				return
			}
			require.NoError(t, err)
			require.NoError(t, f.Close())
		})
	}
}
