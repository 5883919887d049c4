package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/holdfast-go/holdfast/envelope"
)

// erasePerson destroys the keys of one person, and shows the receipt.
func (m *managed) erasePerson(ctx context.Context, ring *envelope.Keyring) error {
	m.title("Erase a person")
	const id = "7"
	person := m.acme.Subject(id)
	receipt, err := person.Erase(ctx, envelope.Erasure{Ref: "case-2041", Basis: "Art. 17(1)(b)"})
	if err != nil {
		return err
	}
	opened := 0
	for _, c := range m.cells {
		if c.row == id {
			if c.column == "email" {
				err = m.refuses(ctx, "her address", c, person, c.binding(), envelope.ErrErased)
			}
		} else if err = c.compare(ctx); err == nil {
			opened++
		}
		if err != nil {
			return err
		}
	}
	m.row("the records of all others", "%d open", opened)
	done, err := ring.Compact(ctx, m.acme.ID())
	if err != nil {
		return err
	}
	m.row("Keyring.Compact", "%d wrap key destroyed, %d person's key wrapped anew: her old row alone opens no more", done.Destroyed, done.Rewrapped)
	m.row("", "")
	return m.showReceipt(receipt)
}

// showReceipt prints what an auditor would read.
func (m *managed) showReceipt(r *envelope.Receipt) error {
	page, err := json.Marshal(r)
	if err != nil {
		return err
	}
	kept, err := envelope.ParseReceipt(page)
	if err != nil {
		return err
	}
	if err := kept.Verify(m.public); err != nil {
		return err
	}
	if len(kept.Keys) != 1 || !kept.BackupsUnreadableAfter.IsZero() {
		return errors.New("the receipt should name one key, and a KMS key that is still there")
	}
	const at = "2006-01-02 15:04:05 MST"
	m.row("the receipt", "%d bytes of JSON, signed with Ed25519, verified", len(page))
	m.row("ref, basis", "%s, %s", kept.Ref, kept.Basis)
	m.row("subject", "%.12s.. of %s, which is no one's name", kept.SubjectRef, kept.Tenant)
	m.row("keys", "%s", kept.Keys[0])
	m.row("destroyed", "%s", kept.Destroyed.Format(at))
	m.row("caches_clear_by", "%s, in every process", kept.CachesClearBy.Format(at))
	m.row("backups_unreadable_after", "empty: a whole old keys.db opens it, with the KMS key")
	return nil
}
