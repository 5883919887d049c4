package envelope_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// Nothing that an erasure writes, says or returns holds the identifier of the subject.
func TestEraseNoIdentifier(t *testing.T) {
	const canary = "Ada.Lovelace@canary.example"
	fake, inner, auditor := kmstest.NewFake("key"), memstore.New(), &eraseAuditor{}
	store := &eraseFault{Store: inner}
	r := eraseRing(t, fake, store, &envelope.KeyringOptions{Audit: auditor, Signer: receiptKey(1)})
	ada := r.Tenant("acme").Subject(canary)
	eraseSeal(t, ada)
	var said strings.Builder
	for n := 1; ; n++ {
		store.arm(n, n%2 == 0)
		_, err := ada.Erase(t.Context(), erasure)
		met := store.met()
		store.arm(0, false)
		fmt.Fprintln(&said, err)
		if !met && err == nil {
			break
		}
		require.ErrorIs(t, err, errEraseFault)
		ada = eraseRing(t, fake, store, &envelope.KeyringOptions{Audit: auditor}).Tenant("acme").Subject(canary)
	}
	receipt, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	b, err := json.Marshal(receipt)
	require.NoError(t, err)
	fmt.Fprintf(&said, "%s %v %+v %#v\n", b, receipt, receipt, *receipt)
	fmt.Fprintln(&said, ada.Readmit(t.Context(), ""), ada.Readmit(t.Context(), "back"), ada.Readmit(t.Context(), "other"))
	_, err = r.Compact(t.Context(), "acme")
	require.NoError(t, err)
	_, err = r.Tenant("acme").Destroy(t.Context(), erasure, "acme")
	require.NoError(t, err)
	_, err = ada.Erase(t.Context(), erasure)
	fmt.Fprintln(&said, err, auditor.events)
	for _, row := range eraseDump(t, inner, "") {
		fmt.Fprintf(&said, "%s %s\n", row.Key, row.Value)
	}
	text := strings.ToLower(said.String())
	for _, form := range []string{canary, hex.EncodeToString([]byte(canary)), base64.StdEncoding.EncodeToString([]byte(canary)), "lovelace"} {
		require.NotContains(t, text, strings.ToLower(form))
	}
}
