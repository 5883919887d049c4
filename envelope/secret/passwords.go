package secret

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

const (
	passwordsBinding = "password"
	maxPassword      = 1024 // bytes
)

// Passwords hashes the passwords of accounts and verifies them. A hash is Argon2id, or PBKDF2-HMAC-SHA-256 with 600 000 iterations in FIPS
// mode, written as a PHC string and sealed under the pepper: a Tenant whose keys the KMS wraps, so that a copy of the database,
// also one with the key store in it, is no start for guessing. What is stored has 154 bytes, and 147 in FIPS mode: a PHC string of 97 or 90 and envelope.RecordOverhead;
// bigger options add a few digits.
//
// An account is what the row is about: its immutable id, and not an e-mail address or a name, which change. A hash is bound to it, so that
// whoever can write the table can't put the hash of a password that he knows into another row, such as an administrator's. He can still put back
// an older one of the same account: a password that was changed because it leaked is to be refused by other means where that matters.
//
// A password has 1 to 1024 bytes, and every byte counts: there is no Unicode normalization, so an application whose users type the same characters
// on different systems normalizes (NFC, or RFC 8265's OpaqueString) before every call, and then never changes how. How strong a password has to be, and how
// often one may be tried, is the application's to say.
//
// PHC strings have one of two forms, with numbers in decimal and salt and tag in standard base64 without padding:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>
//	$pbkdf2-sha256$i=600000$<salt>$<tag>
//
// Nothing is computed from a string that is not exactly so, longer than 512 bytes or out of these bounds: m at least 8 times p and at most
// PasswordOptions.MaxMemory, t and p 1 to 16, i 1 to 10 million, salt 8 to 64 bytes, tag 16 to 64. Such a string is envelope.ErrFormat, as are the other algorithms: argon2i,
// argon2d, version 16, bcrypt, scrypt.
//
// A hash takes some 30 ms of a core, in FIPS mode 150 ms, and can't be interrupted. No more are computed at once than PasswordOptions.Concurrent says; other calls
// wait, first come, first served, until their ctx ends: give it a deadline. Buffers with passwords and hashes are cleared, except for what golang.org/x/crypto/argon2, crypto/pbkdf2
// and the strings of a [Text] hold. Passwords is safe for concurrent use. Make one with [NewPasswords] for the whole process.
type Passwords struct {
	pepper  envelope.Tenant
	now     phc    // what a new hash is like, without salt and tag
	most    uint32 // KiB of a stored hash
	gate    *gate
	stretch func(h *phc, password string) ([]byte, error)
	decoy   atomic.Pointer[[]byte] // what Dummy verifies against
}

// NewPasswords returns a Passwords that seals under pepper, which should be a Tenant for nothing else. Its rotation touches no hash; to destroy it
// is to end all passwords. It makes no I/O, and fails with kms.ErrInvalid when the pepper is the zero Tenant or an option is out of bounds.
func NewPasswords(pepper envelope.Tenant, o *PasswordOptions) (*Passwords, error) {
	if pepper.ID() == "" {
		return nil, atEdge(fmt.Errorf("%w: no pepper: take a Tenant of its own from a Keyring", kms.ErrInvalid))
	}
	own, err := o.withDefaults()
	if err != nil {
		return nil, atEdge(err)
	}
	return &Passwords{
		pepper:  pepper,
		now:     own.now(),
		most:    uint32(own.MaxMemory),
		gate:    newGate(own.Concurrent, own.Memory),
		stretch: stretch,
	}, nil
}

// Hash returns what to store for a password of the account: a new salt each time. It fails with kms.ErrInvalid when the account is empty or the password
// has not 1 to 1024 bytes, with ctx's error while it waits for its turn, and as [envelope.Tenant.Seal] does.
func (p *Passwords) Hash(ctx context.Context, account string, password Text) ([]byte, error) {
	b, err := p.bind(account)
	if err != nil {
		return nil, atEdge(err)
	}
	secret, err := revealPassword(password)
	if err != nil {
		return nil, atEdge(err)
	}
	h := p.fresh()
	defer h.clear()
	tag, err := p.compute(ctx, h, secret)
	if err != nil {
		return nil, atEdge(err)
	}
	h.tag = tag
	return p.seal(ctx, h, b)
}

// Verify tells whether password is that of the account, whose stored value is from Hash, Import or Repepper. A wrong password is no error. rehash is true only
// when ok is, where the hash is weaker than a new one would be or of another algorithm: store a new one from Hash then, which needs the password. Parallelism does not count.
//
// Everything else is an error and says nothing about the password. It is kms.ErrInvalid for arguments as Hash refuses them, envelope.ErrOpen,
// envelope.ErrWrongScope, envelope.ErrUnknownKey, envelope.ErrFormat or envelope.ErrTruncated when stored is altered, of another account or under another pepper,
// envelope.ErrUnavailable in an outage, the pepper's own where that is disabled or destroyed, ctx's while it waits for its turn, and
// kms.ErrUnsupported under fips140=only for a hash that this mode can't compute: Argon2id, and PBKDF2 with a salt below 16 bytes. For an account that
// does not exist, or has no password, call Dummy.
func (p *Passwords) Verify(ctx context.Context, account string, password Text, stored []byte) (ok, rehash bool, err error) {
	b, err := p.bind(account)
	if err != nil {
		return false, false, atEdge(err)
	}
	return p.verify(ctx, b, password, stored)
}

// Dummy does the work of a Verify that says no, for an account that does not exist, so that the time of an answer does not tell who has one. It opens and computes
// a hash like a new one. Where stored hashes are like older options made them, or imported, theirs take another time. The first Dummy of a process seals what it opens.
// Errors are those of Verify and, of the first, of Hash; a sign-in answers to them as it does to those of Verify, and to nil as to a wrong password.
func (p *Passwords) Dummy(ctx context.Context, password Text) error {
	if err := p.ready(); err != nil {
		return atEdge(err)
	}
	b := envelope.Bind(passwordsBinding) // of no account
	stored := p.decoy.Load()
	if stored == nil {
		h := p.fresh()
		defer h.clear()
		rand.Read(h.tag) // of no password
		sealed, err := p.seal(ctx, h, b)
		if err != nil {
			return err
		}
		stored = &sealed
		p.decoy.Store(stored)
	}
	_, _, err := p.verify(ctx, b, password, *stored)
	return err
}

// Repepper returns stored under the pepper's current key: a copy where it is already. It needs no password and computes no hash, so it can go over the whole table after
// [envelope.Tenant.Rotate], which ends nothing: what is not done yet verifies as before. [envelope.Keyring.Stale] tells what would change. It fails as Verify does for what is altered, of another account or
// under another pepper.
func (p *Passwords) Repepper(ctx context.Context, account string, stored []byte) ([]byte, error) {
	b, err := p.bind(account)
	if err != nil {
		return nil, atEdge(err)
	}
	out, err := p.pepper.Reseal(ctx, stored, b)
	return out, atEdge(err)
}

// Import returns what to store for a PHC string that another system made, in one of the two forms. It can't tell whose password that is of, so take it from the account's own row. A string that it
// refuses is envelope.ErrFormat, under fips140=only also kms.ErrUnsupported as in Verify, and shows in no error. Hashes that are weaker than new ones are accepted: Verify then asks for a rehash.
func (p *Passwords) Import(ctx context.Context, account, phc string) ([]byte, error) {
	b, err := p.bind(account)
	if err != nil {
		return nil, atEdge(err)
	}
	text := []byte(phc[:min(len(phc), maxPHC+1)]) // enough to be refused
	defer clear(text)
	h, err := parsePHC(text, p.most)
	if err != nil {
		return nil, atEdge(err)
	}
	defer h.clear()
	if err := h.supported(); err != nil {
		return nil, atEdge(err)
	}
	return p.seal(ctx, h, b)
}

func (p *Passwords) verify(ctx context.Context, b envelope.Binding, password Text, stored []byte) (ok, rehash bool, err error) {
	secret, err := revealPassword(password)
	if err != nil {
		return false, false, atEdge(err)
	}
	plaintext, err := p.pepper.Open(ctx, stored, b)
	if err != nil {
		return false, false, atEdge(err)
	}
	defer clear(plaintext)
	h, err := parsePHC(plaintext, p.most)
	if err != nil {
		return false, false, atEdge(err)
	}
	defer h.clear()
	tag, err := p.compute(ctx, h, secret)
	if err != nil {
		return false, false, atEdge(err)
	}
	defer clear(tag)
	ok = subtle.ConstantTimeCompare(tag, h.tag) == 1
	return ok, ok && h.weaker(&p.now), nil
}

// compute returns the tag of a password under h, when it is its turn.
func (p *Passwords) compute(ctx context.Context, h *phc, password string) ([]byte, error) {
	if err := h.supported(); err != nil {
		return nil, err
	}
	leave, err := p.gate.enter(ctx, h.memory)
	if err != nil {
		return nil, err
	}
	defer leave()
	return p.stretch(h, password)
}

// fresh returns a hash with a salt and room for a tag.
func (p *Passwords) fresh() *phc {
	h := p.now
	h.salt, h.tag = make([]byte, saltSize), make([]byte, tagSize)
	rand.Read(h.salt) // never fails
	return &h
}

func (p *Passwords) seal(ctx context.Context, h *phc, b envelope.Binding) ([]byte, error) {
	plaintext := h.append(make([]byte, 0, maxPHC))
	defer clear(plaintext)
	out, err := p.pepper.Seal(ctx, plaintext, b)
	return out, atEdge(err)
}

func (p *Passwords) ready() error {
	if p == nil || p.gate == nil {
		return fmt.Errorf("%w: zero Passwords: use NewPasswords", kms.ErrInvalid)
	}
	return nil
}

// bind returns what the record of an account belongs to.
func (p *Passwords) bind(account string) (envelope.Binding, error) {
	if err := p.ready(); err != nil {
		return envelope.Binding{}, err
	}
	if account == "" {
		return envelope.Binding{}, fmt.Errorf("%w: the account is empty: give the immutable id of its row", kms.ErrInvalid)
	}
	return envelope.Bind(passwordsBinding, account), nil
}

func revealPassword(t Text) (string, error) {
	s := t.Reveal()
	if len(s) == 0 || len(s) > maxPassword {
		return "", fmt.Errorf("%w: a password must have 1 to %d bytes", kms.ErrInvalid, maxPassword)
	}
	return s, nil
}
