package tlsconfig

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// policyVectors is testdata/signedpolicy.json: files byte for byte.
type policyVectors struct {
	Seed  string `json:"seed"`   // of the private key (RFC 8032 section 5.1.5), hexadecimal: for tests alone
	Key   string `json:"key"`    // public, hexadecimal
	KeyID string `json:"key_id"` // as files have it
	Files []struct {
		Name     string `json:"name"`
		Document string `json:"document"` // what is signed
		File     string `json:"file"`
		Error    bool   `json:"error,omitempty"` // nobody takes it
	} `json:"files"`
}

func readPolicyVectors(t testing.TB) (v policyVectors, key ed25519.PrivateKey) {
	data, err := os.ReadFile("testdata/signedpolicy.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &v))
	seed, err := hex.DecodeString(v.Seed)
	require.NoError(t, err)
	return v, ed25519.NewKeyFromSeed(seed)
}

// TestSignedPolicyVectors: the format stays what it is, byte for byte.
func TestSignedPolicyVectors(t *testing.T) {
	v, key := readPolicyVectors(t)
	public := key.Public().(ed25519.PublicKey)
	require.Equal(t, v.Key, hex.EncodeToString(public))
	require.Equal(t, v.KeyID, policyKeyID(public))
	require.Greater(t, len(v.Files), 5)
	for _, f := range v.Files {
		t.Run(f.Name, func(t *testing.T) {
			d, err := ParseSignedPolicy([]byte(f.File), public)
			if f.Error {
				require.ErrorIs(t, err, ErrInvalid)
				return
			}
			require.NoError(t, err)
			require.Equal(t, f.File, string(signDocument(key, []byte(f.Document))))
			again, err := SignPolicy(key, d)
			require.NoError(t, err)
			same, err := ParseSignedPolicy(again, public)
			require.NoError(t, err)
			require.Equal(t, d, same)
		})
	}
}

func TestSignPolicyRefuses(t *testing.T) {
	_, key := readPolicyVectors(t)
	p := Recommended()
	now := time.Now()
	good := PolicyDocument{Version: 1, NotBefore: now, Expires: now.Add(time.Hour), Policy: &p}
	_, err := SignPolicy(key, good)
	require.NoError(t, err)
	for name, change := range map[string]func(*PolicyDocument){
		"no version":          func(d *PolicyDocument) { d.Version = 0 },
		"a huge version":      func(d *PolicyDocument) { d.Version = 1 << 53 },
		"no expiry":           func(d *PolicyDocument) { d.Expires = time.Time{} },
		"over before it is":   func(d *PolicyDocument) { d.Expires = d.NotBefore },
		"a year of 5 digits":  func(d *PolicyDocument) { d.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"neither of policies": func(d *PolicyDocument) { d.Policy = nil },
	} {
		d := good
		change(&d)
		_, err := SignPolicy(key, d)
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	_, err = SignPolicy(key[:31], good)
	require.ErrorIs(t, err, ErrInvalid)
	halves := bytes.Clone(key)
	halves[40] ^= 1
	_, err = SignPolicy(halves, good)
	require.ErrorIs(t, err, ErrInvalid, "it would give the key away, beside a signature of it")
}

// forge returns a file for a public key of small order, which nobody has a private key of.
func forge(t *testing.T, key ed25519.PublicKey, document []byte) []byte {
	signature := make([]byte, ed25519.SignatureSize)
	signature[0] = 1 // R is the neutral element, and S is 0
	for !ed25519.Verify(key, signedPolicyMessage(document), signature) {
		document = append(document, ' ')
		require.Less(t, len(document), 10_000)
	}
	file, err := json.Marshal(signedPolicyFile{signedPolicyFormat, policyKeyID(key), base64.StdEncoding.EncodeToString(document), base64.StdEncoding.EncodeToString(signature)})
	require.NoError(t, err)
	return file
}

// TestForgeryForKeysOfSmallOrder: for these public keys, such as one of zeros that was never filled in, anybody can sign. They are all there are: 8 points, 6 of which have a second form.
func TestForgeryForKeysOfSmallOrder(t *testing.T) {
	v, _ := readPolicyVectors(t)
	require.Len(t, smallOrderPoints, 7)
	seen := map[string]bool{}
	for _, y := range smallOrderPoints {
		for _, sign := range []byte{0, 0x80} {
			key, err := hex.DecodeString(y)
			require.NoError(t, err)
			key[31] |= sign
			seen[string(key)] = true
			file := forge(t, key, []byte(v.Files[0].Document))
			_, err = ParseSignedPolicy(file, key)
			require.ErrorIs(t, err, ErrInvalid, "%x", key)
		}
	}
	require.Len(t, seen, 14)
}

// FuzzPolicyFile: nothing is taken that nobody signed, and what is signed is whole or an error.
func FuzzPolicyFile(f *testing.F) {
	v, key := readPolicyVectors(f)
	public := key.Public().(ed25519.PublicKey)
	signed := map[string]bool{}
	for _, file := range v.Files {
		f.Add([]byte(file.File))
		f.Add([]byte(file.Document))
		signed[file.Document] = true
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := ParseSignedPolicy(data, public); err == nil {
			var file signedPolicyFile
			require.NoError(t, json.Unmarshal(data, &file))
			document, err := base64.StdEncoding.DecodeString(file.Signed)
			require.NoError(t, err)
			require.True(t, signed[string(document)], "a forgery")
		} else {
			require.ErrorIs(t, err, ErrInvalid)
		}
		file := signDocument(key, bytes.Clone(data))
		d, err := ParseSignedPolicy(file, public)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		require.Positive(t, d.Version)
		require.True(t, d.Expires.After(d.NotBefore))
		require.True(t, d.Policy != nil || d.ReportOnly != nil)
		again, err := SignPolicy(key, d)
		require.NoError(t, err)
		same, err := ParseSignedPolicy(again, public)
		require.NoError(t, err)
		require.Equal(t, d, same)
	})
}
