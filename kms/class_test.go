package kms_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// words are the classes' names, which dashboards and alerts hold on to.
var words = map[error]string{
	kms.ErrNotFound:        "not_found",
	kms.ErrDisabled:        "disabled",
	kms.ErrPendingDeletion: "pending_deletion",
	kms.ErrDestroyed:       "destroyed",
	kms.ErrAccessDenied:    "access_denied",
	kms.ErrThrottled:       "throttled",
	kms.ErrUnavailable:     "unavailable",
	kms.ErrCiphertext:      "ciphertext",
	kms.ErrInvalid:         "invalid",
	kms.ErrUnsupported:     "unsupported",
	kms.ErrClosed:          "closed",
}

func TestClassOfSentinels(t *testing.T) {
	require.Len(t, words, len(classes))
	for _, class := range classes {
		word := words[class]
		for name, err := range map[string]error{
			"itself":             class,
			"wrapped":            fmt.Errorf("around: %w", class),
			"in an *Error":       &kms.Error{Op: "wrap", Err: class},
			"deep":               fmt.Errorf("a: %w", &kms.Error{Err: fmt.Errorf("b: %w", &kms.Error{Err: class})}),
			"joined":             errors.Join(io.ErrUnexpectedEOF, class),
			"with a deadline":    fmt.Errorf("%w: %w", context.DeadlineExceeded, class),
			"with a cancel":      errors.Join(context.Canceled, class),
			"with another cause": fmt.Errorf("%w: %w", class, io.EOF),
		} {
			require.Equal(t, word, kms.Class(err), "%s %s", word, name)
		}
	}
}

func TestClassOfTheRest(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, kms.ClassOK},
		{"cancel", context.Canceled, kms.ClassCanceled},
		{"cancel, wrapped", &kms.Error{Err: fmt.Errorf("x: %w", context.Canceled)}, kms.ClassCanceled},
		{"deadline", context.DeadlineExceeded, kms.ClassCanceled},
		{"foreign", io.ErrUnexpectedEOF, kms.ClassOther},
		{"foreign with the same text", errors.New(kms.ErrDisabled.Error()), kms.ClassOther},
		{"empty *Error", &kms.Error{}, kms.ClassOther},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.want, kms.Class(tc.err)) })
	}
}

// TestClassOfTwo: when a driver says two things, the refusal is the one that nobody may take for an outage.
func TestClassOfTwo(t *testing.T) {
	for _, outage := range []error{kms.ErrUnavailable, kms.ErrThrottled} {
		for _, class := range classes {
			if class == kms.ErrUnavailable || class == kms.ErrThrottled {
				continue
			}
			require.Equal(t, words[class], kms.Class(errors.Join(outage, class)))
			require.Equal(t, words[class], kms.Class(errors.Join(class, outage)))
			require.Equal(t, words[class], kms.Class(unwrapError(t, errors.Join(outage, class))))
		}
	}
}

// TestOneClass: what a Key itself finds wrong is one thing.
func TestOneClass(t *testing.T) {
	s := newScript()
	for name, w := range map[string]kms.Wrapped{
		"no blob":      {Ref: s.ref},
		"huge blob":    {Ref: s.ref, Blob: make([]byte, 65536)},
		"huge version": {Ref: s.ref, Version: strings.Repeat("v", 256), Blob: []byte{1}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newKey(t, newScript()).Unwrap(t.Context(), w, nil)
			requireOnly(t, err, kms.ErrCiphertext)
		})
	}
}

// TestNobodyCancelled: an outage whose cause is a cancel of the driver's own does not look like a caller that went.
func TestNobodyCancelled(t *testing.T) {
	for _, class := range []error{kms.ErrUnavailable, kms.ErrThrottled, kms.ErrAccessDenied} {
		for name, said := range map[string]error{
			"wrapped":  fmt.Errorf("%w: %w", class, context.Canceled),
			"joined":   errors.Join(context.Canceled, class),
			"an error": &kms.Error{Retryable: true, Err: fmt.Errorf("%w: %w", class, context.Canceled)},
		} {
			t.Run(words[class]+"/"+name, func(t *testing.T) {
				e := unwrapError(t, said)
				requireOnly(t, e, class)
				require.NotErrorIs(t, e, context.Canceled)
			})
		}
	}
}
