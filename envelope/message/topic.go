package message

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
)

// Topic seals and opens the messages of one topic under the keys of a Keyring. It is safe for concurrent use.
type Topic struct {
	ring *envelope.Keyring
	name string
	reading
	tenantHeader string
	tokens       bool
	form         form
	stamper      *stamper
	plain        envelope.Binding // of a record without key, where no headers are bound
	tokenPlace   envelope.Binding
}

// reading is what those who open records go by.
type reading struct {
	headers    []string
	mirrors    []string
	window     *Window
	passPlain  *atomic.Int64
	unknown    *unknown
	tombstones bool
}

// NewTopic returns the topic with this name: that of one topic, which records are bound to, and no filter. It makes no I/O and is cheap, so that a consumer of many topics may make one for each message;
// but one that has a Sender, or meets keys that are not there yet, is to be kept. It fails with kms.ErrInvalid.
// The Keyring is where [Topic.Tenant] takes tenants from.
func NewTopic(r *envelope.Keyring, name string, o *TopicOptions) (*Topic, error) {
	return edge(newTopic(r, name, o))
}

func newTopic(r *envelope.Keyring, name string, o *TopicOptions) (*Topic, error) {
	if o == nil {
		o = &TopicOptions{}
	}
	if r == nil {
		return nil, invalid("the Keyring is nil")
	}
	if err := checkTopic(name); err != nil {
		return nil, err
	}
	for _, mirror := range o.Mirrors {
		if err := checkTopic(mirror); err != nil {
			return nil, err
		}
	}
	headers, err := boundHeaders(o.Headers)
	if err != nil {
		return nil, err
	}
	stamper, err := newStamper(o.Sender)
	if err != nil {
		return nil, err
	}
	unknown, err := newUnknown(o.UnknownKeyFor, unknownKeyFor)
	if err != nil {
		return nil, err
	}
	t := &Topic{
		ring: r, name: name, tenantHeader: o.TenantHeader, tokens: o.TokenKeys,
		reading:    reading{headers, slices.Clone(o.Mirrors), o.Window, o.PassPlain, unknown, o.Tombstones},
		form:       form{key: o.TokenKeys, stamp: stamper != nil, pad: o.Pad},
		stamper:    stamper,
		tokenPlace: envelope.Bind("message key", name),
	}
	if parts := place(name, nil, headers, nil); len(headers) == 0 {
		t.plain = envelope.Bind(parts[:]...)
	}
	return t, nil
}

func (t *Topic) zero() bool { return t == nil || t.ring == nil }

var errZero = invalid("zero value: use NewTopic, NewPublisher, NewSubscriber")

// Name returns the name that records are bound to.
func (t *Topic) Name() string { return t.name }

// Seal returns the payload of a record, which only holders of the Keyring open again, at the same topic, with the same key and bound headers. to is the tenant, or the subject whose erasure is to reach the message too.
// With TokenKeys r.Key is the key itself, and the record is to be given [Topic.KeyToken] of it. A nil Value is a tombstone, whose payload is nil: see [TopicOptions]. It fails with kms.ErrInvalid
// on a record of another topic or without the tenant's header, with envelope.ErrTooLarge above [envelope.MaxRecord] in all, and as envelope.Tenant.Seal does.
func (t *Topic) Seal(ctx context.Context, to envelope.Scope, r Record) ([]byte, error) {
	r, err := t.seal(ctx, to, r)
	return edge(r.Value, err)
}

// SealRecord is Seal that returns the whole record as the broker gets it: with the Topic's name, the payload, the key's token where keys are tokens, and the tenant's header where the record has none yet.
func (t *Topic) SealRecord(ctx context.Context, to envelope.Scope, r Record) (Record, error) {
	if t.zero() {
		return edge(Record{}, errZero)
	}
	if _, n := header(r.Headers, t.tenantHeader); n == 0 && t.tenantHeader != "" {
		tn, err := tenantOf(to)
		if err != nil {
			return edge(Record{}, err)
		}
		r.Headers = append(slices.Clip(r.Headers), Header{t.tenantHeader, []byte(tn.ID())})
	}
	return edge(t.seal(ctx, to, r))
}

func (t *Topic) seal(ctx context.Context, to envelope.Scope, r Record) (Record, error) {
	if t.zero() {
		return Record{}, errZero
	}
	tn, err := tenantOf(to)
	switch {
	case err != nil:
		return Record{}, err
	case r.Topic != "" && r.Topic != t.name:
		return Record{}, invalid("the record is of topic %.64q, not of %.64q", r.Topic, t.name)
	case t.tokens && len(r.Key) > maxKey:
		return Record{}, invalid("the key has more than %d bytes", maxKey)
	case r.Value == nil && !t.tombstones:
		return Record{}, errTombstone
	}
	if t.tenantHeader != "" {
		if id, n := header(r.Headers, t.tenantHeader); n != 1 || string(id) != tn.ID() {
			return Record{}, invalid("the record must have one header %.64q, with the id of the tenant that it is sealed for", t.tenantHeader)
		}
	}
	m := Message{Value: r.Value, Key: r.Key}
	if r.Topic = t.name; t.tokens {
		if r.Key, err = t.token(ctx, tn, r.Key); err != nil {
			return Record{}, err
		}
	}
	if r.Value == nil {
		return r, nil
	}
	t.stamper.stamp(&m, r.Time)
	b := t.form.encode(&m, envelope.RecordOverhead)
	if r.Value, err = to.AppendSeal(ctx, b[:0], b, t.binding(r.Key, r.Headers)); err != nil {
		clear(b)
		return Record{}, err
	}
	return r, nil
}

var errTombstone = invalid("Value is nil, which is a tombstone: set Tombstones where the topic has them, or seal an empty Value that is not nil")

// tenantOf returns the tenant of a scope.
func tenantOf(to envelope.Scope) (envelope.Tenant, error) {
	switch s := to.(type) {
	case envelope.Tenant:
		return s, nil
	case envelope.Subject:
		return s.Tenant(), nil
	}
	return envelope.Tenant{}, invalid("the Scope must be an envelope.Tenant or envelope.Subject, not %T", to)
}

// Open opens the payload of a record as it came from the broker, sealed to the tenant or to any of its subjects. [envelope.ActionFor] says what to do after an error: to retry while store, KMS or the key are not
// there, the last for no longer than UnknownKeyFor; to skip what is erased or was accepted before; to hold what a revoked key sealed; to reject what is altered, moved from another place, another tenant's
// (envelope.ErrWrongScope) or not sealed ([ErrNotSealed]). With a Window it fails with [ErrReplayed] and [ErrTooOld], and the caller calls Accept once the message is processed.
func (t *Topic) Open(ctx context.Context, tn envelope.Tenant, r Record) (Message, error) {
	return edge(t.open(ctx, tn, r))
}

func (t *Topic) open(ctx context.Context, tn envelope.Tenant, r Record) (Message, error) {
	if t.zero() {
		return Message{}, errZero
	}
	if r.Topic != "" && r.Topic != t.name && !slices.Contains(t.mirrors, r.Topic) {
		return Message{}, invalid("the record is of topic %.64q, not of %.64q: name it in Mirrors if it is the same", r.Topic, t.name)
	}
	if m, done, err := t.unsealed(&r); done {
		return m, err
	}
	b, err := tn.AppendOpenAny(ctx, nil, r.Value, t.binding(r.Key, r.Headers))
	if err != nil {
		if errors.Is(err, envelope.ErrUnknownKey) && len(r.Value) > keyEnd {
			err = t.unknown.judge(aead.KeyID(r.Value[1:keyEnd]), err)
		}
		return Message{}, err
	}
	t.unknown.found(aead.KeyID(r.Value[1:keyEnd]))
	return t.read(b, &r)
}

const keyEnd = 1 + len(aead.KeyID{}) // of a record's head

// binding returns what a record with a key, as the broker has it, and headers belongs to.
func (t *Topic) binding(key []byte, headers []Header) envelope.Binding {
	if key == nil && len(t.headers) == 0 {
		return t.plain
	}
	parts := place(t.name, key, t.headers, headers)
	return envelope.Bind(parts[:]...)
}

// unsealed takes what is not sealed. It tells whether that is all.
func (f *reading) unsealed(r *Record) (m Message, done bool, err error) {
	switch {
	case !foreign(r.Value):
		return m, false, nil
	case len(r.Value) == 0 && f.tombstones:
		return Message{Key: bytes.Clone(r.Key), Tombstone: true}, true, nil
	case len(r.Value) == 0 || f.passPlain == nil:
		return m, true, ErrNotSealed
	}
	f.passPlain.Add(1)
	return Message{Value: append([]byte{}, r.Value...), Key: bytes.Clone(r.Key), Plain: true}, true, nil
}

// read returns the message of a plaintext, unless it was accepted before.
func (f *reading) read(b []byte, r *Record) (m Message, err error) {
	if err := decode(b, &m); err != nil {
		clear(b)
		return Message{}, err
	}
	if m.Key == nil {
		m.Key = bytes.Clone(r.Key)
	}
	if f.window != nil {
		if err := f.window.check(m); err != nil {
			clear(b)
			return Message{}, err
		}
	}
	return m, nil
}

// KeyToken returns what stands for a record's key at the broker: 32 bytes that are the same for equal keys of a tenant at this topic, also after rotations, so that compaction and partitions work. nil for a nil key. It tells the
// broker which records are of one key, and nothing else. Errors are those of envelope.Tenant.AppendToken.
func (t *Topic) KeyToken(ctx context.Context, tn envelope.Tenant, key []byte) ([]byte, error) {
	return edge(t.token(ctx, tn, key))
}

func (t *Topic) token(ctx context.Context, tn envelope.Tenant, key []byte) ([]byte, error) {
	switch {
	case t.zero():
		return nil, errZero
	case key == nil:
		return nil, nil
	}
	return tn.AppendToken(ctx, nil, key, t.tokenPlace)
}

// Tenant returns the tenant that a record's TenantHeader names. It only claims so: [Topic.Open] with this tenant fails with envelope.ErrWrongScope, before any key is used, where the key that the payload names is not that tenant's
// in the store. It fails with kms.ErrInvalid where the Topic has no TenantHeader, and with envelope.ErrFormat where the record has none, more than one, or no id of a tenant in it.
func (t *Topic) Tenant(r Record) (envelope.Tenant, error) { return edge(t.tenant(r)) }

func (t *Topic) tenant(r Record) (tn envelope.Tenant, err error) {
	if t.zero() {
		return tn, errZero
	}
	if t.tenantHeader == "" {
		return tn, invalid("the Topic has no TenantHeader")
	}
	id, n := header(r.Headers, t.tenantHeader)
	if n != 1 || len(id) == 0 || len(id) > maxTenant || !utf8.Valid(id) {
		return tn, fmt.Errorf("%w: the record must have one header %.64q, with the id of a tenant", envelope.ErrFormat, t.tenantHeader)
	}
	return t.ring.Tenant(string(id)), nil
}

const maxTenant = 255 // bytes: FORMAT.md section 6
