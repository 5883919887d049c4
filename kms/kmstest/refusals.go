package kmstest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// refuses requires that d does not open w, and says with one of the classes that it is w or ec which is
// wrong, not that the provider is out.
func refuses(t testing.TB, d kms.Driver, w kms.Wrapped, ec kms.Context, classes ...error) {
	t.Helper()
	got, err := d.Unwrap(t.Context(), w, ec)
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
	_, err := h.Other.Unwrap(t.Context(), w, pairs())
	require.ErrorIs(t, err, kms.ErrNotFound)
	w.Ref = h.Other.Ref() // a forger's best try
	refuses(t, h.Other, w, pairs(), kms.ErrCiphertext, kms.ErrNotFound)
	opens(t, h.Other, wrap(t, h.Other, secret(32), pairs()), pairs(), secret(32))
}

func foreignRef(t testing.TB, h Harness) {
	w := wrap(t, h.Driver, secret(32), pairs())
	own := h.Driver.Ref()
	for _, ref := range []kms.Ref{
		{},
		{Provider: own.Provider},
		{KeyID: own.KeyID},
		{Provider: "foreign", KeyID: own.KeyID},
		{Provider: own.Provider, KeyID: own.KeyID + "0"},
		{Provider: own.Provider, KeyID: own.KeyID[:len(own.KeyID)-1]},
		{Provider: own.Provider, KeyID: "https://attacker.example/key"},
		h.Other.Ref(),
	} {
		before := calls(h)
		w.Ref = ref
		got, err := h.Driver.Unwrap(t.Context(), w, pairs())
		require.ErrorIs(t, err, kms.ErrNotFound, "%q", ref)
		require.Nil(t, got)
		require.Equal(t, before, calls(h), "a call was made for %q", ref)
	}
}

func calls(h Harness) int {
	if h.Calls == nil {
		return 0
	}
	return h.Calls()
}

func wrongVersion(t testing.TB, h Harness) {
	w := wrap(t, h.Driver, secret(32), pairs())
	own := w.Version
	for _, version := range []string{"", own + "0", "0" + own, "-1", "99999999999999999999", "another"} {
		if version == own {
			continue
		}
		w.Version = version
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

func flippedBits(t testing.TB, h Harness) {
	w := wrap(t, h.Driver, secret(32), pairs())
	w.Blob = bytes.Clone(w.Blob)
	for i := range w.Blob {
		for bit := range 8 {
			w.Blob[i] ^= 1 << bit
			refuses(t, h.Driver, w, pairs(), kms.ErrCiphertext)
			w.Blob[i] ^= 1 << bit
		}
	}
	opens(t, h.Driver, w, pairs(), secret(32))
}

func plaintextSize(t testing.TB, h Harness) {
	for _, n := range []int{0, kms.MaxPlaintext + 1, 4096} {
		w, err := h.Driver.Wrap(t.Context(), secret(n), pairs())
		require.ErrorIs(t, err, kms.ErrInvalid, "%d bytes", n)
		require.Zero(t, w, "a failed Wrap returned something")
	}
	_, err := h.Driver.Wrap(t.Context(), nil, pairs())
	require.ErrorIs(t, err, kms.ErrInvalid)
}

func invalidContext(t testing.TB, h Harness) {
	good := wrap(t, h.Driver, secret(32), pairs())
	for name, ec := range map[string]kms.Context{
		"empty key": {"": "value"},
		"not UTF-8": {"tenant": "\xff"},
		"too large": {"tenant": strings.Repeat("x", 8<<10)},
	} {
		w, err := h.Driver.Wrap(t.Context(), secret(32), ec)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		require.Zero(t, w)
		refuses(t, h.Driver, good, ec, kms.ErrCiphertext, kms.ErrInvalid)
	}
}

func cancelledCall(t testing.TB, h Harness) {
	w := wrap(t, h.Driver, secret(32), pairs())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := calls(h)
	none, err := h.Driver.Wrap(ctx, secret(32), pairs())
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, none)
	got, err := h.Driver.Unwrap(ctx, w, pairs())
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, got)
	require.Equal(t, before, calls(h), "a call was made under a cancelled context")
}

func quietErrors(t testing.TB, h Harness) {
	canary := []byte("canary-0123456789-canary-abcdef!")
	quiet := func(_ any, err error) {
		t.Helper()
		require.Error(t, err)
		text := fmt.Sprintf("%v %+v %#v", err, err, err)
		for _, form := range []string{
			string(canary[:8]),
			hex.EncodeToString(canary)[:16],
			base64.StdEncoding.EncodeToString(canary)[:10],
			strings.Trim(fmt.Sprint(canary[:8]), "[]"),
		} {
			require.NotContains(t, text, form)
		}
	}
	w := wrap(t, h.Driver, canary, pairs())
	quiet(h.Driver.Wrap(t.Context(), bytes.Repeat(canary, 3), pairs()))
	quiet(h.Driver.Wrap(t.Context(), canary, kms.Context{"": "value"}))
	quiet(h.Driver.Unwrap(t.Context(), w, nil))
	wrong := maps.Clone(pairs())
	wrong["tenant"] = "other"
	quiet(h.Driver.Unwrap(t.Context(), w, wrong))
	cut := w
	cut.Blob = w.Blob[:len(w.Blob)-1]
	quiet(h.Driver.Unwrap(t.Context(), cut, pairs()))
	foreign := w
	foreign.KeyID = "foreign"
	quiet(h.Driver.Unwrap(t.Context(), foreign, pairs()))
}
