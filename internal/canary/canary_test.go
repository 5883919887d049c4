package canary_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/canary"
)

// bare is a key that takes no care.
type bare struct{ b []byte }

func TestLeaks(t *testing.T) {
	all := canary.Bytes()
	for _, verb := range []string{"%s", "%x", "%X", "% x", "%#v", "%v", "%d", "%o", "%q"} {
		require.NotEmpty(t, canary.Leaks(fmt.Sprintf(verb, all)), verb)
	}
	b, err := json.Marshal(all)
	require.NoError(t, err)
	require.NotEmpty(t, canary.Leaks(string(b)))
	for n := range 5 {
		require.NotEmpty(t, canary.Leaks(base64.StdEncoding.EncodeToString(append(make([]byte, n), all...))), n)
	}
	require.Empty(t, canary.Leaks("aead.Key(00112233)"))
	holders := canary.Holders(&bare{all})
	delete(holders, "pointers") // shows as addresses
	for name, h := range holders {
		require.NotEmpty(t, canary.Leaks(fmt.Sprintf("%+v", h)+fmt.Sprintf("%x", h)), name)
	}
}
