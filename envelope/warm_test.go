package envelope_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// TestWarmCallsAskNobodyAndAllocateNothing seals and opens with keys in memory.
func TestWarmCallsAskNobodyAndAllocateNothing(t *testing.T) {
	g := newRig(t, nil)
	ctx := context.Background()
	acme := g.Tenant("acme")
	ada := acme.Subject("ada@example.com")
	warmAll(t, acme, ada)
	_, err := acme.Rotate(ctx)
	require.NoError(t, err)
	warmAll(t, acme, ada)
	for name, scope := range map[string]envelope.Scope{"tenant": acme, "subject": ada} {
		for _, size := range []int{0, 100, 1 << 10, 1 << 16} {
			plaintext := make([]byte, size)
			record, err := scope.Seal(ctx, plaintext, binding)
			require.NoError(t, err)
			dst := make([]byte, 0, size+envelope.RecordOverhead)
			inPlace := make([]byte, size, size+envelope.RecordOverhead)
			copied := make([]byte, len(record))
			for op, run := range map[string]func() error{
				"seal":          func() error { _, err := scope.AppendSeal(ctx, dst, plaintext, binding); return err },
				"seal in place": func() error { _, err := scope.AppendSeal(ctx, inPlace[:0], inPlace, binding); return err },
				"open":          func() error { _, err := scope.AppendOpen(ctx, dst, record, binding); return err },
				"open in place": func() error {
					copy(copied, record)
					_, err := scope.AppendOpen(ctx, copied[:0], copied, binding)
					return err
				},
				"make the scope": func() error {
					if size > 0 {
						return nil
					}
					_, err := g.Tenant("acme").Subject("ada@example.com").AppendSeal(ctx, dst, nil, binding)
					return err
				},
			} {
				t.Run(fmt.Sprintf("%s, %s, %d bytes", name, op, size), func(t *testing.T) {
					calls, reads := g.fake.Count(""), g.store.calls.Load()
					run := func() {
						if err := run(); err != nil {
							t.Fatal(err)
						}
					}
					for range 5 {
						run()
					}
					if allocs := testing.AllocsPerRun(100, run); !envelope.RaceEnabled {
						require.Zero(t, allocs)
					}
					require.Equal(t, calls, g.fake.Count(""), "calls of the KMS")
					require.Equal(t, reads, g.store.calls.Load(), "calls of the store")
				})
			}
		}
	}
}

// TestScopesAreFree makes values and expects nothing else.
func TestScopesAreFree(t *testing.T) {
	g := newRig(t, nil)
	allocs := testing.AllocsPerRun(100, func() {
		tenant := g.Tenant("acme")
		_ = tenant.Subject("ada@example.com")
		if tenant.ID() != "acme" {
			t.Fatal("not what was asked for")
		}
	})
	require.True(t, allocs == 0 || envelope.RaceEnabled)
	require.Zero(t, g.store.calls.Load())
}
