package local

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/kms"
)

const (
	formatName    = "holdfast key file"
	formatVersion = 1
	maxFile       = 1 << 20 // bytes: some 4000 versions
	keyIDSize     = 16

	enabled   = "enabled"
	disabled  = "disabled"
	destroyed = "destroyed"
)

// contents is what a key file says. It holds keys: clear it when done, and
// never print it.
type contents struct {
	Format        string    `json:"format"`
	FormatVersion int       `json:"format_version"`
	KeyID         string    `json:"key_id"`
	State         string    `json:"state"`
	Current       uint32    `json:"current"`
	DestroyedAt   time.Time `json:"destroyed_at,omitzero"`
	Passphrase    *stretch  `json:"passphrase,omitempty"`
	Versions      []version `json:"versions"`
}

// version is one version of the key, plain or sealed under the passphrase.
type version struct {
	Number  uint32    `json:"number"`
	Created time.Time `json:"created"`
	ID      string    `json:"id"`
	Key     []byte    `json:"key,omitempty"`
	Sealed  []byte    `json:"sealed,omitempty"`
}

// newContents returns a key with no version yet.
func newContents(p *stretch) *contents {
	id := make([]byte, keyIDSize)
	rand.Read(id) // never fails
	return &contents{
		Format: formatName, FormatVersion: formatVersion,
		KeyID: hex.EncodeToString(id), State: enabled, Passphrase: p,
	}
}

// parse reads a key file and believes nothing that write would not have written. Its errors
// repeat nothing of b, which holds keys.
func parse(b []byte) (*contents, error) {
	var head struct {
		Format        string `json:"format"`
		FormatVersion int    `json:"format_version"`
	}
	if err := json.Unmarshal(b, &head); err != nil || head.Format != formatName {
		return nil, fmt.Errorf("%w: this is no key file, or a damaged one: restore it from a backup", kms.ErrInvalid)
	}
	if head.FormatVersion > formatVersion {
		return nil, fmt.Errorf("%w: the file has format version %d, this release knows %d: upgrade it", kms.ErrInvalid, head.FormatVersion, formatVersion)
	}
	var c contents
	err := json.Unmarshal(b, &c)
	// encoding/json lets unknown, repeated and differently spelt names pass: what it read must
	// be all that there is.
	var again []byte
	if err == nil {
		again, err = json.Marshal(&c)
	}
	defer clear(again)
	var given bytes.Buffer
	given.Grow(len(b))
	defer func() { clear(given.Bytes()) }()
	if err == nil {
		err = json.Compact(&given, b)
	}
	if err != nil || !bytes.Equal(again, given.Bytes()) {
		c.clear()
		return nil, malformed("its fields")
	}
	if err := c.check(); err != nil {
		c.clear()
		return nil, err
	}
	return &c, nil
}

func malformed(what string) error {
	return fmt.Errorf("%w: the key file is damaged or was edited (%s): restore it from a backup", kms.ErrInvalid, what)
}

func (c *contents) check() error {
	gone := c.State == destroyed
	switch {
	case c.FormatVersion != formatVersion:
		return malformed("format_version")
	case !isHex(c.KeyID, keyIDSize):
		return malformed("key_id")
	case !gone && c.State != enabled && c.State != disabled:
		return malformed("state")
	case gone == c.DestroyedAt.IsZero() || gone && c.DestroyedAt.Location() != time.UTC:
		return malformed("destroyed_at")
	case gone && (len(c.Versions) > 0 || c.Passphrase != nil) || c.Current == 0 || !gone && int64(c.Current) != int64(len(c.Versions)):
		return malformed("versions")
	}
	if c.Passphrase != nil {
		if err := c.Passphrase.check(); err != nil {
			return err
		}
	}
	plain, sealed := aead.KeySize, 0
	if c.Passphrase != nil {
		plain, sealed = 0, aead.KeySize+aead.Overhead
	}
	for i, v := range c.Versions {
		if int64(v.Number) != int64(i+1) || v.Created.Location() != time.UTC || !isHex(v.ID, len(aead.KeyID{})) ||
			len(v.Key) != plain || len(v.Sealed) != sealed {
			return malformed(fmt.Sprintf("version %d", i+1))
		}
	}
	return nil
}

// encode returns the file's bytes. Clear them when done.
func (c *contents) encode() ([]byte, error) {
	if c.Versions == nil {
		c.Versions = []version{}
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kms.ErrInvalid, err)
	}
	b = append(b, '\n')
	if len(b) > maxFile {
		clear(b)
		return nil, fmt.Errorf("%w: the key file would exceed 1 MiB: it has too many versions", kms.ErrInvalid)
	}
	return b, nil
}

// rotate adds a version, sealed under kek if that is not nil.
func (c *contents) rotate(kek *aead.Key) {
	key := aead.NewKey()
	defer key.Destroy()
	v := version{
		Number:  uint32(len(c.Versions)) + 1,
		Created: now(),
		ID:      key.ID().String(),
		Key:     key.Bytes(),
	}
	if kek != nil {
		v.Sealed = kek.Seal(nil, v.Key, c.sealedUnder(v.Number))
		clear(v.Key)
		v.Key = nil
	}
	c.Versions = append(c.Versions, v)
	c.Current = v.Number
}

// destroy leaves a tombstone.
func (c *contents) destroy() {
	c.clear()
	c.State, c.DestroyedAt = destroyed, now()
	c.Passphrase, c.Versions = nil, nil
}

// wrappingKey returns the key that version number wraps with.
func (c *contents) wrappingKey(number int, kek *aead.Key) (*aead.Key, error) {
	v := c.Versions[number-1]
	raw := v.Key
	if kek != nil {
		var err error
		if raw, err = kek.Open(nil, v.Sealed, c.sealedUnder(v.Number)); err != nil {
			return nil, fmt.Errorf("%w: wrong passphrase, or the key file is damaged", kms.ErrAccessDenied)
		}
		defer clear(raw)
	}
	key, err := aead.ParseKey(raw)
	if err != nil {
		return nil, malformed(fmt.Sprintf("version %d", number))
	}
	defer key.Destroy()
	if key.ID().String() != v.ID {
		return nil, malformed(fmt.Sprintf("version %d", number))
	}
	derived := derive.Key((*[derive.Size]byte)(raw), "kms local")
	defer clear(derived[:])
	return aead.ParseKey(derived[:])
}

// sealedUnder returns the additional data of a sealed version.
func (c *contents) sealedUnder(number uint32) []byte {
	return derive.AppendParts(nil, []byte(formatName), []byte(c.KeyID), []byte(strconv.FormatUint(uint64(number), 10)))
}

// clear overwrites the keys.
func (c *contents) clear() {
	for _, v := range c.Versions {
		clear(v.Key)
	}
}

// now returns the time as the file keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

func isHex(s string, size int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == size && hex.EncodeToString(b) == s
}
