package kmstest

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// refuses requires that d does not open w, and says with one class, of those given, that it is w or ec which is
// wrong.
func refuses(t testing.TB, d kms.Driver, w kms.Wrapped, ec kms.Context, classes ...error) {
	t.Helper()
	got, err := d.Unwrap(own(t), w, ec)
	require.Error(t, err)
	require.Nil(t, got, "a failed Unwrap returned bytes")
	only(t, err, classes...)
}

func wrongKey(t testing.TB, h Harness) {
	w := opened(t, h.Driver, secret(32), pairs())
	refuses(t, h.Other, w, pairs(), kms.ErrNotFound)
	theirs := wrap(t, h.Other, secret(32), pairs())
	for _, forged := range disguises(t, h, w, theirs) {
		refuses(t, h.Other, forged, pairs(), kms.ErrCiphertext, kms.ErrNotFound)
	}
	opens(t, h.Other, theirs, pairs(), secret(32))
}

func replayedBlob(t testing.TB, h Harness) {
	w := wrap(t, h.Driver, secret(32), pairs())
	theirs := opened(t, h.Other, secret(32), pairs())
	for _, forged := range disguises(t, h, theirs, w) {
		refuses(t, h.Driver, forged, pairs(), kms.ErrCiphertext, kms.ErrNotFound)
	}
	opens(t, h.Driver, w, pairs(), secret(32))
}

// disguises returns a forger's tries to have what w holds pass as wrapped under the key of as.
func disguises(t testing.TB, h Harness, w, as kms.Wrapped) []kms.Wrapped {
	t.Helper()
	if h.Group {
		return groupDisguises(t, w, as)
	}
	return []kms.Wrapped{
		{Ref: as.Ref, Version: w.Version, Blob: w.Blob},
		{Ref: as.Ref, Version: as.Version, Blob: w.Blob},
	}
}

func foreignRef(t testing.TB, h Harness) {
	w := h.counted(t)
	ref, allowed := w.Ref, []error{kms.ErrNotFound}
	owner, _ := h.Driver.(kms.Owner)
	if owner != nil {
		require.True(t, owner.Owns(ref), "the driver does not own its key")
	}
	if h.Group {
		allowed = append(allowed, kms.ErrCiphertext) // the name is a part of what is wrapped
	}
	for _, foreign := range []kms.Ref{
		{},
		{Provider: ref.Provider},
		{KeyID: ref.KeyID},
		{Provider: "foreign", KeyID: ref.KeyID},
		{Provider: ref.Provider, KeyID: ref.KeyID + "0"},
		{Provider: ref.Provider, KeyID: ref.KeyID[:max(len(ref.KeyID), 1)-1]},
		{Provider: ref.Provider, KeyID: "https://attacker.example/key"},
		{Provider: ref.Provider, KeyID: ref.KeyID + "\x00\xff"},
		{Provider: ref.Provider, KeyID: strings.Repeat(ref.KeyID+"/", 1000)},
		h.Other.Ref(),
	} {
		if foreign == ref && h.Group {
			continue // all groups have one name
		}
		before := h.sent()
		w.Ref = foreign
		refuses(t, h.Driver, w, pairs(), allowed...)
		if owner != nil {
			require.False(t, owner.Owns(foreign), "the driver owns %.100q", foreign)
		}
		require.Equal(t, before, h.sent(), "a call was made for %.100q", foreign)
	}
}

func wrongVersion(t testing.TB, h Harness) {
	w := opened(t, h.Driver, secret(32), pairs())
	version := w.Version
	for _, wrong := range []string{"", version + "0", "0" + version, "-1", "99999999999999999999", "another"} {
		if wrong == version {
			continue
		}
		w.Version = wrong
		refuses(t, h.Driver, w, pairs(), kms.ErrCiphertext, kms.ErrNotFound)
	}
}

func resizedBlob(t testing.TB, h Harness) {
	w := opened(t, h.Driver, secret(32), pairs())
	blob := w.Blob
	for n := range blob {
		w.Blob = blob[:n:n]
		refuses(t, h.Driver, w, pairs(), kms.ErrCiphertext)
	}
	w.Blob = nil
	refuses(t, h.Driver, w, pairs(), kms.ErrCiphertext)
	for _, more := range [][]byte{{0}, {1}, blob, make([]byte, 4096)} {
		w.Blob = append(bytes.Clone(blob), more...)
		refuses(t, h.Driver, w, pairs(), kms.ErrCiphertext)
		w.Blob = append(bytes.Clone(more), blob...)
		refuses(t, h.Driver, w, pairs(), kms.ErrCiphertext)
	}
}

// bits returns which bits of byte i are flipped: all, or one under -short and of a group, whose keys flip all by themselves.
func (h Harness) bits(i int) []int {
	if testing.Short() || h.Group {
		return []int{i % 8}
	}
	return []int{0, 1, 2, 3, 4, 5, 6, 7}
}

func flippedBits(t testing.TB, h Harness) {
	if h.Group {
		groupFlippedBits(t, h)
		return
	}
	w := opened(t, h.Driver, secret(32), pairs())
	w.Blob = bytes.Clone(w.Blob)
	for i := range w.Blob {
		for _, bit := range h.bits(i) {
			w.Blob[i] ^= 1 << bit
			refuses(t, h.Driver, w, pairs(), kms.ErrCiphertext)
			w.Blob[i] ^= 1 << bit
		}
	}
	opens(t, h.Driver, w, pairs(), secret(32))
}

func plaintextSize(t testing.TB, h Harness) {
	for _, n := range []int{0, kms.MaxPlaintext + 1, 4096} {
		w, err := h.Driver.Wrap(own(t), secret(n), pairs())
		t.Log(n, "bytes")
		only(t, err, kms.ErrInvalid)
		require.Zero(t, w, "a failed Wrap returned something")
	}
	_, err := h.Driver.Wrap(own(t), nil, pairs())
	only(t, err, kms.ErrInvalid)
}

func invalidContext(t testing.TB, h Harness) {
	good := opened(t, h.Driver, secret(32), pairs())
	for name, ec := range map[string]kms.Context{
		"empty key": {"": "value"},
		"not UTF-8": {"tenant": "\xff"},
		"too large": {"tenant": strings.Repeat("x", maxContext-overhead-len("tenant")+1)},
	} {
		t.Log(name)
		w, err := h.Driver.Wrap(own(t), secret(32), ec)
		only(t, err, kms.ErrInvalid)
		require.Zero(t, w)
		refuses(t, h.Driver, good, ec, kms.ErrCiphertext, kms.ErrInvalid)
	}
}

func cancelledCall(t testing.TB, h Harness) {
	w := h.counted(t)
	ctx, cancel := context.WithCancel(own(t))
	cancel()
	before := h.sent()
	cancelled := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, context.Canceled)
		noneBut(t, err, kms.ErrUnavailable)
	}
	none, err := h.Driver.Wrap(ctx, secret(32), pairs())
	cancelled(err)
	require.Zero(t, none)
	got, err := h.Driver.Unwrap(ctx, w, pairs())
	cancelled(err)
	require.Nil(t, got)
	besides(ctx, h.Driver, cancelled)
	require.Equal(t, before, h.sent(), "a call was made under a cancelled context")
	opens(t, h.Driver, w, pairs(), secret(32)) // it was not destroyed
}
