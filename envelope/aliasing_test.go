package envelope_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// The aliasing matrix of records: dst that shares memory with the other argument does what it does apart.

var recordSizes = []int{0, 1, 16, 17, 40, 57, 100, 1000}

const aliasRoom = 1200 // bytes on each side

// secret are n bytes no two of which in a row are zero or found in what a test fills memory with.
func secret(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%23)
	}
	return b
}

func TestAppendSealAliased(t *testing.T) {
	acme := newRig(t, nil).Tenant("acme")
	warm(t, acme)
	for _, n := range recordSizes {
		for d := -60; d <= 60; d++ { // where dst's room begins, from the plaintext
			for _, prefix := range []int{0, 5} {
				name := fmt.Sprintf("%d bytes, offset %d, prefix %d", n, d, prefix)
				buf := bytes.Repeat([]byte{'#'}, 2*aliasRoom+n)
				plaintext := buf[aliasRoom:][:n:n]
				copy(plaintext, secret(n))
				dst := buf[aliasRoom+d-prefix:][:prefix]
				head := bytes.Clone(dst)
				out, err := acme.AppendSeal(t.Context(), dst, plaintext, binding)
				require.NoError(t, err, name)
				require.Same(t, &buf[aliasRoom+d-prefix], &out[0], name)
				require.Equal(t, head, out[:prefix], name)
				require.Len(t, out, prefix+n+envelope.RecordOverhead, name)
				got, err := acme.Open(t.Context(), out[prefix:], binding)
				require.NoError(t, err, name)
				require.True(t, bytes.Equal(secret(n), got), name)
			}
		}
	}
}

func TestAppendOpenAliased(t *testing.T) {
	acme := newRig(t, nil).Tenant("acme")
	for _, n := range recordSizes {
		sealed, err := acme.Seal(t.Context(), secret(n), binding)
		require.NoError(t, err)
		for _, fails := range []bool{false, true} {
			for d := -60; d <= 60; d++ { // where dst's room begins, from the record
				for _, prefix := range []int{0, 5} {
					name := fmt.Sprintf("%d bytes, offset %d, prefix %d, fails %t", n, d, prefix, fails)
					buf := bytes.Repeat([]byte{'#'}, 2*aliasRoom+n)
					record := buf[aliasRoom:][:len(sealed):len(sealed)]
					copy(record, sealed)
					if fails {
						record[len(record)-1] ^= 1
					}
					dst := buf[aliasRoom+d-prefix:][:prefix]
					head := bytes.Clone(dst)
					out, err := acme.AppendOpen(t.Context(), dst, record, binding)
					if fails {
						require.ErrorIs(t, err, envelope.ErrOpen, name)
						require.Equal(t, head, out, name)
					} else {
						require.NoError(t, err, name)
						require.Same(t, &buf[aliasRoom+d-prefix], &out[:1][0], name)
						require.Equal(t, head, out[:prefix], name)
						require.True(t, bytes.Equal(secret(n), out[prefix:]), name)
						clear(out)
					}
					require.False(t, holdsSecret(buf, n), name)
				}
			}
		}
	}
}

// holdsSecret tells whether 4 bytes of the secret in a row are in b.
func holdsSecret(b []byte, n int) bool {
	s := secret(n)
	for i := 0; i+4 <= len(s); i++ {
		if bytes.Contains(b, s[i:i+4]) {
			return true
		}
	}
	return false
}

// TestAppendWithoutRoom has dst too small, or nil: what is returned lies elsewhere, and dst is as it was.
func TestAppendWithoutRoom(t *testing.T) {
	acme := newRig(t, nil).Tenant("acme")
	warm(t, acme)
	for _, n := range recordSizes {
		for _, room := range []int{-1, 0, 1, n, n + envelope.RecordOverhead - 1} {
			name := fmt.Sprintf("%d bytes, room %d", n, room)
			var dst []byte
			if room >= 0 {
				dst = append(make([]byte, 0, 3+room), "dst"...)
			}
			spare := bytes.Clone(dst[:cap(dst)])
			sealed, err := acme.AppendSeal(t.Context(), dst, secret(n), binding)
			require.NoError(t, err, name)
			require.True(t, bytes.Equal(spare, dst[:cap(dst)]), name)
			require.True(t, bytes.HasPrefix(sealed, dst), name)
			sealed = sealed[len(dst):]
			opened, err := acme.AppendOpen(t.Context(), dst, sealed, binding)
			require.NoError(t, err, name)
			require.True(t, bytes.Equal(secret(n), opened[len(dst):]), name)

			sealed[len(sealed)-1] ^= 1
			out, err := acme.AppendOpen(t.Context(), dst, sealed, binding)
			require.ErrorIs(t, err, envelope.ErrOpen, name)
			require.True(t, bytes.Equal(dst, out), name)
			require.False(t, holdsSecret(dst[:cap(dst)], n) && room < n, name)

			opened, err = acme.AppendOpen(t.Context(), dst, nil, binding)
			require.ErrorIs(t, err, envelope.ErrTruncated, name)
			require.True(t, bytes.Equal(dst, opened), name)
		}
		full := append([]byte(nil), secret(n)...)
		full = full[:n:n]
		sealed, err := acme.AppendSeal(t.Context(), full[:0], full, binding) // in place, but it does not fit
		require.NoError(t, err)
		require.True(t, bytes.Equal(secret(n), full))
		full, err = acme.Open(t.Context(), sealed, binding)
		require.NoError(t, err)
		require.True(t, bytes.Equal(secret(n), full))
	}
}

// TestFailureReturnsDst gives every call that is refused a dst with a prefix.
func TestFailureReturnsDst(t *testing.T) {
	g := newRig(t, nil)
	acme := warm(t, g.Tenant("acme"))
	dst := append(make([]byte, 0, 200), "dst"...)
	for name, call := range map[string]func() ([]byte, error){
		"unbound seal": func() ([]byte, error) { return acme.AppendSeal(t.Context(), dst, nil, envelope.Binding{}) },
		"unbound open": func() ([]byte, error) { return acme.AppendOpen(t.Context(), dst, acme.record, envelope.Binding{}) },
		"zero scope":   func() ([]byte, error) { return envelope.Tenant{}.AppendSeal(t.Context(), dst, nil, binding) },
		"no id":        func() ([]byte, error) { return g.Tenant("").AppendSeal(t.Context(), dst, nil, binding) },
		"other tenant": func() ([]byte, error) { return g.Tenant("b").AppendOpen(t.Context(), dst, acme.record, binding) },
		"other place":  func() ([]byte, error) { return acme.AppendOpen(t.Context(), dst, acme.record, envelope.Bind("x")) },
		"too large": func() ([]byte, error) {
			return acme.AppendSeal(t.Context(), dst, make([]byte, envelope.MaxRecord+1), binding)
		},
	} {
		out, err := call()
		require.Error(t, err, name)
		require.Equal(t, "dst", string(out), name)
		require.Same(t, &dst[0], &out[0], name)
		require.Equal(t, make([]byte, 197), out[3:200], name)
	}
}
