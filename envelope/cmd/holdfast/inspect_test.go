package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/secret"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

var (
	inspectBinding = envelope.Bind("users", "email", "7")
	inspectContext = kms.Context{"object": "invoices/7\x1b[2J", "tenant": "acme"}
)

func inspectRecord(t testing.TB, tn envelope.Tenant) []byte {
	t.Helper()
	record, err := tn.Seal(t.Context(), []byte(plaintext), inspectBinding)
	require.NoError(t, err)
	return record
}

func inspectStream(t testing.TB, tn envelope.Tenant, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := tn.NewWriter(t.Context(), &b, inspectBinding, &aead.StreamOptions{SegmentSize: 1024})
	require.NoError(t, err)
	_, err = w.Write(make([]byte, size))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func inspectMessage(t testing.TB) []byte {
	t.Helper()
	one, err := kms.NewKey(kmstest.NewFake("one").Driver(), nil)
	require.NoError(t, err)
	defer one.Close()
	two, err := kms.NewKey(kmstest.NewFake("two").Driver(), nil)
	require.NoError(t, err)
	defer two.Close()
	both, err := kms.AnyOf([]*kms.Key{one, two}, nil)
	require.NoError(t, err)
	defer both.Close()
	s, err := envelope.NewSealer(both, nil)
	require.NoError(t, err)
	message, err := s.Seal(t.Context(), []byte(plaintext), inspectContext)
	require.NoError(t, err)
	return message
}

// inspectRun returns the page, with single spaces.
func inspectRun(t *testing.T, in []byte) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, inspect(bytes.NewReader(in), &out))
	require.Contains(t, out.String(), "unauthenticated")
	require.NotContains(t, out.String(), "hunter2")
	require.NotContains(t, out.String(), "\x1b", "a terminal must not obey what was read")
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestInspect(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("acme")
	record, stream, message := inspectRecord(t, tn), inspectStream(t, tn, 3_000_000), inspectMessage(t)
	id := hex.EncodeToString(record[1:17])
	sealed, err := secret.SealText(t.Context(), tn, "db", secret.NewText(plaintext))
	require.NoError(t, err)

	for form, in := range map[string]string{
		"bytes":  string(record),
		"hex":    hex.EncodeToString(record),
		"base64": base64.StdEncoding.EncodeToString(record),
	} {
		page := inspectRun(t, []byte(in))
		for _, want := range []string{"record", "of 94 bytes", "key id " + id, "plaintext 37 bytes", "place unknown", "written as " + form} {
			require.Contains(t, page, want)
		}
	}
	for _, in := range []string{
		sealed, "\n" + sealed + "\r\n", `\x` + hex.EncodeToString(record) + "\n", "0x" + strings.ToUpper(hex.EncodeToString(record)),
		base64.RawURLEncoding.EncodeToString(record), base64.URLEncoding.EncodeToString(record),
		base64.StdEncoding.EncodeToString(record)[:76] + "\n" + base64.StdEncoding.EncodeToString(record)[76:] + "\n",
	} {
		require.Contains(t, inspectRun(t, []byte(in)), "plaintext 37 bytes", in)
	}
	require.Contains(t, inspectRun(t, []byte(sealed)), "written as a sealed text (enc:v1)")

	page := inspectRun(t, stream)
	for _, want := range []string{"stream", "key id " + id, "plaintext 3000000 bytes, in segments of 1024", "place unknown"} {
		require.Contains(t, page, want)
	}
	page = inspectRun(t, message)
	for _, want := range []string{"message", "plaintext 37 bytes", `"tenant" = "acme"`, `"object" = "invoices/7\x1b[2J"`, `:one"`, `:two"`, "header "} {
		require.Contains(t, page, want)
	}
}

func TestInspectRefuses(t *testing.T) {
	tn := envelopetest.New(t, nil).Tenant("acme")
	record, stream, message := inspectRecord(t, tn), inspectStream(t, tn, 5000), inspectMessage(t)
	odd := bytes.Clone(stream)
	odd[19] = 0xff // segments of 4 GiB
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":                   {nil, envelope.ErrTruncated},
		"text":                      {[]byte(plaintext), errUnknown},
		"white space":               {[]byte(" \n"), errUnknown},
		"other bytes":               {[]byte{0xf4, 0, 0, 0}, errUnknown},
		"other bytes in hex":        {[]byte("f4000000"), errUnknown},
		"long text":                 {bytes.Repeat([]byte("f5"), maxHead), errUnknown},
		"later format":              {[]byte{0xf8, 1}, envelope.ErrFormat},
		"record cut":                {record[:50], envelope.ErrTruncated},
		"record too long":           {append(bytes.Clone(record), make([]byte, envelope.MaxRecord)...), envelope.ErrFormat},
		"stream cut in its id":      {stream[:10], envelope.ErrTruncated},
		"stream cut in its header":  {stream[:80], envelope.ErrTruncated},
		"stream without a segment":  {stream[:91], envelope.ErrTruncated},
		"stream with odd segments":  {odd, envelope.ErrFormat},
		"message cut in its header": {message[:100], envelope.ErrTruncated},
		"message of version 2":      {append([]byte{0xf6, 2}, message[2:]...), envelope.ErrFormat},
		"sealed text, version 2":    {[]byte("enc:v2:9Q"), envelope.ErrFormat},
		"sealed text, no record":    {[]byte("enc:v1:"), envelope.ErrFormat},
		"sealed text, a stream":     {[]byte("enc:v1:" + base64.RawURLEncoding.EncodeToString(stream)), envelope.ErrFormat},
		"sealed text, padded":       {[]byte("enc:v1:" + base64.URLEncoding.EncodeToString(record[:58])), envelope.ErrFormat},
		"sealed text, cut":          {[]byte("enc:v1:9Q"), envelope.ErrTruncated},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := inspect(bytes.NewReader(c.in), &out)
			require.ErrorIs(t, err, c.want)
			require.NotContains(t, err.Error(), "hunter2")
			require.Empty(t, out.String())
		})
	}
	require.ErrorIs(t, inspect(io.MultiReader(bytes.NewReader(stream), inspectBroken{}), io.Discard), io.ErrClosedPipe)
	require.ErrorIs(t, inspect(inspectBroken{}, io.Discard), io.ErrClosedPipe)
}

type inspectBroken struct{}

func (inspectBroken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// FuzzInspect inspects anything: it says something or fails, and a page is of printable text.
func FuzzInspect(f *testing.F) {
	tn := envelopetest.New(f, nil).Tenant("acme")
	record, stream := inspectRecord(f, tn), inspectStream(f, tn, 100)
	for _, b := range [][]byte{record, stream, inspectMessage(f), {}, {0xf8}, []byte("enc:v1:9Q"), []byte(hex.EncodeToString(record)), []byte(base64.StdEncoding.EncodeToString(stream))} {
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		err := inspect(bytes.NewReader(b), &out)
		if (err == nil) != (out.Len() > 0) {
			t.Fatalf("%v and %d bytes", err, out.Len())
		}
		for _, r := range out.String() {
			if r != '\n' && r < ' ' || r == 0x7f {
				t.Fatalf("%q", out.String())
			}
		}
	})
}
