package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms/local"
)

const (
	encFile  = "testdata/enc.json"                // sealed texts, and the rows that open them
	encKey   = "42424242424242424242424242424242" // id of the local key
	encKind  = "sealed text"
	encPlace = "primary/db"
)

var update = flag.Bool("update", false, "write "+encFile+" anew")

// TestEncVectors opens what an earlier release has sealed. parts are those of the binding: "secret" and the place. in is the text, of which the vectors
// of internal/vectors have the bytes in hex.
func TestEncVectors(t *testing.T) {
	for _, v := range vectors.Load(t, encFile) {
		t.Run(v.Name, func(t *testing.T) {
			require.Equal(t, encKind, v.Kind)
			out, class := encRun(t, v)
			require.Equal(t, v.Expect, class)
			if v.Expect == "ok" {
				require.Equal(t, *v.Out, hex.EncodeToString([]byte(out)))
			} else {
				require.Empty(t, out)
			}
		})
	}
}

func encRun(t *testing.T, v vectors.Vector) (out, class string) {
	t.Helper()
	require.Len(t, v.Parts, 2)
	require.Equal(t, "secret", string(vectors.Unhex(t, v.Parts[0])))
	place, in := string(vectors.Unhex(t, v.Parts[1])), string(vectors.Unhex(t, v.In))
	store := memstore.New()
	for name, value := range v.Rows {
		require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: name, Value: []byte(value)}}))
	}
	text, err := secret.OpenText(t.Context(), encKeyring(t, v.LocalKey, v.Deployment, store).Tenant(v.Tenant), place, in)
	if errors.Is(err, secret.ErrNotSealed) {
		return text.Reveal(), "not_sealed"
	}
	return text.Reveal(), envelope.Class(err)
}

func encKeyring(t *testing.T, key, deployment string, store envelope.Store) *envelope.Keyring {
	t.Helper()
	raw := vectors.Unhex(t, key)
	k, err := aead.ParseKey(raw)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `{"format":"holdfast key file","format_version":1,"key_id":%q,"state":"enabled","current":1,`+
		`"versions":[{"number":1,"created":"2026-01-01T00:00:00Z","id":%q,"key":%q}]}`, encKey, k.ID(), base64.StdEncoding.EncodeToString(raw)), 0o600))
	f, err := local.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	r, err := envelope.NewKeyring(deployment, store, envelope.SingleRoot(f.Key()), &envelope.KeyringOptions{RotateAfter: -1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// TestUpdateEncVectors writes the vectors.
func TestUpdateEncVectors(t *testing.T) {
	vectors.BeginUpdate(t, *update, 9)
	bubble.Test(t, func(t *testing.T) { // rows hold times
		const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		store := memstore.New()
		tn := encKeyring(t, key, "acme-prod", store).Tenant("config")
		_, err := tn.Create(t.Context())
		require.NoError(t, err)
		list, err := store.List(t.Context(), "", "", 1000)
		require.NoError(t, err)
		rows := map[string]string{}
		for _, r := range list {
			if r.Key != "fleet" {
				rows[r.Key] = string(r.Value)
			}
		}
		var all []vectors.Vector
		add := func(name, place, in, expect, out string) {
			v := vectors.Vector{
				Name: name, Kind: encKind, Expect: expect, LocalKey: key, KeyID: encKey,
				Parts:  []string{hex.EncodeToString([]byte("secret")), hex.EncodeToString([]byte(place))},
				Stored: &vectors.Stored{Deployment: "acme-prod", Tenant: "config", Rows: maps.Clone(rows)},
				In:     hex.EncodeToString([]byte(in)),
			}
			if expect == "ok" {
				v.Out = vectors.Hex([]byte(out))
			}
			got, class := encRun(t, v)
			require.Equal(t, expect, class, name)
			require.Equal(t, out, got, name)
			all = append(all, v)
		}
		dsn := "postgres://app:hunter2@db.example/app"
		sealed := sealedText(t, tn, encPlace, dsn)
		add("text", encPlace, sealed, "ok", dsn)
		add("white space around", encPlace, " \t"+sealed+"\r\n", "ok", dsn)
		for _, s := range []string{"x", "é", "\x00\xff", strings.Repeat("s", 1000)} {
			add(fmt.Sprintf("text of %d bytes", len(s)), "db", sealedText(t, tn, "db", s), "ok", s)
		}
		add("another place", "db", sealed, "open", "")
		add("another boundary of the place", "primary", sealed, "open", "")
		body := strings.TrimPrefix(sealed, "enc:v1:")
		add("version 2", encPlace, "enc:v2:"+body, "format", "")
		add("upper case", encPlace, "ENC:v1:"+body, "not_sealed", "")
		add("plaintext", encPlace, "hunter2", "not_sealed", "")
		add("padding", encPlace, sealed+"=", "format", "")
		add("line break", encPlace, sealed[:40]+"\n"+sealed[40:], "format", "")
		short := sealedText(t, tn, "db", "12") // 59 bytes: the last character has two bits to spare
		add("bits to spare", "db", short[:len(short)-1]+string(short[len(short)-1]+1), "format", "")
		add("cut", encPlace, sealed[:47], "truncated", "")
		add("nothing", encPlace, "enc:v1:", "truncated", "")
		vectors.Write(t, encFile, all)
	})
}
