package envelope_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// What an Auditor refuses is not begun; what it does not learn of is repeated.
func TestEraseAudit(t *testing.T) {
	fake, store, auditor := kmstest.NewFake("key"), memstore.New(), &eraseAuditor{}
	acme := eraseRing(t, fake, store, &envelope.KeyringOptions{Audit: auditor}).Tenant("acme")
	ada := acme.Subject("ada")
	record := eraseSeal(t, ada)
	rows := eraseDump(t, store, "")
	ctx := envelope.WithActor(t.Context(), "dpo", "request")

	auditor.refuse = envelope.Started
	_, err := ada.Erase(ctx, erasure)
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	require.Equal(t, rows, eraseDump(t, store, ""))
	requireOpens(t, ada, record)

	auditor.refuse = envelope.Done
	receipt, err := ada.Erase(ctx, erasure)
	require.ErrorIs(t, err, errEraseFault)
	require.Nil(t, receipt)
	requireErased(t, ada, record)

	auditor.refuse, auditor.events = "", nil
	receipt, err = ada.Erase(ctx, erasure)
	require.NoError(t, err)
	require.NoError(t, ada.Readmit(ctx, "back"))
	_, err = acme.Destroy(ctx, erasure, "acme")
	require.NoError(t, err)
	var got []envelope.Event
	for _, e := range auditor.events {
		require.Equal(t, "dpo", e.Actor)
		require.Equal(t, "request", e.Purpose)
		require.False(t, e.Time.IsZero())
		e.Actor, e.Purpose, e.Time = "", "", time.Time{}
		if e.Op != "unwrap" {
			got = append(got, e)
		}
	}
	require.Equal(t, []envelope.Event{
		{Op: "erase", Tenant: "acme", SubjectRef: receipt.SubjectRef, Ref: erasure.Ref, Outcome: envelope.Started},
		{Op: "erase", Tenant: "acme", SubjectRef: receipt.SubjectRef, Ref: erasure.Ref, Outcome: envelope.Done},
		{Op: "readmit", Tenant: "acme", SubjectRef: receipt.SubjectRef, Ref: "back", Outcome: envelope.Started},
		{Op: "readmit", Tenant: "acme", SubjectRef: receipt.SubjectRef, Ref: "back", Outcome: envelope.Done},
		{Op: "destroy", Tenant: "acme", Ref: erasure.Ref, Outcome: envelope.Started},
		{Op: "destroy", Tenant: "acme", Ref: erasure.Ref, Outcome: envelope.Done},
	}, got)
}
