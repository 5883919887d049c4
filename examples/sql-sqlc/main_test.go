package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
)

// TestRun also sends everything as text, as through a pooler.
func TestRun(t *testing.T) {
	server := pgtest.Start(t, nil)
	for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			dsn, key := server.Database(t)+"&default_query_exec_mode="+mode, filepath.Join(t.TempDir(), "key.json")
			for range 2 { // again with the same database and key file
				var out strings.Builder
				require.NoError(t, run(t.Context(), &out, dsn, key))
				found, all, both := strings.Cut(out.String(), "after an erasure:\n")
				require.True(t, both)
				require.Regexp(t, `^found by e-mail:\n  \w{4} Ada@example\.com \+44 20 7946 0958\n$`, found)
				require.Regexp(t, `(?m)^  \w{4} Ada@example\.com \+44 20 7946 0958$`, all)
				require.Regexp(t, `(?m)^  \w{4} does not open: erased$`, all)
				require.Equal(t, 2, strings.Count(all, "\n"))
			}
		})
	}
}
