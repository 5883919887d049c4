package envelope

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/aead"
)

const (
	recordByte   = 0xf5
	recordHeader = 1 + len(aead.KeyID{})

	// RecordOverhead is what Seal adds to a plaintext, in bytes: one that says what it is, the key's id, nonce and tag.
	RecordOverhead = recordHeader + aead.Overhead
	// MaxRecord is the most that a record holds, in bytes. Seal more as a stream.
	MaxRecord = 64 << 20

	subjectBlob = RecordOverhead + aead.KeySize
)

// Seal returns a record of plaintext, bound to b, under the scope's current key: [RecordOverhead] bytes longer. The first Seal of a scope creates its key, unless ExplicitCreate says
// otherwise. It calls store and KMS only when the key is not in memory or its time is over. It fails with ErrTooLarge above [MaxRecord], ErrUnbound, ErrErased, ErrDisabled,
// ErrUnavailable and the errors of package kms. Records that one process seals close together show the same 12 bytes after the key's id: the first half of their nonces.
func (s scope) Seal(ctx context.Context, plaintext []byte, b Binding) ([]byte, error) {
	return s.AppendSeal(ctx, nil, plaintext, b)
}

// AppendSeal is Seal that appends the record to dst and returns the extended slice. It allocates nothing when the key is in memory and dst has room. dst may overlap plaintext:
// AppendSeal(ctx, plaintext[:0], plaintext, b) works in place. On failure dst is returned as it was.
func (s scope) AppendSeal(ctx context.Context, dst, plaintext []byte, b Binding) ([]byte, error) {
	r, err := s.ready(b)
	if err == nil && len(plaintext) > MaxRecord {
		err = fmt.Errorf("%w: a record holds at most %d bytes: use a stream", ErrTooLarge, MaxRecord)
	}
	if err != nil {
		return edge(dst, err)
	}
	if k := r.hot(&s); k != nil {
		if out, ok := k.key.SealBound(dst, k.header, plaintext, b.parts); ok {
			k.touch()
			r.heard(k.set)
			return out, nil
		}
	}
	return s.coldSeal(ctx, r, dst, plaintext, b)
}

// coldSeal is AppendSeal where the key is not at hand.
func (s scope) coldSeal(ctx context.Context, r *ring, dst, plaintext []byte, b Binding) (out []byte, err error) {
	err = r.sealing(ctx, &s, func(k *liveKey) (ok bool) {
		k.touch()
		out, ok = k.key.SealBound(dst, k.header, plaintext, b.parts)
		return ok
	})
	if err != nil {
		return edge(dst, s.explain(err, aead.KeyID{}))
	}
	return out, nil
}

// Open returns the plaintext of a record that was sealed for the same scope and binding. It fails with ErrWrongScope on a record of another tenant or subject, before it uses any key, with ErrOpen on another binding or altered
// bytes, with ErrFormat or ErrTruncated on what is no record, with ErrUnknownKey, ErrErased, ErrDisabled, ErrUnbound, ErrUnavailable and the errors of package kms. [ActionFor] says what
// to do.
func (s scope) Open(ctx context.Context, record []byte, b Binding) ([]byte, error) {
	return s.AppendOpen(ctx, nil, record, b)
}

// AppendOpen is Open that appends the plaintext to dst and returns the extended slice. It allocates nothing when the key is in memory and dst has room, but for a scan through
// many processes' records, of which aead.Key.Open says more. dst may overlap record: AppendOpen(ctx, record[:0], record, b) works in place and destroys record. On failure dst is
// returned as it was, with nothing of the plaintext behind it.
func (s scope) AppendOpen(ctx context.Context, dst, record []byte, b Binding) ([]byte, error) {
	r, err := s.ready(b)
	if err != nil {
		return edge(dst, err)
	}
	if err := checkRecord(record); err != nil {
		return edge(dst, err)
	}
	id := (*aead.KeyID)(record[1:recordHeader])
	if k := r.hotByID(&s, id); k != nil {
		r.heard(k.set)
		out, err, ok := k.open(dst, record, b)
		if ok && err == nil {
			return out, nil
		}
		if ok {
			return edge(dst, s.explain(err, k.id))
		}
		r.front.opening(&k.id).CompareAndSwap(k, nil) // it was cleared
	}
	return s.coldOpen(ctx, r, dst, record, *id, b)
}

// coldOpen is AppendOpen where the key is not at hand.
func (s scope) coldOpen(ctx context.Context, r *ring, dst, record []byte, id aead.KeyID, b Binding) (out []byte, err error) {
	var opened error
	err = r.opening(ctx, &s, id, func(k *liveKey) (ok bool) {
		out, opened, ok = k.open(dst, record, b)
		return ok
	})
	if err == nil {
		err = opened
	}
	if err != nil {
		return edge(dst, s.explain(err, id))
	}
	return out, nil
}

// open appends the plaintext of a record to dst. It tells whether the key is there.
func (k *liveKey) open(dst, record []byte, b Binding) (out []byte, err error, ok bool) {
	k.touch()
	sealed := record[recordHeader:]
	n := len(sealed) - aead.Overhead
	if cap(dst)-len(dst) < max(n, 1) || &dst[:len(dst)+1][len(dst)] != &record[0] {
		return k.key.OpenBound(dst, k.header, sealed, b.parts)
	}
	// In place: open where the ciphertext is, which needs no other memory, and move the plaintext down.
	opened, err, ok := k.key.OpenBound(sealed[:0], k.header, sealed, b.parts)
	if err != nil || !ok {
		return dst, err, ok
	}
	out = append(dst, opened...)
	clear(record[max(n, recordHeader):])
	return out, nil, true
}

// ready refuses what no key could help.
func (s *scope) ready(b Binding) (*ring, error) {
	r, err := s.ring()
	if err == nil && b.parts == "" && !r.AllowUnbound {
		err = ErrUnbound
	}
	return r, err
}

// checkRecord refuses what can't be a record.
func checkRecord(record []byte) error {
	if n := len(record); n >= RecordOverhead && n <= RecordOverhead+MaxRecord && record[0] == recordByte {
		return nil
	}
	return noRecord(record)
}

func noRecord(record []byte) error {
	switch {
	case len(record) > 0 && record[0] != recordByte:
		return fmt.Errorf("%w: no record starts with %02x", ErrFormat, record[0])
	case len(record) < RecordOverhead:
		return fmt.Errorf("%w: a record has at least %d bytes, not %d", ErrTruncated, RecordOverhead, len(record))
	}
	return fmt.Errorf("%w: a record has at most %d bytes", ErrFormat, RecordOverhead+MaxRecord)
}

// explain names the tenant and key of an error.
func (s *scope) explain(err error, id aead.KeyID) error {
	if said := (*Error)(nil); errors.As(err, &said) {
		own := *said
		own.KeyID = id
		return &own
	}
	return &Error{Tenant: s.tenant, KeyID: id, Err: err}
}

// sealing has use take the key that seals, after whatever is needed to have it. use tells whether the key was there.
func (r *ring) sealing(ctx context.Context, s *scope, use func(*liveKey) bool) error {
	return r.load(ctx, s, true, (*keyset).sealKey, use)
}

// opening is sealing for the key with an id.
func (r *ring) opening(ctx context.Context, s *scope, id aead.KeyID, use func(*liveKey) bool) error {
	return r.load(ctx, s, false, func(ks *keyset, ctx context.Context) (*liveKey, error) { return ks.openKey(ctx, id) }, use)
}

// load has use take the key that find finds in the scope's keyset, which is not evicted meanwhile.
func (r *ring) load(ctx context.Context, s *scope, sealing bool, find func(*keyset, context.Context) (*liveKey, error), use func(*liveKey) bool) error {
	return r.hold(s, func(ks *keyset) error {
		err := ks.serve(ctx, sealing)
		if err != nil {
			return err
		}
		k, err := find(ks, ctx)
		if err == nil && !use(k) {
			return errGone
		}
		return err
	})
}

// hold runs do on the scope's keyset, which has a reference meanwhile, and again where its keys were evicted all the same.
func (r *ring) hold(s *scope, do func(ks *keyset) error) error {
	if err := s.check(); err != nil {
		return err
	}
	for range retries {
		if err := r.try(s, do); !errors.Is(err, errGone) {
			return err
		}
	}
	return fmt.Errorf("%w: the keys are evicted again and again", ErrUnavailable)
}

func (r *ring) try(s *scope, do func(ks *keyset) error) error {
	if err := r.begin(); err != nil {
		return err
	}
	defer r.work.Done()
	ks := r.set(s.key())
	defer r.release(ks)
	err := do(ks)
	if errors.Is(err, errGone) {
		r.discard(s.key(), ks)
	}
	return err
}

// discard drops a keyset that has ended, or whose tenant's has.
func (r *ring) discard(key setKey, ks *keyset) {
	over := ks.phase.Load() == gone || ks.parent != nil && ks.parent.phase.Load() == gone
	if have, ok := r.sets.GetIfPresent(key); ok && have == ks && over {
		r.sets.Invalidate(key)
	}
}

// sealKey returns the key that seals, creating or rotating it where that is due.
func (ks *keyset) sealKey(ctx context.Context) (*liveKey, error) {
	for range retries {
		if live := ks.current.Load(); live != nil {
			return live, nil
		}
		live, k, err := ks.sealer(ctx)
		switch {
		case err != nil:
			return nil, err
		case live != nil && ks.ring.RotateAfter > 0 && time.Since(k.Created) > ks.ring.RotateAfter:
			err := ks.once(ctx, "rotate", func(ctx context.Context) error {
				_, err := ks.rotate(ctx, k.Version)
				return err
			})
			if err != nil {
				return live, nil // the old one will do until the next load
			}
			continue
		case live != nil:
			return live, nil
		case ks.ring.ExplicitCreate:
			return nil, fmt.Errorf("%w: there is none yet, and ExplicitCreate is set: call Create", ErrUnknownKey)
		}
		if err := ks.make(ctx, kindData); err != nil {
			return nil, err
		}
	}
	return nil, errConflict("create the key")
}

// openKey returns the key with an id, once it is known to be the scope's.
func (ks *keyset) openKey(ctx context.Context, id aead.KeyID) (*liveKey, error) {
	for again := false; ; again = true {
		ks.mu.Lock()
		rows, failed := ks.rows, ks.failure(id.String())
		ks.mu.Unlock()
		if k := rows.find(kindData, id); k != nil {
			if k.Destroyed != nil {
				return nil, &Error{Tenant: ks.tenant, Since: *k.Destroyed, Ref: k.Ref, Err: ErrErased}
			}
			return ks.unlock(ctx, k)
		}
		if failed != nil {
			return nil, failed
		}
		owner, err := ks.ring.owner(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case owner == "":
			return nil, ErrUnknownKey
		case again:
			err := ErrWrongScope
			if owner == rows.prefix {
				err = fmt.Errorf("%w: its row is missing or damaged", ErrUnknownKey)
			}
			ks.mu.Lock()
			ks.remember(id.String(), err)
			ks.mu.Unlock()
			return nil, err
		case owner != rows.prefix && rows.prefix != "":
			return nil, ErrWrongScope
		}
		// Another process may have just made it, or the lookup key without which this one knows no subject.
		if rows.prefix == "" {
			if err := ks.parent.newer(ctx); err != nil {
				return nil, err
			}
		}
		if err := ks.newer(ctx); err != nil {
			return nil, err
		}
	}
}
