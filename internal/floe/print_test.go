package floe

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDumpHasNoKey: what a failing assertion prints of a Stream does not hold its message key.
func TestDumpHasNoKey(t *testing.T) {
	a, _ := Seal(new([KeySize]byte), nil, 64)
	b, _ := Seal(new([KeySize]byte), nil, 64)
	d := &dump{}
	assert.Equal(d, a, b)
	require.Contains(t, d.String(), "SegmentSize")
	key := a.messageKey()
	require.NotContains(t, d.String(), fmt.Sprintf("%02x %02x %02x %02x", key[0], key[1], key[2], key[3]))
	require.NotContains(t, fmt.Sprintf("%+v %#v", a, a), fmt.Sprintf("%d %d %d %d", key[0], key[1], key[2], key[3]))
}

// dump keeps what an assertion prints.
type dump struct{ bytes.Buffer }

func (d *dump) Errorf(format string, args ...any) { fmt.Fprintf(d, format, args...) }
