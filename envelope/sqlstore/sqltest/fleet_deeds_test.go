package sqltest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
)

// seal notes the record once it has it.
func (m *member) seal(ctx context.Context, random *rand.Rand, p place) error {
	d := deed{What: sealed, Time: m.now(), Tenant: p.tenant, Subject: p.subject}
	plaintext := make([]byte, 8*random.IntN(20))
	for i := 0; i < len(plaintext); i += 8 {
		binary.BigEndian.PutUint64(plaintext[i:], random.Uint64())
	}
	hash := sha256.Sum256(plaintext)
	record, err := p.scope(m.keyring).Seal(ctx, plaintext, fleetBinding)
	if err != nil {
		return err
	}
	d.Record, d.Hash, d.Keys = record, hash[:], []string{recordKey(record)}
	return m.journal.note(d)
}

// recordKey returns the id of the key that sealed a record.
func recordKey(record []byte) string { return hex.EncodeToString(record[1:fleetFirstByte]) }

// open opens what any member has sealed.
func (m *member) open(ctx context.Context, random *rand.Rand) error {
	d, ok := someRecord(m.dir, random)
	if !ok {
		return nil
	}
	start := m.now()
	err := checkRecord(ctx, m.keyring, d)
	if err == nil {
		return m.journal.note(deed{What: opened, Time: start, Tenant: d.Tenant, Subject: d.Subject, Keys: d.Keys})
	}
	if envelope.ActionFor(err) == envelope.Skip {
		return m.journal.note(deed{What: skipped, Time: start, Tenant: d.Tenant, Subject: d.Subject})
	}
	return err
}

var errOther = errors.New("another plaintext than was sealed")

// checkRecord opens a record.
func checkRecord(ctx context.Context, r *envelope.Keyring, d deed) error {
	plaintext, err := d.place().scope(r).Open(ctx, d.Record, fleetBinding)
	if err != nil {
		return err
	}
	if hash := sha256.Sum256(plaintext); !bytes.Equal(hash[:], d.Hash) {
		return errOther
	}
	return nil
}

// trespass opens a record of another place.
func (m *member) trespass(ctx context.Context, random *rand.Rand, p place) error {
	d, ok := someRecord(m.dir, random)
	if !ok || d.place() == p {
		return nil
	}
	_, err := p.scope(m.keyring).Open(ctx, d.Record, fleetBinding)
	if err == nil {
		return errors.New("it opens for another place")
	}
	if errors.Is(err, envelope.ErrWrongScope) {
		return nil
	}
	return err
}

func (m *member) rotate(ctx context.Context, p place) error {
	d := deed{What: rotated, Time: m.now(), Tenant: p.tenant, Subject: p.subject}
	id, err := p.scope(m.keyring).Rotate(ctx)
	if err != nil {
		return err
	}
	d.Keys = []string{id.String()}
	return m.journal.note(d)
}

// erase destroys a subject, and a tenant seldom and only where it is doomed.
func (m *member) erase(ctx context.Context, p place) error {
	tenant := m.keyring.Tenant(p.tenant)
	var n int
	if _, err := fmt.Sscanf(p.tenant, "tenant %d", &n); err != nil {
		return err
	}
	if p.subject == "" && n < fleetTenants-fleetDoomed {
		return nil
	}
	e := envelope.Erasure{Ref: fmt.Sprintf("case %s-%d", m.name, m.refs.Add(1))}
	d := deed{What: erasing, Time: m.now(), Tenant: p.tenant, Subject: p.subject, Ref: e.Ref}
	if err := m.journal.note(d); err != nil {
		return err
	}
	var receipt *envelope.Receipt
	var err error
	if p.subject == "" {
		receipt, err = tenant.Destroy(ctx, e, p.tenant)
	} else {
		receipt, err = tenant.Subject(p.subject).Erase(ctx, e)
	}
	if err != nil {
		return err
	}
	d.What, d.ClearBy, d.Keys = erased, receipt.CachesClearBy, hexIDs(receipt.Keys)
	return m.journal.note(d)
}

func hexIDs(ids []aead.KeyID) (list []string) {
	for _, id := range ids {
		list = append(list, id.String())
	}
	return list
}

// renew erases a subject and lets it come back. Each subject is renewed by one member only, by one of its workers at a time, so that nothing but an outage can be in the way.
func (m *member) renew(ctx context.Context, p place) error {
	var n int
	if _, err := fmt.Sscanf(p.subject, "subject %d", &n); err != nil || n%fleetSize != m.slot {
		return nil
	}
	m.renewal.Lock()
	defer m.renewal.Unlock()
	if err := m.erase(ctx, p); err != nil {
		return err
	}
	d := deed{What: readmitting, Time: m.now(), Tenant: p.tenant, Subject: p.subject}
	if err := m.journal.note(d); err != nil {
		return err
	}
	if err := m.keyring.Tenant(p.tenant).Subject(p.subject).Readmit(ctx, fmt.Sprint("back ", m.slot)); err != nil {
		return err
	}
	d.What = readmitted
	return m.journal.note(d)
}

func (m *member) compact(ctx context.Context, p place) error {
	d := deed{What: compacted, Time: m.now(), Tenant: p.tenant}
	if _, err := m.keyring.Compact(ctx, p.tenant); err != nil {
		return err
	}
	return m.journal.note(d)
}
