package kms_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestAnyOfUnwrapsInOrder: the first that can, whatever stops those before it, and all of these are reported.
func TestAnyOfUnwrapsInOrder(t *testing.T) {
	f := newFleet(t, 3)
	w := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}))
	f.requireOpens(t, f.anyOf(t, kms.AnyOptions{}), w, []string{"unwrap a"}, nil)
	f.requireOpens(t, f.anyOf(t, kms.AnyOptions{}, f.keys[2], f.keys[0]), w, []string{"unwrap c"}, nil) // the order is the key's, not the list's
	for _, class := range classes {
		t.Run(class.Error(), func(t *testing.T) {
			f.regions[0].fails(class)
			said := "unwrap a " + kms.Class(class)
			f.requireOpens(t, f.anyOf(t, kms.AnyOptions{}), w, []string{"unwrap a", "unwrap b"}, []string{said})
			f.regions[1].fails(kms.ErrCiphertext)
			f.requireOpens(t, f.anyOf(t, kms.AnyOptions{}), w, []string{"unwrap a", "unwrap b", "unwrap c"}, []string{said, "unwrap b ciphertext"})
			f.regions[1].fails(nil)
		})
	}
}

// TestAnyOfUnwrapsPastWrongAnswers: what no key answers counts as a failure, and is reported.
func TestAnyOfUnwrapsPastWrongAnswers(t *testing.T) {
	for _, n := range []int{0, 65} {
		f := newFleet(t, 2)
		k := f.anyOf(t, kms.AnyOptions{})
		set(f.regions[0], &f.regions[0].answer, func([]byte) []byte { return make([]byte, n) })
		f.requireOpens(t, k, f.wrapped(t, k), []string{"unwrap a", "unwrap b"}, []string{"unwrap a ciphertext"})
	}
}

func TestAnyOfUnwrapsWhatAMemberWrapped(t *testing.T) {
	f := newFleet(t, 2)
	k := f.anyOf(t, kms.AnyOptions{})
	w := f.wrapped(t, f.keys[1])
	f.requireOpens(t, k, w, []string{"unwrap b"}, nil)
	f.regions[1].fails(kms.ErrDisabled)
	_, err := k.Unwrap(t.Context(), w, nil)
	requireOnly(t, err, kms.ErrDisabled)
	asked, _ := f.took()
	require.Equal(t, []string{"unwrap b"}, asked)
}

// TestAnyOfSkipsOthers asks nobody for what is wrapped under unknown keys.
func TestAnyOfSkipsOthers(t *testing.T) {
	f := newFleet(t, 4)
	k := f.anyOf(t, kms.AnyOptions{}, f.keys[2], f.keys[3])
	f.requireOpens(t, k, f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, f.keys[0], f.keys[1], f.keys[3])), []string{"unwrap d"}, nil)
	foreign := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, f.keys[0], f.keys[1]))
	for name, w := range map[string]kms.Wrapped{"list": foreign, "one": f.wrapped(t, f.keys[0]), "zero": {}} {
		_, err := k.Unwrap(t.Context(), w, nil)
		requireOnly(t, err, kms.ErrNotFound)
		asked, _ := f.took()
		require.Empty(t, asked, name)
	}
}

// TestAnyOfMalformedList: whatever breaks the rules of a list is corrupt, and nobody is asked.
func TestAnyOfMalformedList(t *testing.T) {
	f := newFleet(t, 2)
	k := f.anyOf(t, kms.AnyOptions{})
	good := f.wrapped(t, k)
	spoilt := func(change func(w *kms.Wrapped)) kms.Wrapped {
		w := good
		w.Blob = slices.Clone(good.Blob)
		change(&w)
		return w
	}
	for name, w := range map[string]kms.Wrapped{
		"empty":         {Ref: good.Ref},
		"too long":      {Ref: good.Ref, Blob: make([]byte, 65536)},
		"key id":        spoilt(func(w *kms.Wrapped) { w.KeyID = "a" }),
		"version":       spoilt(func(w *kms.Wrapped) { w.Version = "1" }),
		"count 0":       spoilt(func(w *kms.Wrapped) { w.Blob[0] = 0 }),
		"count 1":       spoilt(func(w *kms.Wrapped) { w.Blob[0] = 1 }),
		"count 3":       spoilt(func(w *kms.Wrapped) { w.Blob[0] = 3 }),
		"byte more":     spoilt(func(w *kms.Wrapped) { w.Blob = append(w.Blob, 0) }),
		"byte less":     spoilt(func(w *kms.Wrapped) { w.Blob = w.Blob[:len(w.Blob)-1] }),
		"same key":      spoilt(func(w *kms.Wrapped) { w.Blob = []byte(strings.ReplaceAll(string(w.Blob), "\x00\x01b", "\x00\x01a")) }),
		"list in it":    spoilt(func(w *kms.Wrapped) { w.Blob = []byte("\x01\x00\x08\x03any\x00\x00\x00\x00\x01*") }),
		"length beyond": spoilt(func(w *kms.Wrapped) { w.Blob[1] = 0xFF }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := k.Unwrap(t.Context(), w, nil)
			require.ErrorIs(t, err, kms.ErrCiphertext)
			var e *kms.Error
			require.ErrorAs(t, err, &e)
			require.False(t, e.Retryable)
			asked, reports := f.took()
			require.Empty(t, asked)
			require.Empty(t, reports)
			require.True(t, k.Stale(w))
		})
	}
}

// TestAnyOfMalformedListIsOneError: it matches one sentinel, and says what was tried.
func TestAnyOfMalformedListIsOneError(t *testing.T) {
	f := newFleet(t, 2)
	_, err := f.anyOf(t, kms.AnyOptions{}).Unwrap(t.Context(), kms.Wrapped{Ref: kms.Ref{Provider: "any"}, Blob: []byte{0}}, nil)
	requireOnly(t, err, kms.ErrCiphertext)
	var e *kms.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "unwrap", e.Op)
	require.Equal(t, 1, strings.Count(err.Error(), "kms: "), "%v", err)
}

func TestAnyOfOfWrapOnlyMembers(t *testing.T) {
	f := newFleet(t, 3)
	w := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}))
	f.regions[0].wrapOnly = true
	public, err := kms.NewKey(f.regions[0], nil)
	require.NoError(t, err)
	k := f.anyOf(t, kms.AnyOptions{}, public, f.keys[1], f.keys[2])
	f.requireOpens(t, k, w, []string{"unwrap b"}, nil)
	f.regions[1].fails(kms.ErrDestroyed)
	f.regions[2].fails(kms.ErrDestroyed)
	_, err = k.Unwrap(t.Context(), w, nil)
	requireOnly(t, err, kms.ErrDestroyed)
	asked, _ := f.took()
	require.Equal(t, []string{"unwrap b", "unwrap c"}, asked)

	k = f.anyOf(t, kms.AnyOptions{}, public)
	_, err = k.Unwrap(t.Context(), w, nil)
	requireOnly(t, err, kms.ErrInvalid)
	require.ErrorContains(t, err, "no private key")
}

func TestAnyOfUnwrapCancelled(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		k := f.anyOf(t, kms.AnyOptions{})
		w := f.wrapped(t, k)
		f.regions[0].fails(kms.ErrDisabled)
		set(f.regions[1], &f.regions[1].unwrap, hang)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		got, err := k.Unwrap(ctx, w, nil)
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, err, context.Canceled)
		requireOnly(t, err, nil)
		require.Nil(t, got)
		asked, reports := f.took()
		require.Equal(t, []string{"unwrap a", "unwrap b"}, asked)
		require.Empty(t, reports)
		_, err = k.Unwrap(ctx, w, nil)
		require.ErrorIs(t, err, context.Canceled)
		asked, _ = f.took()
		require.Empty(t, asked)
	})
}

// mending are the classes in the order in which one of several decides: outages, then by how easily they are mended.
var mending = []error{
	kms.ErrUnavailable, kms.ErrThrottled, kms.ErrDisabled, kms.ErrPendingDeletion, kms.ErrAccessDenied, kms.ErrDestroyed, kms.ErrNotFound,
	kms.ErrClosed, kms.ErrUnsupported, kms.ErrInvalid, kms.ErrCiphertext,
}

// TestAnyOfClasses: all pairs of failures, and each with corrupt bytes besides.
func TestAnyOfClasses(t *testing.T) {
	require.ElementsMatch(t, classes, mending)
	for i, first := range mending {
		for j, second := range mending {
			t.Run(fmt.Sprintf("%v, %v", first, second), func(t *testing.T) {
				f := newFleet(t, 3)
				k := f.anyOf(t, kms.AnyOptions{})
				w := f.wrapped(t, k)
				f.regions[0].fails(first)
				f.regions[1].fails(kms.ErrCiphertext)
				f.regions[2].fails(second)
				_, err := k.Unwrap(t.Context(), w, nil)
				requireOnly(t, err, mending[min(i, j)])
				var e *kms.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, []any{"unwrap", k.Ref(), min(i, j) < 2}, []any{e.Op, e.Ref, e.Retryable})
				for _, text := range []string{"region:a", "region:b", "region:c", first.Error(), second.Error()} {
					require.ErrorContains(t, err, text)
				}
				require.Equal(t, 1, strings.Count(err.Error(), "kms: "), "%v", err)
				_, err = k.Wrap(t.Context(), []byte("secret"), nil)
				requireOnly(t, err, mending[min(i, j)])
				_, reports := f.took()
				require.Empty(t, reports)
			})
		}
	}
}

func TestAnyOfAsksForTheLongestPause(t *testing.T) {
	f := newFleet(t, 3)
	k := f.anyOf(t, kms.AnyOptions{})
	w := f.wrapped(t, k)
	f.regions[0].fails(&kms.Error{Err: kms.ErrThrottled, Retryable: true, RetryAfter: 2 * time.Second})
	f.regions[1].fails(&kms.Error{Err: kms.ErrThrottled, Retryable: true, RetryAfter: 5 * time.Second})
	f.regions[2].fails(kms.ErrAccessDenied)
	_, err := k.Unwrap(t.Context(), w, nil)
	requireOnly(t, err, kms.ErrThrottled)
	var e *kms.Error
	require.ErrorAs(t, err, &e)
	require.True(t, e.Retryable)
	require.Equal(t, 5*time.Second, e.RetryAfter)
}

func TestAnyOfWrongContext(t *testing.T) {
	f := newFleet(t, 2)
	k := f.anyOf(t, kms.AnyOptions{})
	w := f.wrapped(t, k)
	_, err := k.Unwrap(t.Context(), w, kms.Context{"tenant": "other"})
	requireOnly(t, err, kms.ErrCiphertext)
}
