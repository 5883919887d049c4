package kmstest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// refuses requires that d does not open w, and says with one of the classes that it is w or ec which is
// wrong, not that the provider is out.
func refuses(t testing.TB, d kms.Driver, w kms.Wrapped, ec kms.Context, classes ...error) {
	t.Helper()
	got, err := d.Unwrap(own(t), w, ec)
	require.Error(t, err)
	require.Nil(t, got, "a failed Unwrap returned bytes")
	require.False(t, errors.Is(err, kms.ErrUnavailable) || errors.Is(err, kms.ErrThrottled), "a refusal is reported as an outage: %v", err)
	for _, class := range classes {
		if errors.Is(err, class) {
			return
		}
	}
	require.Failf(t, "the error is of another class", "%v matches none of %q", err, classes)
}

func wrongContext(t testing.TB, h Harness) {
	for name, ec := range map[string]kms.Context{
		"changed value":         {"kind": "data", "tenant": "acne"},
		"changed case":          {"kind": "data", "tenant": "Acme"},
		"changed key":           {"kind": "data", "tenants": "acme"},
		"swapped key and value": {"data": "kind", "acme": "tenant"},
		"swapped values":        {"kind": "acme", "tenant": "data"},
		"moved boundary":        {"kind": "data", "tenan": "tacme"},
		"removed pair":          {"tenant": "acme"},
		"added pair":            {"kind": "data", "tenant": "acme", "region": "eu"},
		"added empty value":     {"kind": "data", "tenant": "acme", "region": ""},
		"added reserved pair":   {"kind": "data", "tenant": "acme", "holdfast:purpose": "check"},
		"empty":                 {},
		"nil":                   nil,
	} {
		t.Log(name)
		refuses(t, h.Driver, wrap(t, h.Driver, secret(32), pairs()), ec, kms.ErrCiphertext, kms.ErrAccessDenied)
		if ec != nil { // and the other way round
			refuses(t, h.Driver, wrap(t, h.Driver, secret(32), ec), pairs(), kms.ErrCiphertext, kms.ErrAccessDenied)
		}
	}
}

func wrongKey(t testing.TB, h Harness) {
	w := wrap(t, h.Driver, secret(32), pairs())
	_, err := h.Other.Unwrap(own(t), w, pairs())
	require.ErrorIs(t, err, kms.ErrNotFound)
	theirs := wrap(t, h.Other, secret(32), pairs())
	for _, forged := range disguises(t, h, w, theirs) {
		refuses(t, h.Other, forged, pairs(), kms.ErrCiphertext, kms.ErrNotFound)
	}
	opens(t, h.Other, theirs, pairs(), secret(32))
}

func replayedBlob(t testing.TB, h Harness) {
	w := wrap(t, h.Driver, secret(32), pairs())
	theirs := wrap(t, h.Other, secret(32), pairs())
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
	w := wrap(t, h.Driver, secret(32), pairs())
	ref, allowed := w.Ref, []error{kms.ErrNotFound}
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
		h.Other.Ref(),
	} {
		if foreign == ref && h.Group {
			continue // all groups have one name
		}
		before := h.sent()
		w.Ref = foreign
		refuses(t, h.Driver, w, pairs(), allowed...)
		require.Equal(t, before, h.sent(), "a call was made for %q", foreign)
	}
}

func wrongVersion(t testing.TB, h Harness) {
	w := wrap(t, h.Driver, secret(32), pairs())
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
	w := wrap(t, h.Driver, secret(32), pairs())
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

// bits returns which bits of byte i are flipped: all, or one under -short.
func bits(i int) []int {
	if testing.Short() {
		return []int{i % 8}
	}
	return []int{0, 1, 2, 3, 4, 5, 6, 7}
}

func flippedBits(t testing.TB, h Harness) {
	if h.Group {
		groupFlippedBits(t, h)
		return
	}
	w := wrap(t, h.Driver, secret(32), pairs())
	w.Blob = bytes.Clone(w.Blob)
	for i := range w.Blob {
		for _, bit := range bits(i) {
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
		require.ErrorIs(t, err, kms.ErrInvalid, "%d bytes", n)
		require.Zero(t, w, "a failed Wrap returned something")
	}
	_, err := h.Driver.Wrap(own(t), nil, pairs())
	require.ErrorIs(t, err, kms.ErrInvalid)
}

func invalidContext(t testing.TB, h Harness) {
	good := wrap(t, h.Driver, secret(32), pairs())
	for name, ec := range map[string]kms.Context{
		"empty key": {"": "value"},
		"not UTF-8": {"tenant": "\xff"},
		"too large": {"tenant": strings.Repeat("x", 8<<10)},
	} {
		w, err := h.Driver.Wrap(own(t), secret(32), ec)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		require.Zero(t, w)
		refuses(t, h.Driver, good, ec, kms.ErrCiphertext, kms.ErrInvalid)
	}
}

func cancelledCall(t testing.TB, h Harness) {
	w := wrap(t, h.Driver, secret(32), pairs())
	ctx, cancel := context.WithCancel(own(t))
	cancel()
	before := h.sent()
	none, err := h.Driver.Wrap(ctx, secret(32), pairs())
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, none)
	got, err := h.Driver.Unwrap(ctx, w, pairs())
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, got)
	require.Equal(t, before, h.sent(), "a call was made under a cancelled context")
}
