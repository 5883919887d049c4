package kms_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestAnyOfWrapsAtOnce: it takes as long as the slowest, and lists in the order of the members.
func TestAnyOfWrapsAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 4)
		for i, r := range f.regions {
			set(r, &r.wrap, func(context.Context) error { time.Sleep(time.Duration(4-i) * time.Second); return nil })
		}
		start := time.Now()
		w := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}))
		require.Equal(t, 4*time.Second, time.Since(start))
		require.Equal(t, []string{"a", "b", "c", "d"}, recipients(t, w))
	})
}

// TestAnyOfMinimum has each set of members fail under each minimum.
func TestAnyOfMinimum(t *testing.T) {
	for minimum := range 4 {
		for set := range 1 << 3 {
			t.Run(fmt.Sprintf("minimum %d, failing %03b", minimum, set), func(t *testing.T) {
				f := newFleet(t, 3)
				k := f.anyOf(t, kms.AnyOptions{Minimum: minimum})
				var good, reports []string
				for i, r := range f.regions {
					if set>>i&1 == 1 {
						r.fails(kms.ErrAccessDenied)
						reports = append(reports, "wrap "+r.ref.KeyID+" access_denied")
					} else {
						good = append(good, r.ref.KeyID)
					}
				}
				w, err := k.Wrap(t.Context(), []byte("secret"), nil)
				asked, reported := f.took()
				slices.Sort(asked)
				require.Equal(t, []string{"wrap a", "wrap b", "wrap c"}, asked)
				if len(good) < minimum || len(good) < 3 && minimum == 0 || len(good) == 0 {
					requireOnly(t, err, kms.ErrAccessDenied)
					require.Zero(t, w)
					require.Empty(t, reported, "an error hides nothing")
					return
				}
				require.NoError(t, err)
				require.Equal(t, good, recipients(t, w))
				require.Equal(t, reports, reported)
				require.Equal(t, len(good) < 3, k.Stale(w))
			})
		}
	}
}

func TestAnyOfWithoutReport(t *testing.T) {
	f := newFleet(t, 2)
	k, err := kms.AnyOf(f.keys, &kms.AnyOptions{Minimum: 1})
	require.NoError(t, err)
	f.regions[0].fails(kms.ErrDisabled)
	f.requireOpens(t, k, f.wrapped(t, k), []string{"unwrap b"}, nil)
}

func TestAnyOfListTooLarge(t *testing.T) {
	f := newFleet(t, 2)
	for _, r := range f.regions {
		r.pad = 40_000
	}
	k := f.anyOf(t, kms.AnyOptions{Minimum: 1})
	w, err := k.Wrap(t.Context(), []byte("secret"), nil)
	requireOnly(t, err, kms.ErrInvalid)
	require.Zero(t, w)
	f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, f.keys[0])) // one fits
}

func TestAnyOfWrapCancelled(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		f.regions[0].fails(kms.ErrAccessDenied)
		set(f.regions[1], &f.regions[1].wrap, hang)
		k := f.anyOf(t, kms.AnyOptions{Minimum: 2})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := k.Wrap(ctx, []byte("secret"), nil)
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, err, context.Canceled)
		requireOnly(t, err, nil)
		f.took()
		_, err = k.Wrap(ctx, []byte("secret"), nil)
		require.ErrorIs(t, err, context.Canceled)
		asked, reports := f.took()
		require.Empty(t, asked)
		require.Empty(t, reports)
	})
}

// TestAnyOfWrapHangs: a member that hangs costs no more than Timeout, nor than the caller's time, also when it does not notice that its own is over.
func TestAnyOfWrapHangs(t *testing.T) {
	const grace = 10 * time.Millisecond
	deaf := func(context.Context) error { time.Sleep(time.Hour); return nil }
	for _, tc := range []struct {
		name    string
		timeout time.Duration
		caller  time.Duration
		hangs   func(context.Context) error
		want    time.Duration
	}{
		{"timeout", 3 * time.Second, time.Minute, hang, 3 * time.Second},
		{"timeout, deaf", 3 * time.Second, time.Minute, deaf, 3*time.Second + grace},
		{"default", 0, time.Minute, hang, 10 * time.Second},
		{"caller", 3 * time.Second, 2 * time.Second, hang, 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := newFleet(t, 3)
				set(f.regions[1], &f.regions[1].wrap, tc.hangs)
				ctx, cancel := context.WithTimeout(t.Context(), tc.caller)
				defer cancel()
				start := time.Now()
				_, err := f.anyOf(t, kms.AnyOptions{Timeout: tc.timeout}).Wrap(ctx, []byte("secret"), nil)
				require.Equal(t, tc.want, time.Since(start))
				requireOnly(t, err, kms.ErrUnavailable)
				require.ErrorIs(t, err, context.DeadlineExceeded)

				ctx, cancel = context.WithTimeout(t.Context(), tc.caller)
				defer cancel()
				w, err := f.anyOf(t, kms.AnyOptions{Timeout: tc.timeout, Minimum: 2}).Wrap(ctx, []byte("secret"), nil)
				require.NoError(t, err)
				require.Equal(t, []string{"a", "c"}, recipients(t, w))
				_, reports := f.took()
				require.Equal(t, []string{"wrap b unavailable"}, reports)
				time.Sleep(2 * time.Hour) // until what hung has ended
			})
		})
	}
}

// TestAnyOfWrapUnderAnotherKey: a member that says it wrapped under another key is refused and reported.
func TestAnyOfWrapUnderAnotherKey(t *testing.T) {
	f := newFleet(t, 2)
	liar := newScript()
	f.keys = append(f.keys, newKey(t, liar))
	for name, answer := range map[string]kms.Wrapped{
		"another member's": {Ref: f.regions[0].ref, Blob: []byte("x")},
		"nobody's":         {Ref: kms.Ref{Provider: "script", KeyID: "key-2"}, Blob: []byte("x")},
		"a list":           {Ref: kms.Ref{Provider: "any"}, Blob: []byte("x")},
		"no blob":          {Ref: liar.ref},
	} {
		t.Run(name, func(t *testing.T) {
			liar.wrap = func(context.Context, []byte, kms.Context) (kms.Wrapped, error) { return answer, nil }
			_, err := f.anyOf(t, kms.AnyOptions{}).Wrap(t.Context(), []byte("secret"), nil)
			requireOnly(t, err, kms.ErrInvalid)
			w, err := f.anyOf(t, kms.AnyOptions{Minimum: 2}).Wrap(t.Context(), []byte("secret"), nil)
			require.NoError(t, err)
			require.Equal(t, []string{"a", "b"}, recipients(t, w))
			_, reports := f.took()
			require.Equal(t, []string{"wrap key-1 invalid"}, reports)
		})
	}
}

// TestAnyOfChecksArguments before it asks anybody.
func TestAnyOfChecksArguments(t *testing.T) {
	f := newFleet(t, 2)
	k := f.anyOf(t, kms.AnyOptions{})
	w := f.wrapped(t, k)
	for _, plaintext := range [][]byte{nil, make([]byte, 65)} {
		_, err := k.Wrap(t.Context(), plaintext, nil)
		requireOnly(t, err, kms.ErrInvalid)
	}
	for _, ec := range []kms.Context{{"": "x"}, {"holdfast:purpose": "x"}} {
		_, err := k.Wrap(t.Context(), []byte("secret"), ec)
		requireOnly(t, err, kms.ErrInvalid)
		_, err = k.Unwrap(t.Context(), w, ec)
		requireOnly(t, err, kms.ErrInvalid)
	}
	asked, _ := f.took()
	require.Empty(t, asked)
}

// TestAnyOfWrapPanics: a panic of a member's driver reaches the caller, who may recover, as it does from any other Key. It runs in a process of its own,
// as one that reaches nobody ends the process.
func TestAnyOfWrapPanics(t *testing.T) {
	const child = "HOLDFAST_TEST_PANIC"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAnyOfWrapPanics$")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%.300s", out)
		return
	}
	f := newFleet(t, 2)
	set(f.regions[1], &f.regions[1].wrap, func(context.Context) error { panic("driver") })
	k := f.anyOf(t, kms.AnyOptions{})
	require.Panics(t, func() { k.Wrap(t.Context(), []byte("secret"), nil) })
}
