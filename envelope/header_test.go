package envelope

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

func TestHeaderSize(t *testing.T) {
	for _, tc := range []struct {
		name   string
		prefix string
		size   int
		want   error
	}{
		{"nothing", "", 0, ErrTruncated},
		{"5 bytes", "\xf6\x01\x00\x40\x00", 0, ErrTruncated},
		{"5 bytes of text", "hello", 0, ErrTruncated},
		{"smallest", "\xf6\x01\x00\x40\x00\x00", 64, nil},
		{"more bytes", "\xf6\x01\x00\x40\x00\x00text", 64, nil},
		{"largest", "\xf6\x01\xff\xc0\x00\x00", 65472, nil},
		{"a record", "\xf5\x01\x00\x40\x00\x00", 0, ErrFormat},
		{"a managed stream", "\xf7\x01\x00\x40\x00\x00", 0, ErrFormat},
		{"version 0", "\xf6\x00\x00\x40\x00\x00", 0, ErrFormat},
		{"version 2", "\xf6\x02\x00\x40\x00\x00", 0, ErrFormat},
		{"H=0", "\xf6\x01\x00\x00\x00\x00", 0, ErrFormat},
		{"H=32", "\xf6\x01\x00\x20\x00\x00", 0, ErrFormat},
		{"H=63", "\xf6\x01\x00\x3f\x00\x00", 0, ErrFormat},
		{"H=65", "\xf6\x01\x00\x41\x00\x00", 0, ErrFormat},
		{"H=65535", "\xf6\x01\xff\xff\x00\x00", 0, ErrFormat},
		{"context to the MAC", "\xf6\x01\x00\x40\x00\x1a", 64, nil},
		{"context into the MAC", "\xf6\x01\x00\x40\x00\x1b", 0, ErrFormat},
		{"context of 65535", "\xf6\x01\x00\x40\xff\xff", 0, ErrFormat},
		{"context of 8 KiB", "\xf6\x01\xff\xc0\x20\x00", 65472, nil},
		{"context over 8 KiB", "\xf6\x01\xff\xc0\x20\x01", 0, ErrFormat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			size, err := HeaderSize([]byte(tc.prefix))
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, tc.size, size)
		})
	}
}

func TestInspect(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, nil)
	ec := kms.Context{"tenant": "acme", "object": "7"}
	message := seal(t, s, pattern(100), ec)
	f.wraps.Store(0)
	info, err := Inspect(message)
	require.NoError(t, err)
	require.Zero(t, f.calls())
	require.Equal(t, ec, info.Context)
	require.Len(t, info.Wrapped, 1)
	require.Equal(t, f.ref, info.Wrapped[0].Ref)
	size, err := HeaderSize(message)
	require.NoError(t, err)
	require.Equal(t, size, info.HeaderSize)
	wrapped, err := info.Wrapped[0].AppendBinary(nil)
	require.NoError(t, err)
	context, err := ec.Canonical()
	require.NoError(t, err)
	require.Equal(t, size-6-len(context)-len(wrapped)-32, info.Spare)
	again, err := Inspect(message[:size])
	require.NoError(t, err)
	require.Equal(t, info, again, "bytes after the header count")

	// What it returned is a copy, both ways.
	clear(info.Wrapped[0].Blob)
	info.Context["tenant"] = "other"
	requireOpens(t, s, message, pattern(100), ec)
	clear(message)
	require.Equal(t, ec, again.Context)
	require.NotEqual(t, make([]byte, len(again.Wrapped[0].Blob)), again.Wrapped[0].Blob)

	for n := range size {
		info, err := Inspect(seal(t, s, nil, ec)[:n])
		require.ErrorIs(t, err, ErrTruncated, n)
		require.Zero(t, info)
	}
}

// TestStreamHeaderSpare holds the header of a stream to the room that FORMAT.md section 5 promises.
func TestStreamHeaderSpare(t *testing.T) {
	const rest = 6 + 2 + (1 + 4) + (2 + 1) + 1 + (2 + 72) + 2048 + 32 // bytes of a header besides the padding of its blob
	for _, tc := range []struct {
		pad  int
		size int
	}{
		{0, 4096},
		{4096 - rest, 4096},
		{4096 - rest + 1, 8192},
		{8192 - rest, 8192},
		{8192 - rest + 1, 12288},
		{61440 - rest, 61440},
	} {
		t.Run(fmt.Sprint(tc.pad), func(t *testing.T) {
			f := newFake("k")
			f.pad = tc.pad
			s := newSealer(t, f, nil)
			message := sealStream(t, s, []byte("plaintext"), nil, nil)
			info, err := Inspect(message)
			require.NoError(t, err)
			require.Equal(t, tc.size, info.HeaderSize)
			require.GreaterOrEqual(t, info.Spare, 2048)
			require.Less(t, info.Spare, 2048+4096)
			requireOpens(t, s, message, []byte("plaintext"), nil)
		})
	}
}

// TestHeaderLimit has a provider whose blobs fill the header up to its limit and beyond.
func TestHeaderLimit(t *testing.T) {
	const most = 65472 - 6 - 2 - (1 + 4) - (2 + 1) - 1 - 2 - 32 // bytes of blob, without context
	const blob = 72                                             // that fake makes of a data key
	for _, tc := range []struct {
		name         string
		blob         int
		seal, stream error
	}{
		{"most", most, nil, ErrTooLarge},
		{"one more", most + 1, ErrTooLarge, ErrTooLarge},
		{"most of a blob", 65535, ErrTooLarge, ErrTooLarge},
		{"most with room", 61440 - 2048 - (65472 - most), nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake("k")
			f.pad = tc.blob - blob
			s := newSealer(t, f, nil)
			message, err := s.Seal(t.Context(), []byte("plaintext"), nil)
			require.ErrorIs(t, err, tc.seal)
			if tc.seal == nil {
				size, err := HeaderSize(message)
				require.NoError(t, err)
				require.Equal(t, (tc.blob+65472-most+63)/64*64, size)
				for _, r := range readers {
					got, err := r.open(s, message, nil)
					require.NoError(t, err, r.name)
					require.Equal(t, "plaintext", string(got))
				}
			}
			_, err = s.NewWriter(t.Context(), writerFunc(func(p []byte) (int, error) { return len(p), nil }), nil, nil)
			require.ErrorIs(t, err, tc.stream)
		})
	}
}

// TestRefusedWithoutCalls holds what can be seen without a key to no call of the KMS.
func TestRefusedWithoutCalls(t *testing.T) {
	f := newFake("k")
	s := newSealer(t, f, nil)
	message := seal(t, s, nil, nil)
	size, err := HeaderSize(message)
	require.NoError(t, err)
	f.wraps.Store(0)
	for name, change := range map[string]func([]byte){
		"first byte": func(b []byte) { b[0] = 0xF5 },
		"version":    func(b []byte) { b[1] = 2 },
		"H":          func(b []byte) { b[3]++ },
		"c":          func(b []byte) { b[4] = 0xFF },
		"context":    func(b []byte) { b[7]++ },
		"provider":   func(b []byte) { b[8] = 0 },
		"padding":    func(b []byte) { b[size-33] = 1 },
	} {
		for _, r := range readers {
			got, err := r.open(s, changed(message, change), nil)
			require.ErrorIs(t, err, ErrFormat, "%s, %s", name, r.name)
			require.Nil(t, got)
		}
		_, err := s.RewrapHeader(t.Context(), changed(message[:size], change), nil)
		require.ErrorIs(t, err, ErrFormat, name)
		_, err = Inspect(changed(message, change))
		require.ErrorIs(t, err, ErrFormat, name)
	}
	require.Zero(t, f.calls())
}

// TestTruncated cuts a small message everywhere, and a stream around the end of each segment.
func TestTruncated(t *testing.T) {
	s := newSealer(t, newFake("k"), nil)
	ec := kms.Context{"a": "b"}
	small := seal(t, s, []byte("plaintext"), ec)
	stream := sealStream(t, s, pattern(200), ec, &aead.StreamOptions{SegmentSize: 64})
	cuts := map[string][]int{"small": nil, "stream": {0, 5, 6, 4095, 4096, 4097}}
	for n := range small {
		cuts["small"] = append(cuts["small"], n)
	}
	for end := 4096 + 74; end < len(stream); end += 64 {
		cuts["stream"] = append(cuts["stream"], end-1, end, end+1)
	}
	cuts["stream"] = append(cuts["stream"], len(stream)-1)
	messages := map[string][]byte{"small": small, "stream": stream}
	for _, name := range slices.Sorted(maps.Keys(cuts)) {
		for _, n := range cuts[name] {
			for _, r := range readers {
				got, err := r.open(s, messages[name][:n], ec)
				require.ErrorIs(t, err, ErrTruncated, "%s cut to %d, %s", name, n, r.name)
				if r.name == "Open" || r.name == "ReaderAt" {
					require.Nil(t, got)
				} else {
					require.True(t, len(got) < 200, "released all of a cut stream")
				}
			}
		}
	}
}

func TestReaderAtWrongSize(t *testing.T) {
	s := newSealer(t, newFake("k"), nil)
	plaintext := pattern(200)
	message := sealStream(t, s, plaintext, nil, &aead.StreamOptions{SegmentSize: 64})
	longer := append(slices.Clone(message), make([]byte, 200)...)
	for size := int64(-1); size <= int64(len(longer)); size++ {
		if size == int64(len(message)) {
			continue
		}
		for _, source := range [][]byte{message, longer} {
			r, err := s.NewReaderAt(context.Background(), bytes.NewReader(source), size, nil, nil)
			require.True(t, errors.Is(err, ErrTruncated) || errors.Is(err, ErrFormat), "size %d of %d: %v", size, len(message), err)
			require.Nil(t, r)
		}
	}
}
