package kms_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestWhatDemotes: a refusal that may be about what the member was given, which anybody may have written, doesn't; one about the key does.
func TestWhatDemotes(t *testing.T) {
	blameless := map[error]bool{kms.ErrCiphertext: true, kms.ErrNotFound: true, kms.ErrInvalid: true}
	for _, class := range classes {
		t.Run(class.Error(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := newFleet(t, 2)
				k := f.anyOf(t, kms.AnyOptions{})
				w := f.wrapped(t, k)
				f.regions[0].fails(class)
				f.requireOpens(t, k, w, []string{"unwrap a", "unwrap b"}, []string{"unwrap a " + kms.Class(class)})
				f.regions[0].fails(nil)
				want := "unwrap b"
				if blameless[class] {
					want = "unwrap a"
				}
				f.requireOpens(t, k, w, []string{want}, nil)
			})
		})
	}
}

// TestWrapEndsAnOutage, also when an Unwrap in between told nothing. It ends no refusal, which it may not share.
func TestWrapEndsAnOutage(t *testing.T) {
	for name, tc := range map[string]struct {
		first   error
		between func(ctx context.Context) error // what it says to the Unwrap in between
		want    string
	}{
		"nothing between":  {kms.ErrUnavailable, nil, "unwrap a"},
		"throttled":        {kms.ErrThrottled, nil, "unwrap a"},
		"wrong ciphertext": {kms.ErrUnavailable, func(context.Context) error { return kms.ErrCiphertext }, "unwrap a"},
		"unknown version":  {kms.ErrUnavailable, func(context.Context) error { return kms.ErrNotFound }, "unwrap a"},
		"cancelled":        {kms.ErrUnavailable, hang, "unwrap a"},
		"refused":          {kms.ErrUnavailable, func(context.Context) error { return kms.ErrAccessDenied }, "unwrap b"},
		"was refused":      {kms.ErrAccessDenied, nil, "unwrap b"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := newFleet(t, 2)
				k := f.anyOf(t, kms.AnyOptions{})
				w, onlyA := f.wrapped(t, k), f.wrapped(t, f.keys[0])
				a := f.regions[0]
				a.fails(tc.first)
				f.requireOpens(t, k, w, []string{"unwrap a", "unwrap b"}, []string{"unwrap a " + kms.Class(tc.first)})
				if tc.between != nil {
					set(a, &a.unwrap, tc.between)
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(2*time.Second, cancel)
					_, err := k.Unwrap(ctx, onlyA, nil)
					cancel()
					require.Error(t, err)
					asked, _ := f.took()
					require.Equal(t, []string{"unwrap a"}, asked)
				}
				a.fails(nil)
				f.requireOpens(t, k, w, []string{"unwrap b"}, nil)
				f.wrapped(t, k)
				f.requireOpens(t, k, w, []string{tc.want}, nil)
			})
		})
	}
}
