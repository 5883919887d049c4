package main

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
)

func TestRun(t *testing.T) {
	dsn := pgtest.Start(t, nil).Database(t)
	dir := t.TempDir()
	for _, round := range []string{"on an empty database", "once more"} {
		t.Run(round, func(t *testing.T) {
			var out strings.Builder
			require.NoError(t, run(t.Context(), &out, dsn, dir))
			for _, line := range []string{
				`acme +token +secret number 1`,
				`acme +email/bob +secret number 3`,
				`globex +token +secret number 4`,
				`Rotate, Reseal: under key [0-9a-f]{8}\.\. before, [0-9a-f]{8}\.\. after`,
				`Erase: the receipt is .*`,
				`acme +email/\w{6} +.*` + envelope.ErrErased.Error() + `.* \("case-2041"\)`,
				`Compact: keys of living persons wrapped anew: 1; old wrap keys destroyed: 1`,
			} {
				require.Regexp(t, `(?m)^`+line+`$`, out.String())
			}
			keys := regexp.MustCompile(`key (\w+)\.\. before, (\w+)\.\. after`).FindStringSubmatch(out.String())
			require.NotEqual(t, keys[1], keys[2])

			page, err := os.ReadFile(filepath.Join(dir, "receipt.json"))
			require.NoError(t, err)
			receipt, err := envelope.ParseReceipt(page)
			require.NoError(t, err)
			require.Len(t, receipt.Keys, 1)
			signer := regexp.MustCompile(`holder of (\w+)`).FindStringSubmatch(out.String())
			public, err := hex.DecodeString(signer[1])
			require.NoError(t, err)
			require.NoError(t, receipt.Verify(ed25519.PublicKey(public)))
		})
	}
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer db.Close()
	for _, table := range []string{"holdfast_example", "holdfast_keys"} {
		var rows, clear int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*), count(*) FILTER (WHERE t::text LIKE '%' || encode('secret', 'hex') || '%') FROM "+table+" t").Scan(&rows, &clear))
		require.NotZero(t, rows, table)
		require.Zero(t, clear, table)
	}
}

// TestNoDatabase: what is missing is said in words, and nothing is left behind.
func TestNoDatabase(t *testing.T) {
	tests := []struct {
		name, dsn string
	}{
		{name: "no flag"},
		{name: "nobody listens", dsn: "postgres://postgres:canary@127.0.0.1:1/x?connect_timeout=5"},
		{name: "no URL", dsn: "postgres://postgres:canary@:x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			var out strings.Builder
			err := run(t.Context(), &out, tt.dsn, dir)
			require.ErrorIs(t, err, errNoDatabase)
			require.NotContains(t, err.Error(), "canary")
			require.Empty(t, out.String())
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, run(ended, &strings.Builder{}, tests[1].dsn, t.TempDir()), context.Canceled)
}
