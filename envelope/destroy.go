package envelope

import (
	"context"

	"github.com/holdfast-go/holdfast/aead"
)

// Destroy erases the whole tenant with all its subjects, in the order and with the promises of [Subject.Erase], and for good: there is no Readmit. It needs no KMS. confirmTenant is the tenant's id once more, against mistakes; another one is
// kms.ErrInvalid, and nothing is done. It fails with ErrHeld while there is a hold on the tenant or one of its subjects. A tenant that never had a key gets none after this either.
//
// It writes every row of the tenant, page by page, and may be repeated after a failure. Its receipt is about the tenant: it counts the subjects and does not name them. A subject's own receipt can't be had any more: take
// those that you need before.
func (t Tenant) Destroy(ctx context.Context, e Erasure, confirmTenant string) (*Receipt, error) {
	if confirmTenant != t.tenant {
		return edge[*Receipt](nil, t.explain(invalid("confirmTenant is %.64q: give the id of the tenant to destroy", confirmTenant), aead.KeyID{}))
	}
	return t.erase(ctx, "destroy", e)
}
