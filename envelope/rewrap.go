package envelope

import (
	"context"

	"github.com/holdfast-go/holdfast/kms"
)

// RewrapHeader returns a header of the same length whose data key is wrapped anew, under the current version of the
// Sealer's key; the body stays as it is. header must be a whole header and nothing more. It makes two calls to the KMS. It fails with
// [ErrTooLarge], and a text that says what is needed, when the new header does not fit, and as
// [Sealer.Open] does.
//
// Under a kms.AnyOf key with a Minimum a recipient that is down now is missing from the new header, also where the old one had it: rewrap while
// all are usable. To move to another KMS key, make the Sealer with kms.Rolling(new, old). Rewrapping is not revocation: who could open the old header may
// have kept the data key. To revoke, seal the data again.
func (s *Sealer) RewrapHeader(ctx context.Context, header []byte, ec kms.Context) ([]byte, error) {
	return edge(s.rewrapHeader(ctx, header, ec))
}

func (s *Sealer) rewrapHeader(ctx context.Context, header []byte, ec kms.Context) ([]byte, error) {
	if size, err := headerSize(header); err == nil && len(header) > size {
		return nil, malformed("bytes follow the header: give RewrapHeader the header alone")
	}
	h, d, err := openHeader(ctx, s.key, header, ec)
	if err != nil {
		return nil, err
	}
	defer d.clear()
	return s.wrapAnew(ctx, &d, h.size, ec)
}

// wrapAnew returns a header of that length with the data key wrapped under the key's current version.
func (s *Sealer) wrapAnew(ctx context.Context, d *dataKey, size int, ec kms.Context) ([]byte, error) {
	canon, err := canonical(ec)
	if err != nil {
		return nil, err
	}
	w, err := wrap(ctx, s.key, &d.key, ec)
	if err != nil {
		return nil, err
	}
	return buildHeader(&d.key, canon, w, size)
}

// Stale tells whether [Sealer.RewrapHeader] would change under which keys the data key is wrapped: it is wrapped under another
// key or version than the Sealer would use, or for other recipients. header may be followed by the body. It makes no call to the KMS, so a rotation
// elsewhere may not be known yet, and what it goes by is not authenticated. Errors: [ErrFormat], [ErrTruncated].
func (s *Sealer) Stale(header []byte) (bool, error) {
	if s.key == nil {
		return edge(false, errZero)
	}
	h, err := parseHeader(header)
	if err != nil {
		return edge(false, err)
	}
	return s.key.Stale(h.wrapped), nil
}
