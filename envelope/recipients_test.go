package envelope

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// newFakes returns n fakes of different providers, the blobs of which are that much longer than fake makes them.
func newFakes(n, pad int) (fakes []*fake) {
	for i := range n {
		f := newFake("k")
		f.ref.Provider, f.pad = string(rune('a'+i)), pad
		fakes = append(fakes, f)
	}
	return fakes
}

// newAnySealer returns a Sealer over kms.AnyOf.
func newAnySealer(t testing.TB, members ...*fake) *Sealer {
	t.Helper()
	var keys []*kms.Key
	for _, f := range members {
		k, err := kms.NewKey(f, &kms.Options{Attempts: 1})
		require.NoError(t, err)
		keys = append(keys, k)
	}
	k, err := kms.AnyOf(keys, nil)
	require.NoError(t, err)
	s, err := NewSealer(k, nil)
	require.NoError(t, err)
	return s
}

func TestRecipients(t *testing.T) {
	ec := kms.Context{"tenant": "acme"}
	for _, n := range []int{1, 2, 16} {
		for _, w := range writers {
			t.Run(fmt.Sprintf("%d, %s", n, w.name), func(t *testing.T) {
				fakes := newFakes(n, 0)
				message, err := w.seal(newAnySealer(t, fakes...), pattern(1000), ec)
				require.NoError(t, err)
				info, err := Inspect(message)
				require.NoError(t, err)
				require.Len(t, info.Wrapped, n)
				for i, f := range fakes {
					require.Equal(t, f.ref, info.Wrapped[i].Ref)
					requireOpens(t, newAnySealer(t, f), message, pattern(1000), ec) // each alone
				}
				stranger := newFakes(1, 0)[0]
				stranger.ref.KeyID = "l"
				_, err = newAnySealer(t, stranger).Open(t.Context(), message, ec)
				require.ErrorIs(t, err, kms.ErrNotFound)
				require.Zero(t, stranger.unwraps.Load())

				for i := range info.Wrapped {
					clear(info.Wrapped[i].Blob)
				}
				requireOpens(t, newAnySealer(t, fakes...), message, pattern(1000), ec) // what Inspect returned is a copy
			})
		}
	}
}

// TestRecipientsHeaderRoom holds the header of a stream to the room that FORMAT.md section 5 promises.
func TestRecipientsHeaderRoom(t *testing.T) {
	const postQuantum = 1174 - 72 // more than the blob of fake
	for _, tc := range []struct{ recipients, pad, size int }{
		{1, 0, 4096},
		{2, 200, 4096},
		{1, postQuantum, 4096},
		{2, postQuantum, 8192},
		{16, 0, 4096},
		{16, postQuantum, 24576},
	} {
		t.Run(fmt.Sprintf("%d with %d", tc.recipients, tc.pad), func(t *testing.T) {
			fakes := newFakes(tc.recipients, tc.pad)
			message := sealStream(t, newAnySealer(t, fakes...), []byte("plaintext"), nil, nil)
			info, err := Inspect(message)
			require.NoError(t, err)
			require.Equal(t, tc.size, info.HeaderSize)
			require.GreaterOrEqual(t, info.Spare, 2048)
			require.Less(t, info.Spare, 2048+4096)
		})
	}
}

// TestRewrapHeaderAddsRecipient adds one to a stream, which has room, and to a byte message, which has none.
func TestRewrapHeaderAddsRecipient(t *testing.T) {
	fakes := newFakes(2, 200)
	one, two := newAnySealer(t, fakes[0]), newAnySealer(t, fakes...)
	header, body := headerOf(t, sealStream(t, one, []byte("plaintext"), nil, nil))
	fresh, err := two.RewrapHeader(t.Context(), header, nil)
	require.NoError(t, err)
	require.Len(t, fresh, len(header))
	for _, f := range fakes {
		requireOpens(t, newAnySealer(t, f), slices.Concat(fresh, body), []byte("plaintext"), nil)
	}
	_, err = newAnySealer(t, fakes[1]).Open(t.Context(), slices.Concat(header, body), nil)
	require.ErrorIs(t, err, kms.ErrNotFound, "the old header has the new recipient")

	header, _ = headerOf(t, seal(t, one, []byte("plaintext"), nil))
	require.Len(t, header, 384)
	fresh, err = two.RewrapHeader(t.Context(), header, nil)
	require.ErrorIs(t, err, ErrTooLarge)
	require.Nil(t, fresh)
	require.ErrorContains(t, err, fmt.Sprint(6+2+9+1+2*(2+8+272)+32)) // prefix, no context, list, its count, the two, MAC
	require.ErrorContains(t, err, "384")
}

// TestRecipientsLimit has lists that fit in no header, and in no list.
func TestRecipientsLimit(t *testing.T) {
	const most = 65472 - 6 - 2 - 9 - 1 - 32 // bytes of 16 recipients with their lengths, without context
	const each = most/16 - 2 - 8 - 72       // bytes that a blob may be longer
	for _, tc := range []struct {
		name string
		pad  int
		want error
	}{
		{"most", each, nil},
		{"one more each", each + 1, ErrTooLarge},
		{"over 16 bits", each + 10, kms.ErrInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newAnySealer(t, newFakes(16, tc.pad)...)
			message, err := s.Seal(t.Context(), []byte("plaintext"), nil)
			require.ErrorIs(t, err, tc.want)
			if tc.want == nil {
				requireOpens(t, s, message, []byte("plaintext"), nil)
			}
		})
	}
}

// TestMalformedRecipients holds malformed lists to ErrFormat before any call to the KMS, though their MAC is right. The vectors have more of them.
func TestMalformedRecipients(t *testing.T) {
	f := newFakes(1, 0)[0]
	s := newAnySealer(t, f)
	d := dataKey{key: [32]byte(pattern(32))}
	canon, err := canonical(nil)
	require.NoError(t, err)
	mine := recipient("a", "k")
	for name, w := range map[string]kms.Wrapped{
		"none":   listed(t, 0),
		"nested": listOf(t, mine, listOf(t, recipient("b", "k"))),
		"twice":  listOf(t, mine, mine),
		"short":  listed(t, 2, mine),
		"long":   listed(t, 1, mine, recipient("b", "k")),
	} {
		header, err := buildHeader(&d.key, canon, w, 256)
		require.NoError(t, err)
		_, err = Inspect(header)
		require.ErrorIs(t, err, ErrFormat, name)
		_, err = s.RewrapHeader(t.Context(), header, nil)
		require.ErrorIs(t, err, ErrFormat, name)
		for _, r := range readers {
			got, err := r.open(s, slices.Concat(header, bytes.Repeat([]byte{'*'}, 200)), nil)
			require.ErrorIs(t, err, ErrFormat, "%s, %s", name, r.name)
			require.Nil(t, got)
		}
	}
	require.Zero(t, f.calls())
}
