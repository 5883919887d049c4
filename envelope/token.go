package envelope

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/holdfast-go/holdfast/aead"
)

// TokenSize is the length of a token, in bytes.
const TokenSize = sha256.Size

// AppendToken appends the token of value to dst: [TokenSize] bytes by which equal values are found, and which tell nobody without the key more than that they are equal. They stay the same
// for as long as the tenant has keys, through [Tenant.Rotate] and [Keyring.Rewrap], and outlive the erasure of a subject: clear those that were made of its data. b says what the token is
// for, such as Bind(table, column, index), and equal values have other tokens under another Binding or tenant. It is HMAC-SHA-256 under the tenant's lookup key: FORMAT.md section 10. The
// first call makes that key, unless ExplicitCreate says otherwise. Errors are those of Open.
func (t Tenant) AppendToken(ctx context.Context, dst, value []byte, b Binding) ([]byte, error) {
	s := t.scope
	r, err := s.ring()
	if err == nil && b.parts == "" {
		err = ErrUnbound
	}
	if err != nil {
		return edge(dst, err)
	}
	out := dst
	if k := r.hotLookup(&s); k != nil {
		var ok bool
		if out, ok = k.token(dst, value, b); ok {
			k.touch()
			return out, nil
		}
	}
	err = r.load(ctx, &s, false, (*keyset).tokenKey, func(k *liveKey) (ok bool) {
		k.touch()
		out, ok = k.token(dst, value, b)
		return ok
	})
	if err != nil {
		return edge(dst, s.explain(err, aead.KeyID{}))
	}
	return out, nil
}

// tokenKey returns the tenant's lookup key, making it where there is none.
func (ks *keyset) tokenKey(ctx context.Context) (*liveKey, error) {
	for range retries {
		lookup, err := ks.lookup(ctx)
		if err != nil {
			return nil, err
		}
		if lookup != nil {
			ks.finds.Store(lookup)
			return lookup, nil
		}
		ks.mu.Lock()
		created := ks.rows.living(kindData)
		ks.mu.Unlock()
		if ks.ring.ExplicitCreate && !created {
			return nil, fmt.Errorf("%w: there is none yet, and ExplicitCreate is set: call Create", ErrUnknownKey)
		}
		if err := ks.make(ctx, kindLookup); err != nil {
			return nil, err
		}
	}
	return nil, errConflict("create the lookup key")
}
