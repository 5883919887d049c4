package envelope

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/holdfast-go/holdfast/aead"
)

// Tenant is a customer of a deployment, with keys of its own. It is a value that costs nothing to make; get it from
// [Keyring.Tenant]. The methods of the zero Tenant fail with kms.ErrInvalid. It is safe for concurrent use.
type Tenant struct{ scope }

// Subject is a person, or whatever else is erased on its own, within a tenant, with a random key of its own. Get it from [Tenant.Subject].
// The methods of the zero Subject fail with kms.ErrInvalid. It is safe for concurrent use. It prints without its identifier.
type Subject struct{ scope }

// Scope is a [Tenant] or a [Subject]: what data is sealed for.
type Scope interface {
	Seal(ctx context.Context, plaintext []byte, b Binding) ([]byte, error)
	Open(ctx context.Context, record []byte, b Binding) ([]byte, error)
	AppendSeal(ctx context.Context, dst, plaintext []byte, b Binding) ([]byte, error)
	AppendOpen(ctx context.Context, dst, record []byte, b Binding) ([]byte, error)
	Reseal(ctx context.Context, record []byte, b Binding) ([]byte, error)
	NewWriter(ctx context.Context, w io.Writer, b Binding, o *aead.StreamOptions) (*aead.Writer, error)
	NewSealReader(ctx context.Context, src io.Reader, b Binding, o *aead.StreamOptions) (*aead.SealReader, error)
	NewReader(ctx context.Context, r io.Reader, b Binding, o *aead.StreamOptions) (*aead.Reader, error)
	NewReaderAt(ctx context.Context, r io.ReaderAt, size int64, b Binding, o *aead.StreamOptions) (*aead.ReaderAt, error)
	Create(ctx context.Context) (aead.KeyID, error)
	Rotate(ctx context.Context) (aead.KeyID, error)
	Versions(ctx context.Context) iter.Seq2[KeyInfo, error]
	Disable(ctx context.Context, reason string) error
	Enable(ctx context.Context) error
	Hold(ctx context.Context, ref string) error
	Release(ctx context.Context, ref string) error
	inner() scope
}

// scope is what Tenant and Subject share.
type scope struct {
	keyring *Keyring
	tenant  string
	subject hidden
	person  bool   // a Subject
	hash    uint64 // of the ids, by which the front finds it
}

// Tenant returns the tenant with this id: 1 to 255 bytes of valid UTF-8, compared as bytes. An id that is not fails when it is used.
func (r *Keyring) Tenant(id string) Tenant {
	s := scope{keyring: r, tenant: id}
	if ring, err := s.ring(); err == nil {
		s.hash = ring.front.hash(s.key())
	}
	return Tenant{s}
}

// Subject returns the subject with this id: 1 to 255 bytes of valid UTF-8, compared as bytes. What the store, errors, logs and
// events hold of it is an HMAC under a key of the tenant's. An id that is not valid fails when it is used.
func (t Tenant) Subject(id string) Subject {
	s := t.scope
	if strings.HasPrefix(id, byReference) {
		id = noID
	}
	s.subject, s.person = hide(id), true
	if ring, err := s.ring(); err == nil {
		s.hash = ring.front.hash(s.key())
	}
	return Subject{s}
}

// ID returns the tenant's id.
func (t Tenant) ID() string { return t.tenant }

func (s scope) inner() scope { return s }

// ring returns the keyring's inside.
func (s *scope) ring() (*ring, error) {
	if s.keyring == nil || s.keyring.get == nil {
		return nil, invalid("zero Tenant or Subject: take it from a Keyring")
	}
	return s.keyring.get(), nil
}

// key is what the scope is cached under.
func (s *scope) key() setKey {
	return setKey{tenant: s.tenant, subject: s.subject.show(), person: s.person}
}

// check refuses ids that break the rules.
func (s *scope) check() error {
	if err := checkID("tenant", s.tenant); err != nil {
		return err
	}
	if s.person && s.key().knownPrefix() == "" {
		return checkID("subject", s.subject.show())
	}
	return nil
}

func checkID(what, id string) error {
	if n := len(id); n == 0 || n > maxID || !utf8.ValidString(id) {
		return invalid("the id of a %s must be 1 to %d bytes of valid UTF-8; it has %d", what, maxID, n)
	}
	return nil
}

const maxID = 255 // bytes: FORMAT.md section 6

// Format prints the tenant's id for every verb, and nothing of a subject.
func (s scope) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// String returns the tenant's id, and nothing of a subject.
func (s scope) String() string {
	switch {
	case s.keyring == nil:
		return "envelope.Scope(zero)"
	case s.person:
		return fmt.Sprintf("envelope.Subject(tenant %q)", s.tenant)
	}
	return fmt.Sprintf("envelope.Tenant(%q)", s.tenant)
}

// LogValue returns what String does.
func (s scope) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String does. Nothing reads it back.
func (s scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// hidden is a string that printers and dumpers don't see when they follow unexported fields.
type hidden struct {
	first unsafe.Pointer
	n     int
}

func hide(s string) hidden { return hidden{unsafe.Pointer(unsafe.StringData(s)), len(s)} }

func (h hidden) show() string { return unsafe.String((*byte)(h.first), h.n) }
