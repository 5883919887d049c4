package envelope

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/aead"
)

// Receipt says what an erasure destroyed and from when on. It holds no identifier of a subject. As JSON it has the canonical form of FORMAT.md section 6, which a Signer signs: see [Receipt.MarshalJSON].
type Receipt struct {
	Deployment string
	Tenant     string
	SubjectRef string       // of an erased subject: lower-case hex of an HMAC under a key of the tenant's; "" for a tenant
	Ref        string       // of the Erasure that fenced the scope
	Basis      string       // likewise
	Keys       []aead.KeyID // every key that the scope had, all destroyed now; of a tenant without those of its subjects
	Subjects   int          // of a destroyed tenant
	// SubjectKeys is how many versions of keys these had.
	SubjectKeys int
	KMSKeys     []string // the KMS keys that ever wrapped the keys above or, of a subject, the wrap keys above them, as kms.Ref.String says; ascending

	Requested time.Time // when the Erase began that fenced the scope
	Fenced    time.Time // when that was written to the store, by the clock of the process that did
	Destroyed time.Time // when nothing was left in the store
	// CachesClearBy is when the last process has ceased to use what it had in memory: the longest CacheTTL of all after the fence. Memory of an idle process may hold a key longer, which it does not use.
	CachesClearBy time.Time
	// BackupsUnreadableAfter is when copies of the store, such as backups, don't open the data any more: when the last of KMSKeys is destroyed, if all wrap keys that can have wrapped the subject's key are
	// replaced ([Keyring.Compact]) and all of KMSKeys are destroyed or scheduled for it. Zero otherwise: whoever has an older copy and may use the KMS key can open the data.
	BackupsUnreadableAfter time.Time
	Note                   string // the same in words

	Signer    string // lower-case hex of SHA-256 of the Ed25519 public key that signed; "" where nobody did
	Signature []byte
}

// The notes.
const (
	noteOpen   = "Copies of the key store from before the erasure open this data for whoever may use the KMS keys listed."
	noteClosed = "Copies of the key store open none of this data after backups_unreadable_after, unless the destruction of a KMS key listed is called off or its material was kept elsewhere."
	noteNever  = "The key store has no trace of a key, so there is nothing to open."
)

// receiptJSON is the canonical form: these members in this order.
type receiptJSON struct {
	Format        int      `json:"format"`
	Deployment    string   `json:"deployment"`
	Tenant        string   `json:"tenant"`
	Scope         string   `json:"scope"`
	Subject       string   `json:"subject"`
	Ref           string   `json:"ref"`
	Basis         string   `json:"basis"`
	Keys          []hexID  `json:"keys"`
	Subjects      int      `json:"subjects"`
	SubjectKeys   int      `json:"subject_keys"`
	KMSKeys       []string `json:"kms_keys"`
	Requested     string   `json:"requested"`
	Fenced        string   `json:"fenced"`
	Destroyed     string   `json:"destroyed"`
	CachesClearBy string   `json:"caches_clear_by"`
	Backups       string   `json:"backups_unreadable_after"`
	Note          string   `json:"note"`
	Signer        string   `json:"signer"`
	Signature     []byte   `json:"signature,omitempty"`
}

const receiptTime = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(receiptTime)
}

// MarshalJSON returns the canonical form: the members in a fixed order, no spaces, times in UTC with milliseconds. json.Marshal changes the characters <, > and & in it to escapes, which ParseReceipt takes as well; any other change, such as
// indentation, it refuses.
func (r *Receipt) MarshalJSON() ([]byte, error) { return r.canonical(r.Signature), nil }

// canonical returns the canonical form with a signature, or without one what is signed.
func (r *Receipt) canonical(signature []byte) []byte {
	j := receiptJSON{
		Format: rowFormat, Deployment: r.Deployment, Tenant: r.Tenant, Scope: "tenant", Subject: r.SubjectRef, Ref: r.Ref, Basis: r.Basis,
		Keys: make([]hexID, len(r.Keys)), Subjects: r.Subjects, SubjectKeys: r.SubjectKeys, KMSKeys: append([]string{}, r.KMSKeys...),
		Requested: stamp(r.Requested), Fenced: stamp(r.Fenced), Destroyed: stamp(r.Destroyed), CachesClearBy: stamp(r.CachesClearBy),
		Backups: stamp(r.BackupsUnreadableAfter), Note: r.Note, Signer: r.Signer, Signature: signature,
	}
	if r.SubjectRef != "" {
		j.Scope = "subject"
	}
	for i, id := range r.Keys {
		j.Keys[i] = hexID(id)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(j); err != nil {
		panic("envelope: internal error: " + err.Error()) // plain values
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// ParseReceipt reads a receipt in its canonical form, as MarshalJSON and json.Marshal write it; white space around it does not matter. It fails with ErrFormat on everything else. It verifies nothing: call [Receipt.Verify].
func ParseReceipt(b []byte) (*Receipt, error) { return edge(parseReceipt(b)) }

// UnmarshalJSON is ParseReceipt.
func (r *Receipt) UnmarshalJSON(b []byte) error {
	parsed, err := ParseReceipt(b)
	if err == nil {
		*r = *parsed
	}
	return err
}

func parseReceipt(b []byte) (*Receipt, error) {
	b = bytes.TrimSpace(b)
	var j receiptJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, fmt.Errorf("%w: a receipt does not decode", ErrFormat)
	}
	r := &Receipt{
		Deployment: j.Deployment, Tenant: j.Tenant, SubjectRef: j.Subject, Ref: j.Ref, Basis: j.Basis, Subjects: j.Subjects, SubjectKeys: j.SubjectKeys, KMSKeys: j.KMSKeys, Note: j.Note,
		Signer: j.Signer, Signature: j.Signature,
	}
	for _, id := range j.Keys {
		r.Keys = append(r.Keys, aead.KeyID(id))
	}
	for _, t := range []struct {
		text string
		into *time.Time
	}{
		{j.Requested, &r.Requested}, {j.Fenced, &r.Fenced}, {j.Destroyed, &r.Destroyed}, {j.CachesClearBy, &r.CachesClearBy}, {j.Backups, &r.BackupsUnreadableAfter},
	} {
		if t.text == "" {
			continue
		}
		at, err := time.Parse(receiptTime, t.text)
		if err != nil {
			return nil, fmt.Errorf("%w: a time of a receipt is not in UTC with milliseconds", ErrFormat)
		}
		*t.into = at
	}
	if ref := (hexBytes{}); j.Subject != "" && ref.UnmarshalText([]byte(j.Subject)) != nil {
		return nil, fmt.Errorf("%w: the subject of a receipt is not 64 hex digits", ErrFormat)
	}
	// What differs from what we would have written is refused: other members, twice the same one, another order, other escapes.
	var escaped bytes.Buffer
	canonical := r.canonical(r.Signature)
	json.HTMLEscape(&escaped, canonical)
	if !bytes.Equal(b, canonical) && !bytes.Equal(b, escaped.Bytes()) {
		return nil, fmt.Errorf("%w: a receipt is not in its canonical form", ErrFormat)
	}
	return r, nil
}
