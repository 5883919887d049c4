package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

const (
	benchTenants = 1000
	callers      = 8
)

// keyring are the figures of records under keys that a Keyring has in memory, beside those of aead.Key.
func keyring() []func() result {
	r := newKeyring()
	ctx, binding := context.Background(), envelope.Bind("customers", "iban", "0123456") // with its lengths some 32 bytes of additional data
	var list []func() result
	for _, size := range []int{1 << 10, 100} {
		plaintext, ad := make([]byte, size), make([]byte, adSize)
		dst := make([]byte, 0, size+envelope.RecordOverhead)
		key := aead.NewKey()
		sealed := key.Seal(nil, plaintext, ad)
		tenant := r.Tenant("acme")
		for who, scope := range map[string]envelope.Scope{"": tenant, " of a subject": tenant.Subject("ada@example.com")} {
			record := take(scope.Seal(ctx, plaintext, binding))
			take(scope.Open(ctx, record, binding))
			list = append(list,
				func() result {
					return pair(fmt.Sprintf("keyring-seal%s, %d B", who, size),
						func() { take(scope.AppendSeal(ctx, dst, plaintext, binding)) },
						func() { key.Seal(dst, plaintext, ad) })
				},
				func() result {
					return pair(fmt.Sprintf("keyring-open%s, %d B", who, size),
						func() { take(scope.AppendOpen(ctx, dst, record, binding)) },
						func() { open(key, dst, sealed, ad) })
				})
		}
		list = append(list, func() result { return manyTenants(r, size) })
	}
	return list
}

// newKeyring returns a Keyring with keys for benchTenants tenants in memory.
func newKeyring() *envelope.Keyring {
	dir := take(os.MkdirTemp("", "bench"))
	defer os.RemoveAll(dir)
	file := take(local.Create(filepath.Join(dir, "key"), nil))
	r := take(envelope.NewKeyring("bench", memstore.New(), envelope.SingleRoot(file.Key()), nil))
	for i := range benchTenants {
		take(r.Tenant(tenantName(i)).Create(context.Background()))
	}
	return r
}

func tenantName(i int) string { return fmt.Sprint("tenant ", i) }

func take[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// manyTenants seals for benchTenants tenants in turn, from one goroutine and from several, as both does for two.
func manyTenants(r *envelope.Keyring, size int) result {
	ctx, binding, plaintext := context.Background(), envelope.Bind("customers"), make([]byte, size)
	subject := func(goroutine int) func() {
		dst, i := make([]byte, 0, size+envelope.RecordOverhead), goroutine*benchTenants/callers
		var scopes []envelope.Tenant
		for n := range benchTenants {
			scopes = append(scopes, r.Tenant(tenantName(n)))
		}
		return func() {
			i++
			take(scopes[i%benchTenants].AppendSeal(ctx, dst, plaintext, binding))
		}
	}
	primitive := func(int) func() {
		raw, dst := rawGCM(make([]byte, aead.KeySize)), make([]byte, 0, size+aead.Overhead)
		return func() { raw.Seal(dst, nil, plaintext, nil) }
	}
	return several(fmt.Sprintf("keyring-seal, %d B, %d goroutines", size, callers), callers, subject, primitive)
}

// several is both for more goroutines than cores. A call is made for each of them.
func several(name string, goroutines int, subject, primitive func(goroutine int) func()) result {
	var subjects, primitives []func()
	for g := range goroutines {
		subjects, primitives = append(subjects, subject(g)), append(primitives, primitive(g))
	}
	n, m := calibrate(subjects[0]), calibrate(primitives[0])
	var shares, raw, corrected []float64
	for range turns {
		s, r := onSeveral(subjects, n), onSeveral(primitives, m)
		shares, raw, corrected = append(shares, s), append(raw, r), append(corrected, s/(2*r))
	}
	return result{
		name: name, value: median(corrected), unit: "x",
		detail: fmt.Sprintf("%.2f times the throughput of one goroutine; the primitive %.2f", 1/median(shares), 1/median(raw)),
	}
}

// onSeveral returns the time of a call when several goroutines make n in all, as a share of the time of a call when one does.
func onSeveral(calls []func(), n int) float64 {
	alone := perCall(calls[0], n)
	each := max(1, n/len(calls))
	var wg sync.WaitGroup
	start := time.Now()
	for _, f := range calls {
		wg.Go(func() {
			for range each {
				f()
			}
		})
	}
	wg.Wait()
	return float64(time.Since(start)) / float64(each*len(calls)) / alone
}
