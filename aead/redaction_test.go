package aead

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/canary"
)

// used is a key that holds all that a key can hold.
func used(t *testing.T, b []byte) *Key {
	k := parse(t, b)
	for range 5 {
		_, err := k.Open(nil, parse(t, b).Seal(nil, []byte("x"), nil), nil)
		require.NoError(t, err)
	}
	k.Seal(nil, nil, nil)
	return k
}

func TestRedaction(t *testing.T) {
	k := used(t, canary.Bytes())
	canary.RequireRedacted(t, canary.Holders(k))
	canary.RequireName(t, k.String(), k)
}

// failure records what an assertion prints.
type failure struct{ text string }

func (f *failure) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

type keyError struct{ key *Key }

func (e keyError) Error() string { return fmt.Sprint("with ", e.key) }

// TestDumpingRedacts looks at failed assertions about two keys: they dump both by reflection, through unexported pointers.
func TestDumpingRedacts(t *testing.T) {
	k, other := used(t, canary.Bytes()), used(t, pattern(KeySize))
	for name, v := range canary.Holders(k) {
		var f failure
		require.False(t, assert.Equal(&f, canary.Holders(other)[name], v))
		require.NotEmpty(t, f.text)
		require.Empty(t, canary.Leaks(f.text), name)
	}
	var f failure
	require.False(t, assert.ErrorIs(&f, errors.New("another"), keyError{k}))
	require.Empty(t, canary.Leaks(f.text))
}
