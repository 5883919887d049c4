package kms_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// constant is a driver that does no work.
type constant struct{ kms.Driver }

func (constant) Ref() kms.Ref { return kms.Ref{Provider: "constant", KeyID: "key-1"} }

func (c constant) Wrap(context.Context, []byte, kms.Context) (kms.Wrapped, error) {
	return kms.Wrapped{Ref: c.Ref(), Blob: []byte{1}}, nil
}

func (constant) Unwrap(context.Context, kms.Wrapped, kms.Context) ([]byte, error) {
	return make([]byte, 32), nil
}

// BenchmarkKey has what a Key adds to a call of its driver, beside the driver alone.
func BenchmarkKey(b *testing.B) {
	d := constant{}
	k, err := kms.NewKey(d, nil)
	require.NoError(b, err)
	any, err := kms.AnyOf([]*kms.Key{k}, nil)
	require.NoError(b, err)
	plaintext, ec := make([]byte, 32), kms.Context{"tenant": "acme", "purpose": "invoices"}
	for _, subject := range []struct {
		name string
		kms.Driver
	}{{"driver", d}, {"Key", k}, {"AnyOf of one", any}} {
		ctx := b.Context()
		w, err := subject.Wrap(ctx, plaintext, ec)
		require.NoError(b, err)
		b.Run("op=wrap/over="+subject.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := subject.Wrap(ctx, plaintext, ec); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("op=unwrap/over="+subject.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := subject.Unwrap(ctx, w, ec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
