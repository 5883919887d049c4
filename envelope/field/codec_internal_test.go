package field

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// TestPlaintextVectors: FORMAT.md section 10.
func TestPlaintextVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/plaintext.json")
	require.NoError(t, err)
	var vectors struct {
		Valid []struct {
			Type, Value, Plaintext string
			Pad                    int
		}
		Invalid []struct{ Type, Plaintext, Why string }
	}
	require.NoError(t, json.Unmarshal(raw, &vectors))
	seen := map[string]bool{}
	for _, v := range vectors.Valid {
		seen[v.Type] = true
		want, err := hex.DecodeString(v.Plaintext)
		require.NoError(t, err)
		form, ok := forms[v.Type]
		require.True(t, ok, v.Type)
		got, err := form.write(v.Value)
		require.NoError(t, err)
		if v.Pad > 0 {
			got = pad(got, v.Pad)
		}
		require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(got), "%s %q", v.Type, v.Value)
		back, err := form.read(bytes.Clone(want))
		require.NoError(t, err)
		require.Equal(t, v.Value, back)
	}
	require.Len(t, seen, len(forms), "each type has a vector")
	for _, v := range vectors.Invalid {
		b, err := hex.DecodeString(v.Plaintext)
		require.NoError(t, err)
		_, err = forms[v.Type].read(b)
		require.ErrorIs(t, err, envelope.ErrFormat, v.Why)
	}
}

// form writes and reads a type by the text of its values in the vectors.
type form struct {
	write func(string) ([]byte, error)
	read  func([]byte) (string, error)
}

func formOf[T any](parse func(string) T, text func(T) string) form {
	return form{
		func(s string) ([]byte, error) { v := parse(s); return appendValue(nil, &v) },
		func(b []byte) (string, error) {
			v, err := parseValue[T](b)
			if err != nil {
				return "", err
			}
			return text(v), nil
		},
	}
}

func decoded[T any](s string) (v T) {
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		panic(err)
	}
	return v
}

func encoded[T any](v T) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

var forms = map[string]form{
	"string": formOf(func(s string) string { return s }, func(s string) string { return s }),
	"bytes":  formOf(func(s string) []byte { b, _ := hex.DecodeString(s); return b }, func(b []byte) string { return hex.EncodeToString(b) }),
	"bool":   formOf(decoded[bool], encoded[bool]),
	"int":    formOf(decoded[int64], encoded[int64]),
	"uint":   formOf(decoded[uint64], encoded[uint64]),
	"float":  formOf(decoded[float64], encoded[float64]),
	"time": formOf(func(s string) time.Time { v, _ := time.Parse(time.RFC3339Nano, s); return v },
		func(v time.Time) string { return v.Format(time.RFC3339Nano) }),
	"binary": formOf(netip.MustParseAddr, netip.Addr.String),
	"text":   formOf(decoded[big.Int], func(v big.Int) string { return v.String() }),
	"json":   formOf(func(s string) json.RawMessage { return json.RawMessage(s) }, func(v json.RawMessage) string { return string(v) }),
}

// FuzzPlaintext: nothing that was sealed makes a reader panic, and what it reads is written the same.
func FuzzPlaintext(f *testing.F) {
	for _, seed := range []string{"", "01", "81", "8180", "0401", "07", "8600000000000000008000"} {
		b, err := hex.DecodeString(seed)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again[string](t, b)
		again[[]byte](t, b)
		again[bool](t, b)
		again[int64](t, b)
		again[uint64](t, b)
		again[float64](t, b)
		again[time.Time](t, b)
		again[netip.Addr](t, b)
	})
}

func again[T any](t *testing.T, b []byte) {
	v, err := parseValue[T](bytes.Clone(b))
	if err != nil {
		require.ErrorIs(t, err, envelope.ErrFormat)
		return
	}
	out, err := appendValue(nil, &v)
	require.NoError(t, err)
	second, err := parseValue[T](bytes.Clone(out))
	require.NoError(t, err)
	if f, ok := any(v).(float64); ok && math.IsNaN(f) {
		return
	}
	require.Equal(t, v, second)
}

// FuzzTag: no tag makes the parser panic, and what it takes has names that can be bound.
func FuzzTag(f *testing.F) {
	for _, seed := range []string{"", "email", "phone,pad=32", "a,as=users.b", "a,bind=subject,key=tenant", "x,of=a,norm=email/v1,was=casefold/v1,prefix=3", "a,,", "a,=b", "a,pad=-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := newColumn("users", text, true)
		if err != nil {
			require.ErrorIs(t, err, kms.ErrInvalid)
		} else {
			require.NotEmpty(t, c.name)
			require.NotEmpty(t, c.table)
			require.NotEmpty(t, c.binding)
			require.True(t, c.pad == 0 || c.pad >= 2 && c.pad <= maxPad)
			require.True(t, strings.HasPrefix(text, c.name))
		}
		x, err := newBlind(text)
		if err != nil {
			require.ErrorIs(t, err, kms.ErrInvalid)
		} else {
			require.NotEmpty(t, x.of)
			require.NotEmpty(t, x.norms)
		}
	})
}
