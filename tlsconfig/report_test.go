package tlsconfig_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

func TestReportJSON(t *testing.T) {
	r := &tlsconfig.Report{
		Policy:   "p",
		Findings: []tlsconfig.Finding{{Target: "a", Trap: 8, Severity: tlsconfig.SeverityViolation, What: "w", Fix: "f"}, {Target: "a", Severity: tlsconfig.SeverityInfo, What: "w"}},
		Facts:    []tlsconfig.Facts{{Target: "a", Kind: "server", NotAfter: "2026-01-01T00:00:00Z", NotSeen: []string{"n"}}},
	}
	data, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, `{"policy":"p","findings":[{"target":"a","trap":8,"severity":"violation","what":"w","fix":"f"},{"target":"a","severity":"info","what":"w","fix":""}],
		"facts":[{"target":"a","kind":"server","not_after":"2026-01-01T00:00:00Z","not_seen":["n"]}]}`, string(data))
	clean, err := json.Marshal(tlsconfig.AuditProcess(tlsconfig.Policy{}))
	require.NoError(t, err)
	require.Contains(t, string(clean), `"findings":[`)
}

func TestReportText(t *testing.T) {
	r := &tlsconfig.Report{Policy: "p", Facts: []tlsconfig.Facts{{Target: "a\nb", Kind: "server", Names: []string{"evil\n  violation"}}}}
	for range 7 {
		r.Findings = append(r.Findings, tlsconfig.Finding{Target: "a\nb", Severity: tlsconfig.SeverityViolation, What: "w"})
	}
	require.Len(t, strings.Split(r.String(), "\n"), 1+1+7+1+1, "%s", r)
	var b strings.Builder
	n, err := r.WriteTo(&b)
	require.NoError(t, err)
	require.Equal(t, r.String(), b.String())
	require.EqualValues(t, b.Len(), n)
	require.ErrorIs(t, r.Err(), tlsconfig.ErrViolation)
	require.Contains(t, r.Err().Error(), "and 2 more")
	require.NotContains(t, r.Err().Error(), "\n")

	r.Facts = nil // the findings stay
	require.Len(t, strings.Split(r.String(), "\n"), 1+1+7+1, "%s", r)
}
