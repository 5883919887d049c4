package kms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// TestOwnRecipient: a key that is no AnyOf key opens what of a list is its own, in one call.
func TestOwnRecipient(t *testing.T) {
	f := newFleet(t, 4)
	abc := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, f.keys[:3]...))
	for i, asked := range []string{"unwrap a", "unwrap b", "unwrap c"} {
		for name, k := range map[string]*kms.Key{
			"alone": f.keys[i], "rolling to": rolling(t, f.keys[i], f.keys[3]), "rolling from": rolling(t, f.keys[3], f.keys[i]),
			"twice rolling": rolling(t, f.keys[3], rolling(t, f.keys[i])),
		} {
			t.Run(asked+", "+name, func(t *testing.T) {
				f.requireOpens(t, k, abc, []string{asked}, nil)
				require.True(t, k.Stale(abc), "the others can open it, too")
				_, err := k.Unwrap(t.Context(), abc, kms.Context{"tenant": "other"})
				requireOnly(t, err, kms.ErrCiphertext)
				f.took()
			})
		}
	}
	t.Run("the first of two", func(t *testing.T) {
		f.requireOpens(t, rolling(t, f.keys[3], f.keys[2], f.keys[1]), abc, []string{"unwrap c"}, nil)
	})
}

// TestOwnRecipientBeforeAReplicas, wherever they stand in the list.
func TestOwnRecipientBeforeAReplicas(t *testing.T) {
	f, us, eu, other := replicas(t)
	for _, keys := range [][]*kms.Key{{us, eu, other}, {eu, other, us}, {other, eu, us}} {
		w := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, keys...))
		f.requireOpens(t, us, w, []string{"unwrap us"}, nil)
		f.requireOpens(t, eu, w, []string{"unwrap eu"}, nil)
		f.requireOpens(t, rolling(t, us, eu), w, []string{"unwrap us"}, nil)
	}
	f.requireOpens(t, us, f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, other, eu)), []string{"unwrap us of eu"}, nil)
}

// TestNoRecipientOfOurs: nobody is asked for what a list has nothing of, and the error does not send anybody looking for a key "any".
func TestNoRecipientOfOurs(t *testing.T) {
	f := newFleet(t, 4)
	w := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, f.keys[:2]...))
	for name, k := range map[string]*kms.Key{"alone": f.keys[2], "rolling": rolling(t, f.keys[2], f.keys[3])} {
		t.Run(name, func(t *testing.T) {
			_, err := k.Unwrap(t.Context(), w, nil)
			requireOnly(t, err, kms.ErrNotFound)
			require.NotContains(t, err.Error(), w.Ref.String())
			require.NotContains(t, err.Error(), f.keys[0].Ref().String(), "a list may be long, and is not ours")
			asked, _ := f.took()
			require.Empty(t, asked)
		})
	}
}

// TestMalformedListIsCorrupt for every kind of key, and costs no call.
func TestMalformedListIsCorrupt(t *testing.T) {
	f := newFleet(t, 3)
	group := f.anyOf(t, kms.AnyOptions{}, f.keys[:2]...)
	good := f.wrapped(t, group)
	for what, w := range map[string]kms.Wrapped{
		"no blob":   {Ref: good.Ref},
		"count 0":   {Ref: good.Ref, Blob: []byte{0}},
		"count 17":  {Ref: good.Ref, Blob: append([]byte{17}, good.Blob[1:]...)},
		"count 3":   {Ref: good.Ref, Blob: append([]byte{3}, good.Blob[1:]...)},
		"byte more": {Ref: good.Ref, Blob: append(append([]byte{}, good.Blob...), 0)},
		"byte less": {Ref: good.Ref, Blob: good.Blob[:len(good.Blob)-1]},
		"key id":    {Ref: kms.Ref{Provider: "any", KeyID: "a"}, Blob: good.Blob},
		"version":   {Ref: good.Ref, Version: "1", Blob: good.Blob},
	} {
		for name, k := range map[string]*kms.Key{
			"alone": f.keys[0], "rolling": rolling(t, f.keys[0], f.keys[1]), "any of": group,
			"rolling from any of": rolling(t, f.keys[2], group), "rolling to any of": rolling(t, group, f.keys[2]),
		} {
			t.Run(what+"/"+name, func(t *testing.T) {
				got, err := k.Unwrap(t.Context(), w, nil)
				requireOnly(t, err, kms.ErrCiphertext)
				require.Nil(t, got)
				asked, reports := f.took()
				require.Empty(t, asked)
				require.Empty(t, reports)
				require.True(t, k.Stale(w))
			})
		}
	}
}
