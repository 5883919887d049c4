package rooms

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/holdfast-go/holdfast/"

// imports returns what each package of the module imports, itself and through others, tests left out.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("missing component: the go command")
	}
	out, err := exec.Command(goTool, "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, module+"...").Output()
	require.NoError(t, err)
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		all[strings.TrimPrefix(words[0], module)] = words[1:]
	}
	require.Contains(t, all, "aead")
	return all
}

// TestRooms: imports point down, and a provider's SDK is imported for that provider alone.
func TestRooms(t *testing.T) {
	above := map[string][]string{ // what a room must not know
		"aead":     {"kms", "envelope", "tlsconfig"},
		"kms":      {"envelope", "tlsconfig", "kms/local", "kms/awskms", "kms/hpke", "kms/kmstest"},
		"envelope": {"tlsconfig", "kms/local", "kms/awskms", "kms/hpke", "kms/kmstest"},
	}
	above["envelope/field"] = append(above["envelope"], "envelope/secret", "envelope/boltstore", "envelope/sqlstore")
	above["envelope/message"] = append(above["envelope"], "envelope/field", "envelope/secret", "envelope/boltstore", "envelope/sqlstore")
	above["envelope/secret"] = append(above["envelope"], "envelope/field", "envelope/boltstore", "envelope/sqlstore")
	const command = "envelope/cmd/holdfast" // knows every provider
	for name, deps := range imports(t) {
		for _, dep := range deps {
			require.NotContains(t, above[name], strings.TrimPrefix(dep, module), "%s imports %s", name, dep)
			if strings.HasPrefix(dep, "github.com/aws/") {
				require.Contains(t, []string{"kms/awskms", "internal/awskmstest", command}, name, "it imports %s", dep)
			}
			if strings.HasPrefix(dep, "go.etcd.io/") && !strings.HasPrefix(name, "examples/") && name != command {
				require.Equal(t, "envelope/boltstore", name, "it imports %s", dep)
			}
			if strings.HasPrefix(name, "tlsconfig") {
				own := strings.HasPrefix(dep, module+"tlsconfig") || slices.Contains([]string{module + "internal/mempipe", module + "internal/clienthello"}, dep) ||
					strings.HasPrefix(name, "tlsconfig/tlsvet") && strings.HasPrefix(dep, "golang.org/x/") ||
					name == "tlsconfig/grpctls" && (strings.HasPrefix(dep, "golang.org/x/") || strings.HasPrefix(dep, "google.golang.org/"))
				require.True(t, own || !strings.Contains(strings.Split(dep, "/")[0], "."), "%s imports %s", name, dep)
			}
			if name == "aead" && strings.Contains(strings.Split(dep, "/")[0], ".") {
				require.True(t, strings.HasPrefix(dep, module) || strings.HasPrefix(dep, "golang.org/x/"), "aead imports %s", dep)
			}
			if test := "github.com/stretchr/testify/require"; dep == test {
				tests := []string{"kms/kmstest", "envelope/storetest", "envelope/envelopetest", "internal/awskmstest", "internal/canary", "internal/vectors", "examples/internal/tlsdrill"}
				require.True(t, slices.Contains(tests, name), "%s imports %s", name, test)
			}
		}
	}
}
