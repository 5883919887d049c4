package envelope_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

const (
	keyringFile = "testdata/keyring.json"            // records and streams of a keyring, and its rows
	vectorKeyID = "42424242424242424242424242424242" // of every local key
)

func TestKeyringVectors(t *testing.T) {
	o := newVectorOpener(t)
	for _, v := range vectors.Load(t, keyringFile) {
		t.Run(v.Name, func(t *testing.T) {
			out, class := o.run(v)
			require.Equal(t, v.Expect, class)
			if v.Expect == "ok" {
				require.Equal(t, *v.Out, hex.EncodeToString(out))
			} else {
				require.Nil(t, out)
			}
		})
	}
}

// vectorOpener does what vectors say.
type vectorOpener struct {
	t    testing.TB
	keks map[string]*kms.Key       // by file key
	bare map[string]envelope.Scope // with a given data key, by it
}

func newVectorOpener(t testing.TB) *vectorOpener {
	return &vectorOpener{t, map[string]*kms.Key{}, map[string]envelope.Scope{}}
}

// run returns what a vector gives, and its class.
func (o *vectorOpener) run(v vectors.Vector) ([]byte, string) {
	o.t.Helper()
	in := vectors.Unhex(o.t, v.In)
	var out []byte
	var err error
	switch v.Kind {
	case "bind":
		out = o.bound(v)
	case "subject ref":
		key := derive.Key((*[derive.Size]byte)(vectors.Unhex(o.t, v.Key)), "subject ref")
		out = vectorHMAC(key[:], in)
	case "record":
		var k *aead.Key
		k, err = aead.ParseKey(vectors.Unhex(o.t, v.Key))
		require.NoError(o.t, err)
		out, err = k.Open(nil, in, vectors.Unhex(o.t, v.AAD))
	case "managed record":
		out, err = o.scope(v).Open(context.Background(), in, o.binding(v))
	case "managed stream":
		out, err = o.stream(v, in)
	default:
		require.Fail(o.t, "unknown kind", v.Kind)
	}
	switch class := envelope.Class(err); class {
	case "kms_not_found": // wrapped under another key than the one at hand
		return out, "open"
	case "too_large": // segments
		return out, "format"
	default:
		return out, class
	}
}

// stream opens a stream in both ways, which must agree where it is good.
func (o *vectorOpener) stream(v vectors.Vector, in []byte) ([]byte, error) {
	scope, b := o.scope(v), o.binding(v)
	at, err := scope.NewReaderAt(context.Background(), bytes.NewReader(in), int64(len(in)), b, nil)
	var some []byte
	if err == nil {
		section := io.NewSectionReader(at, 0, at.Size())
		if len(v.Range) == 2 {
			section = io.NewSectionReader(at, v.Range[0], v.Range[1])
		}
		if some, err = io.ReadAll(section); err != nil {
			some = nil
		}
	}
	if len(v.Range) == 2 {
		return some, err
	}
	all, errAll := o.readAll(scope, b, in)
	require.Equal(o.t, errAll == nil, err == nil, "%v, %v", errAll, err)
	require.Equal(o.t, string(all), string(some))
	return all, errAll
}

func (o *vectorOpener) readAll(scope envelope.Scope, b envelope.Binding, in []byte) ([]byte, error) {
	r, err := scope.NewReader(context.Background(), bytes.NewReader(in), b, nil)
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// bound returns the parts of a vector's binding by the formula.
func (o *vectorOpener) bound(v vectors.Vector) []byte {
	var parts [][]byte
	for _, p := range v.Parts {
		parts = append(parts, vectors.Unhex(o.t, p))
	}
	return derive.AppendParts(nil, parts...)
}

func (o *vectorOpener) binding(v vectors.Vector) envelope.Binding {
	var parts []string
	for _, p := range v.Parts {
		parts = append(parts, string(vectors.Unhex(o.t, p)))
	}
	return envelope.Bind(parts...)
}

// scope returns who opens a vector: the scope that it names, or any with its data key.
func (o *vectorOpener) scope(v vectors.Vector) envelope.Scope {
	if s := v.Stored; s != nil {
		tenant := o.keyring(o.kek(v.LocalKey), s.Deployment, s.Rows).Tenant(s.Tenant)
		if s.Subject != "" {
			return tenant.Subject(s.Subject)
		}
		return tenant
	}
	if o.bare[v.DataKey] == nil {
		kek := o.kek(hex.EncodeToString(vectorKey(0)))
		name, value := vectorRow(o.t, kek, "d", "t", "data", 1, vectors.Unhex(o.t, v.DataKey))
		o.bare[v.DataKey] = o.keyring(kek, "d", map[string]string{name: value}).Tenant("t")
	}
	return o.bare[v.DataKey]
}

// keyring returns a Keyring over rows, in a process that has seen nothing of them yet.
func (o *vectorOpener) keyring(kek *kms.Key, deployment string, rows map[string]string) *envelope.Keyring {
	store := memstore.New()
	for name, value := range rows {
		require.NoError(o.t, store.Apply(context.Background(), envelope.Change{Row: envelope.Row{Key: name, Value: []byte(value)}}))
	}
	r, err := envelope.NewKeyring(deployment, store, envelope.SingleRoot(kek), &envelope.KeyringOptions{AllowUnbound: true, RotateAfter: -1})
	require.NoError(o.t, err)
	o.t.Cleanup(func() { require.NoError(o.t, r.Close()) })
	return r
}

// kek returns the local key whose only version has this key material.
func (o *vectorOpener) kek(file string) *kms.Key {
	if o.keks[file] == nil {
		raw := vectors.Unhex(o.t, file)
		k, err := aead.ParseKey(raw)
		require.NoError(o.t, err)
		path := filepath.Join(o.t.TempDir(), "key.json")
		require.NoError(o.t, os.WriteFile(path, fmt.Appendf(nil, `{"format":"holdfast key file","format_version":1,"key_id":%q,"state":"enabled","current":1,`+
			`"versions":[{"number":1,"created":"2026-01-01T00:00:00Z","id":%q,"key":%q}]}`,
			vectorKeyID, k.ID(), base64.StdEncoding.EncodeToString(raw)), 0o600))
		f, err := local.Open(path, nil)
		require.NoError(o.t, err)
		o.t.Cleanup(func() { require.NoError(o.t, f.Close()) })
		o.keks[file] = f.Key()
	}
	return o.keks[file]
}

// vectorKey is 32 bytes that count from first.
func vectorKey(first byte) []byte {
	b := make([]byte, derive.Size)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// vectorRow is the row of a tenant's key, made by hand from FORMAT.md section 6.
func vectorRow(t testing.TB, kek *kms.Key, deployment, tenant, kind string, version int, key []byte) (name, value string) {
	t.Helper()
	commitment := derive.Commitment((*[derive.Size]byte)(key))
	return vectorForgedRow(t, kek, deployment, tenant, kind, version, key, commitment[:])
}

// vectorForgedRow is vectorRow for whoever may use the KMS key and lies about the commitment.
func vectorForgedRow(t testing.TB, kek *kms.Key, deployment, tenant, kind string, version int, key, commitment []byte) (name, value string) {
	t.Helper()
	w, err := kek.Wrap(reserved.Allow(context.Background()), key, kms.Context{
		"holdfast:commitment": hex.EncodeToString(commitment),
		"holdfast:deployment": deployment,
		"holdfast:kind":       kind,
		"holdfast:purpose":    "tenant-key",
		"holdfast:tenant":     tenant,
		"holdfast:version":    fmt.Sprint(version),
	})
	require.NoError(t, err)
	wrapped, err := w.AppendBinary(nil)
	require.NoError(t, err)
	return fmt.Sprintf("tenant/%s/%s/%010d", tenant, kind, version), fmt.Sprintf(
		`{"format":1,"kind":%q,"version":%d,"id":"%x","commitment":"%x","created":"2000-01-01T00:00:00Z","wrapped":%q,"refs":[%q]}`,
		kind, version, commitment[:16], commitment, base64.StdEncoding.EncodeToString(wrapped), w.Ref)
}
