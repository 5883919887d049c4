package envelope_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
)

// BenchmarkKeyring seals and opens with keys in memory, beside aead.Key with additional data of the same length. internal/bench has the ratios.
func BenchmarkKeyring(b *testing.B) {
	ctx := context.Background()
	g := newRig(b, nil)
	acme := g.Tenant("acme")
	key, ad := aead.NewKey(), make([]byte, 17+32)
	for _, size := range []int{100, 1 << 10} {
		plaintext, dst := make([]byte, size), make([]byte, 0, size+envelope.RecordOverhead)
		type run struct {
			op   string
			call func() error
		}
		raw := key.Seal(nil, plaintext, ad)
		list := []run{
			{"aead-seal", func() error { key.Seal(dst, plaintext, ad); return nil }},
			{"aead-open", func() error { _, err := key.Open(dst, raw, ad); return err }},
		}
		for who, scope := range map[string]envelope.Scope{"tenant": acme, "subject": acme.Subject("ada@example.com")} {
			record := warm(b, scope).record
			record, err := scope.AppendSeal(ctx, record[:0], plaintext, binding)
			require.NoError(b, err)
			list = append(list,
				run{"seal/scope=" + who, func() error { _, err := scope.AppendSeal(ctx, dst, plaintext, binding); return err }},
				run{"open/scope=" + who, func() error { _, err := scope.AppendOpen(ctx, dst, record, binding); return err }})
		}
		for _, r := range list {
			b.Run(fmt.Sprintf("op=%s/size=%d", r.op, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if err := r.call(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkKeyringManyTenants seals for 1000 tenants in turn, from one goroutine and from several.
func BenchmarkKeyringManyTenants(b *testing.B) {
	const tenants = 1000
	ctx := context.Background()
	g := newRig(b, nil)
	var scopes []envelope.Tenant
	for i := range tenants {
		scopes = append(scopes, g.Tenant(fmt.Sprint("tenant ", i)))
		warm(b, scopes[i])
	}
	for _, callers := range []int{1, 8} {
		b.Run(fmt.Sprintf("op=seal/size=100/goroutines=%d", callers), func(b *testing.B) {
			b.ReportAllocs()
			plaintext := make([]byte, 100)
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					dst := make([]byte, 0, 100+envelope.RecordOverhead)
					for i := range b.N / callers {
						if _, err := scopes[(i+c*tenants/callers)%tenants].AppendSeal(ctx, dst, plaintext, binding); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkKeyringCold loads the key of a tenant, and of a subject, into a Keyring that has just started.
func BenchmarkKeyringCold(b *testing.B) {
	first := newRig(b, nil)
	acme := first.Tenant("acme")
	for who, scope := range map[string]func(r *rig) envelope.Scope{
		"tenant":  func(r *rig) envelope.Scope { return r.Tenant("acme") },
		"subject": func(r *rig) envelope.Scope { return r.Tenant("acme").Subject("ada") },
	} {
		warm(b, acme)
		warm(b, acme.Subject("ada"))
		b.Run("scope="+who, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, sealFor(b, scope(joinRig(b, first.fake, first.store, nil))))
			}
		})
	}
}
