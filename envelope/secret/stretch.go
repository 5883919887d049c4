package secret

import (
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/argon2"

	"github.com/holdfast-go/holdfast/kms"
)

// fipsSalt is the shortest salt, in bytes, that the module takes: SP 800-132 section 5.1.
const fipsSalt = 16

// supported tells whether this process may compute h.
func (h *phc) supported() error {
	switch {
	case !fips140.Enforced():
		return nil
	case h.algorithm == argon2id:
		return fmt.Errorf("%w: the stored hash is Argon2id, which fips140=only refuses: have the person set a new password, or sign in once under fips140=on, "+
			"where Verify asks for a rehash", kms.ErrUnsupported)
	case len(h.salt) < fipsSalt:
		return fmt.Errorf("%w: the stored hash has a salt of %d bytes, and fips140=only refuses less than %d: have the person set a new password, or sign in once "+
			"under fips140=on, where Verify asks for a rehash", kms.ErrUnsupported, len(h.salt), fipsSalt)
	}
	return nil
}

// stretch returns the tag of a password: as many bytes as h.tag has.
func stretch(h *phc, password string) ([]byte, error) {
	if h.algorithm == pbkdf2SHA256 {
		tag, err := pbkdf2.Key(sha256.New, password, h.salt, int(h.iterations), len(h.tag))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", kms.ErrUnsupported, err)
		}
		return tag, nil
	}
	b := []byte(password)
	defer clear(b)
	return argon2.IDKey(b, h.salt, h.time, h.memory, uint8(h.threads), uint32(len(h.tag))), nil
}
