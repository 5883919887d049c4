package local

import (
	"bytes"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/argon2"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

const (
	argon2id = "argon2id"
	pbkdf2ID = "pbkdf2-hmac-sha256"
	saltSize = 32 // bytes

	// RFC 9106's second recommended option, and OWASP's advice for PBKDF2.
	argonTime       = 3
	argonMemory     = 64 << 10 // KiB
	argonThreads    = 4
	pbkdfIterations = 600_000

	// What is believed of a file, before memory or time is spent on it.
	maxArgonTime       = 16
	maxArgonMemory     = 1 << 20 // KiB
	maxArgonThreads    = 16
	minPBKDFIterations = 100_000
	maxPBKDFIterations = 10_000_000
	minSalt, maxSalt   = 16, 64

	maxPassphrase = 4096 // bytes
)

// stretch is how a passphrase becomes a key.
type stretch struct {
	KDF        string `json:"kdf"`
	Salt       []byte `json:"salt"`
	Time       uint32 `json:"time,omitempty"`
	MemoryKiB  uint32 `json:"memory_kib,omitempty"`
	Threads    uint8  `json:"threads,omitempty"`
	Iterations uint32 `json:"iterations,omitempty"`
}

func newStretch() *stretch {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	if fips140.Enabled() {
		return &stretch{KDF: pbkdf2ID, Salt: salt, Iterations: pbkdfIterations}
	}
	return &stretch{KDF: argon2id, Salt: salt, Time: argonTime, MemoryKiB: argonMemory, Threads: argonThreads}
}

func (s *stretch) check() error {
	ok := len(s.Salt) >= minSalt && len(s.Salt) <= maxSalt
	switch s.KDF {
	case argon2id:
		ok = ok && s.Iterations == 0 &&
			s.Time >= 1 && s.Time <= maxArgonTime &&
			s.Threads >= 1 && s.Threads <= maxArgonThreads &&
			s.MemoryKiB >= 8*uint32(s.Threads) && s.MemoryKiB <= maxArgonMemory
	case pbkdf2ID:
		ok = ok && s.Time == 0 && s.MemoryKiB == 0 && s.Threads == 0 &&
			s.Iterations >= minPBKDFIterations && s.Iterations <= maxPBKDFIterations
	default:
		ok = false
	}
	if !ok {
		return malformed("passphrase")
	}
	return nil
}

// key stretches what ask returns, and clears it.
func (s *stretch) key(ask func() ([]byte, error)) (*aead.Key, error) {
	if s.KDF == argon2id && fips140.Enforced() {
		return nil, fmt.Errorf("%w: the passphrase is stretched with Argon2id, which fips140=only refuses: "+
			"create a new key file in FIPS mode and move to it with kms.Rolling under fips140=on", kms.ErrUnsupported)
	}
	passphrase, err := ask()
	defer clear(passphrase)
	if err != nil {
		return nil, fmt.Errorf("%w: Options.Passphrase: %w", kms.ErrAccessDenied, err)
	}
	if len(passphrase) == 0 || len(passphrase) > maxPassphrase {
		return nil, fmt.Errorf("%w: the passphrase must be 1 to %d bytes", kms.ErrInvalid, maxPassphrase)
	}
	var b []byte
	if s.KDF == argon2id {
		b = argon2.IDKey(passphrase, s.Salt, s.Time, s.MemoryKiB, s.Threads, aead.KeySize)
	} else {
		b, err = pbkdf2.Key(sha256.New, string(passphrase), s.Salt, int(s.Iterations), aead.KeySize)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", kms.ErrInvalid, err)
		}
	}
	defer clear(b)
	return aead.ParseKey(b)
}

func (s *stretch) equal(other *stretch) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.KDF == other.KDF && bytes.Equal(s.Salt, other.Salt) && s.Time == other.Time &&
		s.MemoryKiB == other.MemoryKiB && s.Threads == other.Threads && s.Iterations == other.Iterations
}
