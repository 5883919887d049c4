package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
)

func TestWalkManaged(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	require.NoError(t, walkIn(t.Context(), &out, dir, testSize))

	_, second, found := strings.Cut(out.String(), "Now with an envelope.Keyring")
	require.True(t, found)
	for _, line := range []string{
		`7\. Seal customers of two tenants, .*`,
		`before +amina\.okafor@example\.com`,
		`as a record, on disk +f5 [0-9a-f ]+\.\.`,
		`overhead +57 bytes: .*`,
		`calls to the KMS +\d+, to make two keys, for 54 records .*`,
		`acme's value, for globex +` + regexp.QuoteMeta(envelope.ErrWrongScope.Error()),
		`as that of another row +` + regexp.QuoteMeta(envelope.ErrOpen.Error()),
		`8\. Give two persons keys of their own, .*`,
		`a person's, for acme +` + regexp.QuoteMeta(envelope.ErrWrongScope.Error()),
		`in keys\.db +tenant/acme/data/1 +seals; .*`,
		`tenant/acme/wrap/1 +wraps .*`,
		`tenant/acme/lookup/1 +makes .*`,
		`subject/acme/[0-9a-f]{4}\.\./data/1 +seals; .*`,
		`9\. Rotate acme's key, .*`,
		`versions of acme's key +1 \([0-9a-f]{8}\.\.\), 2 \([0-9a-f]{8}\.\.\)`,
		`versions of globex's key +1 \([0-9a-f]{8}\.\.\)`,
		`a record of version 1 +f5 .* opens, as before`,
		`resealed +f5 .* opens, too`,
		`10\. Erase a person`,
		`her address +` + regexp.QuoteMeta(envelope.ErrErased.Error()),
		`the records of all others +57 open`,
		`Keyring\.Compact +1 wrap key destroyed, 1 person's key wrapped anew: .*`,
		`the receipt +\d+ bytes of JSON, signed with Ed25519, verified`,
		`keys +[0-9a-f]{32}`,
		`backups_unreadable_after +empty: .*`,
	} {
		require.Regexp(t, `(?m)^ *`+line+`$`, second)
	}
	kept := string(readFile(t, filepath.Join(dir, "keys.db")))
	require.Contains(t, kept, "subject/acme/")
	for _, row := range strings.Split(customersCSV, "\n")[1:] {
		for _, secret := range strings.Split(strings.TrimSpace(row), ",")[1:] {
			require.NotContains(t, kept, secret)
		}
	}
}

// TestManagedNotices proves that the second half fails when something opens that should not, or comes back changed.
func TestManagedNotices(t *testing.T) {
	key, _ := newKey(t, filepath.Join(t.TempDir(), "key.json"))
	defer key.Close()
	ring, err := envelope.NewKeyring("test", memstore.New(), envelope.SingleRoot(key.Key()), nil)
	require.NoError(t, err)
	defer ring.Close()
	acme := ring.Tenant("acme")
	var out bytes.Buffer
	m := &managed{walk: &walk{page: page{out: &out}}}
	c := &cell{row: "1", column: "name", scope: acme, text: "a name"}
	require.NoError(t, m.seal(t.Context(), c))

	require.Error(t, m.refuses(t.Context(), "it opens", c, acme, c.binding(), envelope.ErrOpen))
	require.ErrorIs(t, m.refuses(t.Context(), "another error", c, ring.Tenant("b"), c.binding(), envelope.ErrOpen), envelope.ErrWrongScope)
	require.Empty(t, out.String())
	require.NoError(t, m.refuses(t.Context(), "as it should", c, acme, envelope.Bind("b"), envelope.ErrOpen))
	require.Contains(t, out.String(), "as it should")
	c.text = "another name"
	require.Error(t, c.compare(t.Context()))
}
