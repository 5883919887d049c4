package clienthello

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Messages of servers, made by hand.

func record(kind byte, body []byte) []byte { return append([]byte{kind, 3, 3}, vector16(body)...) }

func message(kind byte, body []byte) []byte { return append([]byte{kind, 0}, vector16(body)...) }

func extension(id uint16, body []byte) []byte {
	return append(be.AppendUint16(nil, id), vector16(body)...)
}

// serverHello returns one of legacy version 1.2 without a session.
func serverHello(random [32]byte, suite uint16, extensions ...[]byte) []byte {
	body := be.AppendUint16(nil, tls.VersionTLS12)
	body = append(body, random[:]...)
	body = append(body, 0)
	body = be.AppendUint16(body, suite)
	body = append(body, 0)
	if extensions != nil {
		body = append(body, vector16(slices.Concat(extensions...))...)
	}
	return message(typeServerHello, body)
}

// keyExchange returns a ServerKeyExchange of TLS 1.2.
func keyExchange(params []byte) []byte {
	signature := append([]byte{4, 1}, vector16(make([]byte, 256))...)
	return message(typeServerKeyExchange, append(params, signature...))
}

var (
	version13 = extension(extSupportedVersions, []byte{3, 4})
	group29   = extension(extKeyShare, []byte{0, 29})
	curve     = append([]byte{3, 0, 23}, vector8(make([]byte, 65))...)
	prime     = slices.Concat(vector16(append([]byte{0xff}, make([]byte, 767)...)), []byte{0, 1, 2}, vector16(make([]byte, 768))) // 6144 bits: begins like a curve
	hello12   = serverHello([32]byte{}, 0xc02f, extension(extALPN, vector16(vector8([]byte("h2")))))
	hello13   = serverHello([32]byte{}, 0x1301, version13, extension(extKeyShare, append([]byte{0, 29}, vector16(make([]byte, 32))...)))
	retry13   = serverHello(retryRandom, 0x1302, version13, group29)
	agreed12  = Answer{Outcome: Agreed, Version: tls.VersionTLS12, Suite: 0xc02f, Protocol: "h2"}
	agreed13  = Answer{Outcome: Agreed, Version: tls.VersionTLS13, Suite: 0x1301, Group: tls.X25519}
)

// answers are what servers may send, and what it says.
var answers = []struct {
	name string
	sent []byte
	want Answer
}{
	{"nothing", nil, Answer{Outcome: Closed}},
	{"alert", record(recordAlert, []byte{2, 40}), Answer{Outcome: Refused, Alert: 40}},
	{"close_notify", record(recordAlert, []byte{1, 0}), Answer{Outcome: Refused, Alert: 0}},
	{"warning and nothing", record(recordAlert, []byte{1, 112}), Answer{Outcome: Refused, Alert: 112}},
	{"warning and answer", append(record(recordAlert, []byte{1, 112}), record(recordHandshake, hello13)...), agreed13},
	{"TLS 1.3", record(recordHandshake, hello13), agreed13},
	{"TLS 1.3 and more", append(record(recordHandshake, hello13), 20, 3, 3, 0, 1, 1, 23), agreed13},
	{"retry", record(recordHandshake, retry13), Answer{Outcome: Agreed, Version: tls.VersionTLS13, Suite: 0x1302, Group: tls.X25519, Retry: true}},
	{"TLS 1.2, curve", record(recordHandshake, slices.Concat(hello12, message(11, make([]byte, 500)), keyExchange(curve))), with(agreed12, tls.CurveP256)},
	{"TLS 1.2, curve, no signature", record(recordHandshake, slices.Concat(hello12, message(typeServerKeyExchange, curve))), with(agreed12, tls.CurveP256)},
	{"TLS 1.2, finite field", record(recordHandshake, slices.Concat(hello12, message(11, make([]byte, 500)), keyExchange(prime))), agreed12},
	{"TLS 1.2, RSA", record(recordHandshake, slices.Concat(hello12, message(11, nil), message(typeServerHelloDone, nil))), agreed12},
	{"TLS 1.2, no extensions", record(recordHandshake, append(serverHello([32]byte{}, 5), message(typeServerHelloDone, nil)...)), Answer{Outcome: Agreed, Version: tls.VersionTLS12, Suite: 5}},
	{"refused after the hello", append(record(recordHandshake, hello12), record(recordAlert, []byte{2, 80})...), Answer{Outcome: Refused, Alert: 80}},
}

func with(a Answer, group tls.CurveID) Answer {
	a.Group = group
	return a
}

func TestReadAnswer(t *testing.T) {
	for _, c := range answers {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAnswer(bytes.NewReader(c.sent))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestReadAnswerInPieces(t *testing.T) {
	var pieces []byte
	for _, b := range slices.Concat(hello12, keyExchange(curve)) {
		pieces = append(pieces, record(recordHandshake, []byte{b})...)
	}
	got, err := readAnswer(bytes.NewReader(pieces))
	require.NoError(t, err)
	require.Equal(t, with(agreed12, tls.CurveP256), got)
}

func TestReadAnswerOfWhatIsNone(t *testing.T) {
	endless := bytes.Repeat(record(recordHandshake, message(11, make([]byte, 8000))), 100)
	for _, c := range []struct {
		name string
		sent []byte
	}{
		{"HTTP", []byte("HTTP/1.1 400 Bad Request\r\n")},
		{"SSL 2.0", []byte{0x80, 0x2e, 1, 0, 2, 0, 0}},
		{"half a header", []byte{22, 3}},
		{"half a record", []byte{22, 3, 3, 0, 9, 2}},
		{"empty record", record(recordHandshake, nil)},
		{"long record", record(recordHandshake, make([]byte, maxRecord+1))},
		{"another record", record(23, []byte{1})},
		{"long alert", record(recordAlert, []byte{2, 40, 0})},
		{"another message", record(recordHandshake, message(1, nil))},
		{"key exchange first", record(recordHandshake, keyExchange(curve))},
		{"half a hello", record(recordHandshake, hello13[:50])},
		{"short hello", record(recordHandshake, message(typeServerHello, hello13[4:50]))},
		{"long hello", record(recordHandshake, message(typeServerHello, append(hello13[4:], 0)))},
		{"short extension", record(recordHandshake, serverHello([32]byte{}, 0x1301, version13, extension(extKeyShare, []byte{0})))},
		{"version of tomorrow", record(recordHandshake, serverHello([32]byte{}, 0x1301, extension(extSupportedVersions, []byte{3, 5})))},
		{"retry of TLS 1.2", record(recordHandshake, serverHello(retryRandom, 0x1302))},
		{"hello and no more", record(recordHandshake, hello12)},
		{"no end", append(record(recordHandshake, hello12), endless...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := bytes.NewReader(c.sent)
			got, err := readAnswer(r)
			require.ErrorIs(t, err, ErrNotTLS)
			require.Zero(t, got)
			require.LessOrEqual(t, len(c.sent)-r.Len(), maxAnswer)
			require.Less(t, len(err.Error()), 200)
		})
	}
}

// FuzzReadAnswer: no panic, no more than the limit is read, and an answer says something.
func FuzzReadAnswer(f *testing.F) {
	for _, c := range answers {
		f.Add(c.sent)
	}
	f.Add([]byte(strings.Repeat("HTTP/1.1", 10)))
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := bytes.NewReader(sent)
		got, err := readAnswer(r)
		require.LessOrEqual(t, len(sent)-r.Len(), maxAnswer)
		switch {
		case err != nil:
			require.ErrorIs(t, err, ErrNotTLS)
			require.Zero(t, got)
		case got.Outcome == Agreed:
			require.GreaterOrEqual(t, got.Version, uint16(versionSSL30), hex.EncodeToString(sent))
			require.LessOrEqual(t, got.Version, uint16(tls.VersionTLS13))
			require.Zero(t, got.Alert)
		case got.Outcome == Refused:
			require.Equal(t, Answer{Outcome: Refused, Alert: got.Alert}, got)
		default:
			require.Equal(t, Answer{Outcome: Closed}, got)
			require.Empty(t, sent)
		}
	})
}
