package envelope

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/derive"
)

// unwrapSubject opens a subject's key with the tenant's wrap key that it names. The caller clears it.
func (ks *keyset) unwrapSubject(ctx context.Context, k *storedKey) ([]byte, error) {
	if len(k.Wrapped) != subjectBlob || k.Wrapped[0] != recordByte {
		return nil, fmt.Errorf("%w: row %.400q holds no wrapped key", ErrFormat, k.name)
	}
	wrap, err := ks.parent.wrapKey(ctx, aead.KeyID(k.Wrapped[1:recordHeader]))
	if errors.Is(err, ErrOpen) {
		// Since it was read it may have been wrapped anew, or erased.
		rows, missed := ks.ring.read(ctx, k.prefix())
		if missed == nil {
			missed = ks.refusal(rows)
		}
		if missed != nil {
			return nil, missed
		}
		switch now := rows.at(k.name); {
		case now == nil:
		case now.Destroyed != nil:
			return nil, &Error{Tenant: ks.tenant, Since: *now.Destroyed, Ref: now.Ref, Err: ErrErased}
		case now.ID == k.ID && !bytes.Equal(now.Wrapped, k.Wrapped):
			return ks.unwrapSubject(ctx, now)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("row %.400q: %w", k.name, err)
	}
	return ks.ring.openSubject(wrap, ks.tenant, k)
}

// openSubject opens a subject's key with the wrap key that it names. The caller clears it.
func (r *ring) openSubject(wrap *liveKey, tenant string, k *storedKey) ([]byte, error) {
	raw, err, ok := wrap.key.OpenBound(nil, wrap.header, k.Wrapped[recordHeader:], r.subjectContext(tenant, refOf(k.prefix()), k))
	switch {
	case !ok:
		return nil, errGone
	case err != nil:
		return nil, fmt.Errorf("%w: row %.400q", ErrOpen, k.name)
	}
	return raw, nil
}

// wrapKey returns the tenant's wrap key with this id, asking the store again when it is not known: another process may have just made it.
func (ks *keyset) wrapKey(ctx context.Context, id aead.KeyID) (*liveKey, error) {
	for again := false; ; again = true {
		ks.mu.Lock()
		rows := ks.rows
		ks.mu.Unlock()
		if k := rows.find(kindWrap, id); k != nil && k.Destroyed == nil {
			return ks.unlock(ctx, k)
		} else if again {
			return nil, fmt.Errorf("%w: its wrap key %s is not there", ErrOpen, id)
		}
		if err := ks.newer(ctx); err != nil {
			return nil, err
		}
	}
}

// wrapSubject returns a subject's key wrapped under the tenant's wrap key: FORMAT.md section 6.
func (r *ring) wrapSubject(wrap *liveKey, tenant string, k *storedKey, raw []byte) ([]byte, error) {
	blob, ok := wrap.key.SealBound(make([]byte, 0, subjectBlob), wrap.header, raw, r.subjectContext(tenant, refOf(k.prefix()), k))
	if !ok {
		return nil, errGone
	}
	return blob, nil
}

// subjectContext is what a subject's key is bound to besides the wrap key: FORMAT.md section 6.
func (r *ring) subjectContext(tenant, ref string, k *storedKey) string {
	return string(derive.AppendParts(nil, []byte("subject-key"), []byte(r.deployment), []byte(tenant),
		rawRef(ref), k.Commitment[:], strconv.AppendUint(nil, k.Version, 10)))
}

func rawRef(ref string) []byte {
	b, _ := hex.DecodeString(ref) // made by reference, or a part of no row that opens
	return b
}

// prefix returns the prefix of the scope that the row is of.
func (k *storedKey) prefix() string {
	name := strings.TrimSuffix(k.name, fmt.Sprintf("%s/%010d", k.Kind, k.Version))
	return name
}
