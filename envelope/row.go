package envelope

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// Rows are JSON, under names that FORMAT.md section 6 lists:
//
//	tenant/T/                    head of the tenant T (percent-encoded)
//	tenant/T/data/0000000001     version 1 of its data key, likewise wrap and lookup
//	subject/T/R/                 head of the subject with the reference R (hex)
//	subject/T/R/data/0000000001
//	id/I                         the name of the row of the key with the id I (hex)
//	fleet                        what all processes must know of each other
const (
	tenantRows  = "tenant/"
	subjectRows = "subject/"
	idRows      = "id/"
	fleetRow    = "fleet"

	kindData   = "data"
	kindWrap   = "wrap"
	kindLookup = "lookup"

	rowFormat  = 1
	maxVersion = 9_999_999_999
)

func tenantPrefix(tenant string) string { return tenantRows + url.PathEscape(tenant) + "/" }

// subjectsPrefix is where the rows of all subjects of a tenant are.
func subjectsPrefix(tenant string) string { return subjectRows + url.PathEscape(tenant) + "/" }

func subjectPrefix(tenant, ref string) string { return subjectsPrefix(tenant) + ref + "/" }

func versionName(prefix, kind string, version uint64) string {
	return fmt.Sprintf("%s%s/%010d", prefix, kind, version)
}

func idName(id aead.KeyID) string { return idRows + id.String() }

// tenantOf returns the tenant that a row's name begins with, and its prefix.
func tenantOf(name, rows string) (tenant, prefix string, err error) {
	escaped, _, ok := strings.Cut(strings.TrimPrefix(name, rows), "/")
	tenant, err = url.PathUnescape(escaped)
	if !ok || err != nil || url.PathEscape(tenant) != escaped {
		return "", "", fmt.Errorf("%w: row %.100q", ErrFormat, name)
	}
	return tenant, rows + escaped + "/", nil
}

// The states of a tenant or subject. There is no row before its first key is made.
type state string

const (
	active   state = "active"
	disabled state = "disabled"
	erasing  state = "erasing" // nothing is sealed or opened any more; keys may still be there
	erased   state = "erased"
)

// head is the row of a tenant or subject itself.
type head struct {
	Format int       `json:"format"`
	State  state     `json:"state"`
	Since  time.Time `json:"since"`           // of the state
	Ref    string    `json:"ref,omitempty"`   // the reason of the disabling, the reference of the erasure or readmission
	Holds  []string  `json:"holds,omitempty"` // references that forbid the erasure
	Held   int       `json:"held,omitempty"`  // of a tenant: the holds of its subjects
	// Erasure is there while the scope is erasing or erased, unless it went with its tenant.
	Erasure *erasure `json:"erasure,omitempty"`
}

// keyRow is the row of one version of a key: the living key or what is left of it.
type keyRow struct {
	Format     int        `json:"format"`
	Kind       string     `json:"kind"`
	Version    uint64     `json:"version"`
	ID         hexID      `json:"id"`
	Commitment hexBytes   `json:"commitment,omitzero"` // 32 bytes
	Created    time.Time  `json:"created"`
	Wrapped    []byte     `json:"wrapped,omitempty"` // of a tenant's key: kms.Wrapped in binary; of a subject's: a record under the wrap key
	Refs       []string   `json:"refs,omitempty"`    // of a tenant's key: the KMS keys that wrapped it, now and before
	Closed     bool       `json:"closed,omitempty"`  // of a wrap key: wraps no new subject
	Destroyed  *time.Time `json:"destroyed,omitempty"`
	Ref        string     `json:"ref,omitempty"` // the reference under which it was destroyed
}

type hexID aead.KeyID

// MarshalText implements encoding.TextMarshaler.
func (h hexID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hexID) UnmarshalText(b []byte) error { return decodeHex(h[:], b) }

type hexBytes [32]byte

// MarshalText implements encoding.TextMarshaler.
func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hexBytes) UnmarshalText(b []byte) error { return decodeHex(h[:], b) }

func decodeHex(out, text []byte) error {
	if len(text) != hex.EncodedLen(len(out)) || bytes.ContainsAny(text, "ABCDEF") {
		return fmt.Errorf("%w: want %d lower-case hex digits", ErrFormat, 2*len(out))
	}
	_, err := hex.Decode(out, text)
	return err
}

// encodeRow returns the value of a row.
func encodeRow(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("envelope: internal error: " + err.Error()) // plain structs
	}
	return b
}

// decodeRow reads the value of a row. It refuses what it does not know: a later version may have written it.
func decodeRow(r Row, v any) error {
	d := json.NewDecoder(bytes.NewReader(r.Value))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: row %.400q does not decode", ErrFormat, r.Key)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: row %.400q goes on after its end", ErrFormat, r.Key)
	}
	return nil
}

// storedKey is a keyRow with where it is stored.
type storedKey struct {
	keyRow
	name     string
	revision uint64
}

// stored returns what a store has of a tenant or subject.
type stored struct {
	prefix string
	head   head
	row    Row              // of the head; Revision 0 where there is none
	keys   []storedKey      // ascending by kind and version
	broken map[string]error // rows that say something else than their names, by name
	readAt time.Time        // when the reading began
}

// parse reads the rows under prefix.
func (s *stored) parse(rows []Row) error {
	for _, r := range rows {
		rest := strings.TrimPrefix(r.Key, s.prefix)
		if rest == "" {
			s.head = head{}
			if err := decodeRow(r, &s.head); err != nil {
				return err
			}
			if s.head.Format != rowFormat {
				return fmt.Errorf("%w: row %.400q has format %d", ErrFormat, r.Key, s.head.Format)
			}
			switch s.head.State {
			case active, disabled, erasing, erased:
			default:
				return fmt.Errorf("%w: row %.400q has state %.20q", ErrFormat, r.Key, s.head.State)
			}
			s.row = r
			continue
		}
		k, err := parseKeyRow(r, s.prefix)
		if err != nil {
			if s.broken == nil {
				s.broken = map[string]error{}
			}
			s.broken[r.Key] = err
			continue
		}
		s.keys = append(s.keys, k)
	}
	return nil
}

// parseKeyRow reads the row of a key, whose name must be the one that its content has under prefix.
func parseKeyRow(r Row, prefix string) (storedKey, error) {
	k := storedKey{name: r.Key, revision: r.Revision}
	if err := decodeRow(r, &k.keyRow); err != nil {
		return storedKey{}, err
	}
	switch {
	case k.Format != rowFormat:
		return storedKey{}, fmt.Errorf("%w: row %.400q has format %d", ErrFormat, r.Key, k.Format)
	case k.Version == 0 || k.Version > maxVersion || versionName(prefix, k.Kind, k.Version) != r.Key:
		return storedKey{}, fmt.Errorf("%w: row %.400q says that it is version %d of %.20q", ErrOpen, r.Key, k.Version, k.Kind)
	case k.Destroyed == nil && aead.KeyID(k.Commitment[:16]) != aead.KeyID(k.ID):
		return storedKey{}, fmt.Errorf("%w: row %.400q has an id that is not its commitment's", ErrOpen, r.Key)
	}
	return k, nil
}

// latest returns the highest version of a kind among keys, living or not.
func (s *stored) latest(kind string) (version uint64) {
	for _, k := range s.keys {
		if k.Kind == kind {
			version = max(version, k.Version)
		}
	}
	for name := range s.broken {
		if digits, ok := strings.CutPrefix(name, s.prefix+kind+"/"); ok {
			if n, err := strconv.ParseUint(digits, 10, 64); err == nil && n <= maxVersion {
				version = max(version, n)
			}
		}
	}
	return version
}

// newest returns the living key of a kind with the highest version, or nil. It is not for data keys.
func (s *stored) newest(kind string) *storedKey {
	for i := len(s.keys) - 1; i >= 0; i-- {
		if k := &s.keys[i]; k.Kind == kind && k.Destroyed == nil && !k.Closed {
			return k
		}
	}
	return nil
}

// at returns the key whose row has this name, or nil.
func (s *stored) at(name string) *storedKey {
	for i := range s.keys {
		if s.keys[i].name == name {
			return &s.keys[i]
		}
	}
	return nil
}

// find returns the key of a kind with this id, or nil.
func (s *stored) find(kind string, id aead.KeyID) *storedKey {
	for i := range s.keys {
		if s.keys[i].Kind == kind && aead.KeyID(s.keys[i].ID) == id {
			return &s.keys[i]
		}
	}
	return nil
}

// tombstone is what is left of a key.
func (k *storedKey) tombstone(at time.Time, ref string) Change {
	left := keyRow{Format: rowFormat, Kind: k.Kind, Version: k.Version, ID: k.ID, Created: k.Created, Refs: k.Refs, Destroyed: &at, Ref: ref}
	return Change{Row: Row{Key: k.name, Value: encodeRow(left), Revision: k.revision}}
}

// wrapped returns a tenant's key as the KMS wrapped it.
func (k *storedKey) wrapped() (kms.Wrapped, error) {
	w, rest, err := kms.ParseWrapped(k.Wrapped)
	if err != nil || len(rest) != 0 {
		return kms.Wrapped{}, fmt.Errorf("%w: row %.400q holds no wrapped key", ErrFormat, k.name)
	}
	return w, nil
}
