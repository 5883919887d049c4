package envelope_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// receiptSigner is a key in an HSM: all that there is of it is a crypto.Signer.
type receiptSigner struct {
	key  ed25519.PrivateKey
	lies bool
	err  error
}

func (s receiptSigner) Public() crypto.PublicKey { return s.key.Public() }

func (s receiptSigner) Sign(_ io.Reader, message []byte, o crypto.SignerOpts) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	if o.HashFunc() != 0 {
		return nil, errors.New("want the message itself")
	}
	signature := ed25519.Sign(s.key, message)
	if s.lies {
		signature[3] ^= 1
	}
	return signature, nil
}

func receiptKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func receiptSample() *envelope.Receipt {
	at := time.Date(2026, 3, 1, 12, 0, 0, 7e6, time.UTC)
	return &envelope.Receipt{
		Deployment: "acme-prod", Tenant: `Smith & "Co" <ltd>`, SubjectRef: strings.Repeat("0a", 32), Ref: "DSR-118\n\u2028é", Basis: "Art. 17(1)(b)",
		Keys: []aead.KeyID{{1, 2, 3}, {0xff}}, KMSKeys: []string{"awskms:arn:aws:kms:eu-north-1:1:key/a", "local:b"},
		Requested: at, Fenced: at.Add(time.Millisecond), Destroyed: at.Add(time.Second), CachesClearBy: at.Add(time.Hour).Truncate(time.Second),
		Note: "Words.",
	}
}

const receiptGolden = `{"format":1,"deployment":"acme-prod","tenant":"Smith & \"Co\" <ltd>","scope":"subject",` +
	`"subject":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","ref":"DSR-118\n\u2028é","basis":"Art. 17(1)(b)",` +
	`"keys":["01020300000000000000000000000000","ff000000000000000000000000000000"],"subjects":0,"subject_keys":0,` +
	`"kms_keys":["awskms:arn:aws:kms:eu-north-1:1:key/a","local:b"],"requested":"2026-03-01T12:00:00.007Z","fenced":"2026-03-01T12:00:00.008Z",` +
	`"destroyed":"2026-03-01T12:00:01.007Z","caches_clear_by":"2026-03-01T13:00:00.000Z","backups_unreadable_after":"","note":"Words.","signer":""}`

func TestReceiptCanonicalForm(t *testing.T) {
	r := receiptSample()
	b, err := r.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, receiptGolden, string(b))
	got, err := envelope.ParseReceipt(b)
	require.NoError(t, err)
	require.Equal(t, r, got)

	escaped, err := json.Marshal(r)
	require.NoError(t, err)
	require.NotEqual(t, b, escaped)
	for _, form := range [][]byte{escaped, append(bytes.Clone(b), '\n'), append([]byte(" \n"), escaped...)} {
		got, err := envelope.ParseReceipt(form)
		require.NoError(t, err)
		require.Equal(t, r, got)
		again := envelope.Receipt{}
		require.NoError(t, json.Unmarshal(form, &again))
		require.Equal(t, *r, again)
	}

	tenant := &envelope.Receipt{Deployment: "d", Tenant: "t", Ref: "x", Subjects: 3, SubjectKeys: 4, BackupsUnreadableAfter: time.Date(2030, 1, 1, 0, 0, 0, 0, time.FixedZone("x", 3600)), Signer: "ab", Signature: []byte{1, 2}}
	b, err = tenant.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `{"format":1,"deployment":"d","tenant":"t","scope":"tenant","subject":"","ref":"x","basis":"","keys":[],"subjects":3,"subject_keys":4,"kms_keys":[],"requested":"","fenced":"",`+
		`"destroyed":"","caches_clear_by":"","backups_unreadable_after":"2029-12-31T23:00:00.000Z","note":"","signer":"ab","signature":"AQI="}`, string(b))
}

func TestParseReceiptRefuses(t *testing.T) {
	replace := func(old, new string) string {
		require.Contains(t, receiptGolden, old)
		return strings.Replace(receiptGolden, old, new, 1)
	}
	for name, text := range map[string]string{
		"empty":              "",
		"null":               "null",
		"array":              "[]",
		"nothing in it":      "{}",
		"trailing":           receiptGolden + "{}",
		"truncated":          receiptGolden[:len(receiptGolden)-1],
		"format":             replace(`"format":1`, `"format":2`),
		"unknown member":     replace(`"format":1`, `"format":1,"x":1`),
		"twice":              replace(`"format":1`, `"format":1,"tenant":"other"`),
		"twice later":        replace(`"signer":""`, `"signer":"","tenant":"other"`),
		"missing":            replace(`"basis":"Art. 17(1)(b)",`, ""),
		"order":              replace(`"format":1,"deployment":"acme-prod"`, `"deployment":"acme-prod","format":1`),
		"space":              replace(`"format":1`, `"format": 1`),
		"case":               replace(`"tenant"`, `"Tenant"`),
		"escape":             replace(`acme-prod`, `\u0061cme-prod`),
		"some escapes only":  replace(`<ltd>`, `\u003cltd>`),
		"scope":              replace(`"scope":"subject"`, `"scope":"tenant"`),
		"subject":            replace(`"subject":"0a`, `"subject":"0A`),
		"short subject":      replace(`"subject":"0a`, `"subject":"`),
		"key":                replace(`"ff00`, `"FF00`),
		"long key":           replace(`"ff00`, `"ffff00`),
		"null keys":          replace(`"keys":["01020300000000000000000000000000","ff000000000000000000000000000000"]`, `"keys":null`),
		"time zone":          replace(`12:00:00.007Z`, `13:00:00.007+01:00`),
		"no milliseconds":    replace(`12:00:00.007Z`, `12:00:00Z`),
		"nanoseconds":        replace(`12:00:00.007Z`, `12:00:00.007000Z`),
		"no time":            replace(`2026-03-01T12:00:00.007Z`, `2026-02-31T12:00:00.007Z`),
		"number as text":     replace(`"subjects":0`, `"subjects":"0"`),
		"exponent":           replace(`"subjects":0`, `"subjects":0e0`),
		"signature empty":    replace(`"signer":""`, `"signer":"","signature":""`),
		"signature no base":  replace(`"signer":""`, `"signer":"","signature":"*"`),
		"signature unpadded": replace(`"signer":""`, `"signer":"","signature":"AQI"`),
		"not UTF-8":          replace(`acme-prod`, "\xff"),
	} {
		_, err := envelope.ParseReceipt([]byte(text))
		require.ErrorIs(t, err, envelope.ErrFormat, name)
		require.Error(t, json.Unmarshal([]byte(text), new(envelope.Receipt)), name)
	}
}

func TestReceiptSignature(t *testing.T) {
	key := receiptKey(1)
	pub := key.Public().(ed25519.PublicKey)
	for name, signer := range map[string]crypto.Signer{"key": key, "HSM": receiptSigner{key: key}} {
		t.Run(name, func(t *testing.T) {
			fake, store := kmstest.NewFake("key"), memstore.New()
			acme := eraseRing(t, fake, store, &envelope.KeyringOptions{Signer: signer}).Tenant("acme")
			eraseSeal(t, acme.Subject("ada"))
			subject, err := acme.Subject("ada").Erase(t.Context(), erasure)
			require.NoError(t, err)
			again, err := acme.Subject("ada").Erase(t.Context(), erasure)
			require.NoError(t, err)
			require.Equal(t, subject, again)
			tenant, err := acme.Destroy(t.Context(), erasure, "acme")
			require.NoError(t, err)
			for _, receipt := range []*envelope.Receipt{subject, tenant} {
				require.NoError(t, receipt.Verify(pub))
				b, err := json.Marshal(receipt)
				require.NoError(t, err)
				parsed, err := envelope.ParseReceipt(b)
				require.NoError(t, err)
				require.NoError(t, parsed.Verify(pub))
				requireForeignVerify(t, receipt, pub)

				require.ErrorIs(t, receipt.Verify(receiptKey(2).Public().(ed25519.PublicKey)), envelope.ErrOpen)
				require.ErrorIs(t, receipt.Verify(nil), kms.ErrInvalid)
				require.ErrorIs(t, receipt.Verify(pub[:31]), kms.ErrInvalid)
				requireTamperSeen(t, receipt, pub)
			}
		})
	}
	require.ErrorIs(t, receiptSample().Verify(pub), envelope.ErrOpen) // unsigned
	misnamed := receiptSample()
	misnamed.Signer = strings.Repeat("00", 32)
	b, err := misnamed.MarshalJSON()
	require.NoError(t, err)
	misnamed.Signature = ed25519.Sign(key, append([]byte("holdfast/v1 receipt\x00"), b...))
	require.ErrorIs(t, misnamed.Verify(pub), envelope.ErrOpen)
	require.ErrorIs(t, (*envelope.Receipt)(nil).Verify(pub), kms.ErrInvalid)
}

// requireForeignVerify verifies as the page of the format says, without the package.
func requireForeignVerify(t *testing.T, receipt *envelope.Receipt, pub ed25519.PublicKey) {
	t.Helper()
	b, err := receipt.MarshalJSON()
	require.NoError(t, err)
	i := bytes.LastIndex(b, []byte(`,"signature":"`))
	require.Positive(t, i)
	signature, err := base64.StdEncoding.DecodeString(string(b[i+len(`,"signature":"`) : len(b)-2]))
	require.NoError(t, err)
	signed := append(append([]byte("holdfast/v1 receipt\x00"), b[:i]...), '}')
	require.True(t, ed25519.Verify(pub, signed, signature))
	require.Len(t, receipt.Signer, 64)
	_, err = hex.DecodeString(receipt.Signer)
	require.NoError(t, err)
}

// requireTamperSeen changes each field.
func requireTamperSeen(t *testing.T, receipt *envelope.Receipt, pub ed25519.PublicKey) {
	t.Helper()
	fields := reflect.TypeFor[envelope.Receipt]()
	for i := range fields.NumField() {
		changed := *receipt
		switch f := reflect.ValueOf(&changed).Elem().Field(i).Addr().Interface().(type) {
		case *string:
			*f += "0"
		case *int:
			*f++
		case *time.Time:
			*f = f.Add(time.Millisecond)
		case *[]string:
			*f = append([]string{"local:x"}, *f...)
		case *[]aead.KeyID:
			*f = append([]aead.KeyID{{1}}, *f...)
		case *[]byte:
			*f = append([]byte{(*f)[0] ^ 1}, (*f)[1:]...)
		default:
			t.Fatalf("no test for %s", fields.Field(i).Name)
		}
		require.ErrorIs(t, changed.Verify(pub), envelope.ErrOpen, fields.Field(i).Name)
	}
}

// A signature that can't be had, or that is none, stops the receipt; a repeat has it.
func TestReceiptSignerFails(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	record := eraseSeal(t, eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada"))
	for name, test := range map[string]struct {
		signer receiptSigner
		want   error
	}{
		"error": {receiptSigner{key: receiptKey(1), err: errEraseFault}, errEraseFault},
		"lie":   {receiptSigner{key: receiptKey(1), lies: true}, envelope.ErrOpen},
	} {
		ada := eraseRing(t, fake, store, &envelope.KeyringOptions{Signer: test.signer}).Tenant("acme").Subject("ada")
		receipt, err := ada.Erase(t.Context(), erasure)
		require.ErrorIs(t, err, test.want, name)
		require.Nil(t, receipt)
		requireErased(t, ada, record)
	}
	receipt, err := eraseRing(t, fake, store, &envelope.KeyringOptions{Signer: receiptKey(1)}).Tenant("acme").Subject("ada").Erase(t.Context(), erasure)
	require.NoError(t, err)
	require.NoError(t, receipt.Verify(receiptKey(1).Public().(ed25519.PublicKey)))
	_, err = envelope.NewKeyring("test", store, envelope.SingleRoot(eraseKey(t, fake)), &envelope.KeyringOptions{Signer: &rsa.PrivateKey{}})
	require.ErrorIs(t, err, kms.ErrInvalid)
}

func FuzzParseReceipt(f *testing.F) {
	f.Add([]byte(receiptGolden))
	signed := receiptSample()
	signed.Signer, signed.Signature = "ab", []byte{1, 2, 3}
	b, err := json.Marshal(signed)
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(strings.ReplaceAll(receiptGolden, "subject", "tenant")))
	f.Fuzz(func(t *testing.T, b []byte) {
		receipt, err := envelope.ParseReceipt(b)
		if err != nil {
			require.ErrorIs(t, err, envelope.ErrFormat)
			require.Nil(t, receipt)
			return
		}
		canonical, err := receipt.MarshalJSON()
		require.NoError(t, err)
		again, err := envelope.ParseReceipt(canonical)
		require.NoError(t, err)
		require.Equal(t, receipt, again)
		escaped, err := json.Marshal(receipt)
		require.NoError(t, err)
		b = bytes.TrimSpace(b)
		require.True(t, bytes.Equal(b, canonical) || bytes.Equal(b, escaped))
	})
}
