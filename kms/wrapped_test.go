package kms_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func example() kms.Wrapped {
	return kms.Wrapped{Ref: kms.Ref{Provider: "local", KeyID: "0123"}, Version: "7", Blob: []byte{0xAA, 0xBB}}
}

const exampleBytes = "\x05local" + "\x00\x040123" + "\x017" + "\x00\x02\xaa\xbb"

func TestWrappedBinary(t *testing.T) {
	b, err := example().AppendBinary([]byte("before"))
	require.NoError(t, err)
	require.Equal(t, "before"+exampleBytes, string(b))

	stored := []byte(exampleBytes + "after")
	w, rest, err := kms.ParseWrapped(stored)
	require.NoError(t, err)
	require.Equal(t, example(), w)
	require.Equal(t, "after", string(rest))
	require.Equal(t, len(rest), cap(rest))
	clear(stored)
	require.Equal(t, example(), w, "what was parsed is a copy")
	require.Equal(t, "local:0123", w.String())
}

func TestWrappedLimits(t *testing.T) {
	longest := kms.Wrapped{
		Ref:     kms.Ref{Provider: strings.Repeat("p", 255), KeyID: strings.Repeat("k", 65535)},
		Version: strings.Repeat("v", 255),
		Blob:    make([]byte, 65535),
	}
	b, err := longest.AppendBinary(nil)
	require.NoError(t, err)
	back, rest, err := kms.ParseWrapped(b)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, longest, back)

	for name, spoil := range map[string]func(*kms.Wrapped){
		"no provider":   func(w *kms.Wrapped) { w.Provider = "" },
		"long provider": func(w *kms.Wrapped) { w.Provider += "p" },
		"long key id":   func(w *kms.Wrapped) { w.KeyID += "k" },
		"long version":  func(w *kms.Wrapped) { w.Version += "v" },
		"no blob":       func(w *kms.Wrapped) { w.Blob = nil },
		"long blob":     func(w *kms.Wrapped) { w.Blob = make([]byte, 65536) },
	} {
		t.Run(name, func(t *testing.T) {
			w := longest
			spoil(&w)
			b, err := w.AppendBinary(nil)
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Nil(t, b)
		})
	}
}

func TestParseWrappedRefuses(t *testing.T) {
	for n := range len(exampleBytes) {
		_, _, err := kms.ParseWrapped([]byte(exampleBytes[:n]))
		require.ErrorIs(t, err, kms.ErrInvalid, "first %d bytes", n)
	}
	for name, in := range map[string]string{
		"no provider": "\x00" + "\x00\x040123" + "\x017" + "\x00\x02\xaa\xbb",
		"no blob":     "\x05local" + "\x00\x040123" + "\x017" + "\x00\x00",
		"huge blob":   "\x05local" + "\x00\x040123" + "\x017" + "\xff\xff\xaa\xbb",
	} {
		w, rest, err := kms.ParseWrapped([]byte(in))
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		require.Zero(t, w)
		require.Nil(t, rest)
	}
}

func FuzzParseWrapped(f *testing.F) {
	f.Add([]byte(exampleBytes))
	f.Add([]byte(exampleBytes + "after"))
	f.Add([]byte("\x03any\x00\x00\x00\x00\x01\x00"))
	f.Add([]byte("\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, rest, err := kms.ParseWrapped(b)
		if err != nil {
			require.ErrorIs(t, err, kms.ErrInvalid)
			return
		}
		again, err := w.AppendBinary(nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, append(again, rest...)))
	})
}
