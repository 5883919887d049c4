package kms_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestTurnsAreBounded: whoever writes a list can have each member make two calls and no more, however many regions of its key they make up.
func TestTurnsAreBounded(t *testing.T) {
	forged := newFleet(t, 16) // a to p
	var refs []kms.Ref
	for _, r := range forged.regions {
		r.material = "forged"
		refs = append(refs, r.ref)
	}
	f := newFleet(t, 16)
	for _, r := range f.regions {
		r.replicas = refs
	}
	o, b := f.keys[14], f.keys[1]
	for name, tc := range map[string]struct {
		list []*kms.Key
		want []string
	}{
		"16, with its own":    {forged.keys, []string{"unwrap o", "unwrap o of a", "unwrap b", "unwrap b of a"}},
		"without its own":     {forged.keys[2:14], []string{"unwrap o of c", "unwrap b of c"}},
		"with one's own only": {forged.keys[14:], []string{"unwrap o", "unwrap o of p", "unwrap b of o"}},
		"its own":             {forged.keys[14:15], []string{"unwrap o", "unwrap b of o"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := forged.wrapped(t, forged.anyOf(t, kms.AnyOptions{}, tc.list...))
			_, err := f.anyOf(t, kms.AnyOptions{}, o, b).Unwrap(t.Context(), w, nil)
			requireOnly(t, err, kms.ErrCiphertext)
			asked, _ := f.took()
			require.Equal(t, tc.want, asked)
			for _, k := range []*kms.Key{o, rolling(t, o, b)} {
				_, err = k.Unwrap(t.Context(), w, nil)
				requireOnly(t, err, kms.ErrCiphertext)
				asked, _ = f.took()
				require.Equal(t, tc.want[:1], asked)
			}
		})
	}
}

// TestTurnsAfterTheEnd: when the call is over no member is asked, and none loses the turn that it would have had.
func TestTurnsAfterTheEnd(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context, cancel func()) error{
		"cancelled": func(ctx context.Context, cancel func()) error { cancel(); return ctx.Err() },
		// It does not heed its share, and the time that it is given to do so takes what the Timeout leaves the others.
		"time over": func(context.Context, func()) error { time.Sleep(time.Second); return kms.ErrCiphertext },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := newFleet(t, 3)
				k := f.anyOf(t, kms.AnyOptions{Timeout: 12 * time.Millisecond})
				a, b := f.regions[0], f.regions[1]
				w := f.wrapped(t, k)
				a.fails(kms.ErrCiphertext)
				b.fails(kms.ErrUnavailable)
				f.requireOpens(t, k, w, []string{"unwrap a", "unwrap b", "unwrap c"}, []string{"unwrap a ciphertext", "unwrap b unavailable"})
				b.fails(nil)
				time.Sleep(31 * time.Second)

				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				set(a, &a.unwrap, func(context.Context) error { return end(ctx, cancel) })
				_, err := k.Unwrap(ctx, w, nil)
				require.Error(t, err)
				asked, _ := f.took()
				require.Equal(t, []string{"unwrap a"}, asked)

				a.fails(kms.ErrCiphertext)
				got, err := k.Unwrap(t.Context(), w, nil)
				require.NoError(t, err)
				require.Equal(t, "secret", string(got))
				asked, _ = f.took()
				require.Equal(t, "unwrap b", asked[len(asked)-1], "it still is its turn")
				time.Sleep(time.Second)
			})
		})
	}
}

// TestShortShareCounts: with many members a share is under a second. One that hangs for it is down all the same, and costs nobody its share again.
func TestShortShareCounts(t *testing.T) {
	for _, n := range []int{2, 11, 16} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := newFleet(t, n)
				k, err := kms.AnyOf(f.keys, nil)
				require.NoError(t, err)
				w := f.wrapped(t, k)
				set(f.regions[0], &f.regions[0].unwrap, hang)
				start := time.Now()
				f.requireOpens(t, k, w, []string{"unwrap a", "unwrap b"}, nil)
				require.Equal(t, 10*time.Second/time.Duration(n), time.Since(start))
				start = time.Now()
				f.requireOpens(t, k, w, []string{"unwrap b"}, nil)
				require.Zero(t, time.Since(start))
			})
		})
	}
}

// TestImpatientCallers: one caller's short deadline does not put a member last for all others; three in a row do.
func TestImpatientCallers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		k := f.anyOf(t, kms.AnyOptions{})
		w := f.wrapped(t, k)
		hurry := func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := k.Unwrap(ctx, w, nil)
			require.NoError(t, err) // b has the other half of the time
		}
		slow := func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(30 * time.Millisecond):
				return nil
			}
		}
		for range 2 {
			set(f.regions[0], &f.regions[0].unwrap, slow)
			hurry()
			hurry()
			f.took()
			f.requireOpens(t, k, w, []string{"unwrap a"}, nil)
		}
		set(f.regions[0], &f.regions[0].unwrap, hang)
		hurry()
		hurry()
		hurry()
		f.took()
		f.requireOpens(t, k, w, []string{"unwrap b"}, nil)
	})
}

// TestMissingMember: a member whose provider has no such key any more is found out by Wrap, and no Unwrap asks it first.
func TestMissingMember(t *testing.T) {
	for _, class := range []error{kms.ErrNotFound, kms.ErrDestroyed} {
		f := newFleet(t, 2)
		k := f.anyOf(t, kms.AnyOptions{Minimum: 1})
		w := f.wrapped(t, k)
		f.regions[0].fails(class)
		_, err := k.Wrap(t.Context(), []byte("secret"), nil)
		require.NoError(t, err)
		f.took()
		f.requireOpens(t, k, w, []string{"unwrap b"}, nil)
		f.regions[0].fails(nil)
		_, err = k.Wrap(t.Context(), []byte("secret"), nil)
		require.NoError(t, err)
		f.took()
		f.requireOpens(t, k, w, []string{"unwrap a"}, nil)
	}
}

// TestCallersEndIsNotTheMembers: a caller who goes within a second tells nothing of the member that it waited for.
func TestCallersEndIsNotTheMembers(t *testing.T) {
	for name, tc := range map[string]struct {
		stays time.Duration
		want  string
	}{"under a second": {time.Second - 1, "unwrap a"}, "a second": {time.Second, "unwrap b"}} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := newFleet(t, 2)
				k := f.anyOf(t, kms.AnyOptions{})
				w := f.wrapped(t, k)
				set(f.regions[0], &f.regions[0].unwrap, hang)
				ctx, cancel := context.WithTimeout(t.Context(), tc.stays)
				defer cancel()
				_, err := k.Unwrap(undated{ctx}, w, nil) // else the member's share would end first
				requireOnly(t, err, kms.ErrUnavailable)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				f.took()
				f.regions[0].fails(nil)
				f.requireOpens(t, k, w, []string{tc.want}, nil)
			})
		})
	}
}
