// Package vectors reads and writes files of test vectors. It is for tests of this module's formats
// alone: nothing but test files may import it. The files are those of FORMAT.md section 9.
package vectors

import (
	"bytes"
	"crypto/fips140"
	"encoding/hex"
	"encoding/json"
	"os"
	"runtime"
	"testing"
	"testing/cryptotest"

	"github.com/stretchr/testify/require"
)

const format = "holdfast vectors v1"

// Vector is one entry of a file. Byte strings are in hex. Several goroutines may read it.
type Vector struct {
	Name     string            `json:"name"`
	Kind     string            `json:"kind"`
	Expect   string            `json:"expect"` // "ok" or the class of the failure
	Note     string            `json:"note,omitempty"`
	*Keyed                     // nil for the kinds bind, message, managed record, managed stream, local and hpke
	DataKey  string            `json:"dataKey,omitempty"`
	LocalKey string            `json:"localKey,omitempty"`
	KeyID    string            `json:"keyID,omitempty"`
	KEM      string            `json:"kem,omitempty"`
	Seed     string            `json:"privateKey,omitempty"`
	Context  map[string]string `json:"context,omitempty"`
	Parts    []string          `json:"parts,omitempty"` // of the binding
	*Stored                    // nil for other kinds than managed record and managed stream
	Range    []int64           `json:"range,omitempty"` // offset and length in the plaintext
	In       string            `json:"in"`
	Out      *string           `json:"out,omitempty"` // absent where nothing opens
}

// Keyed has the inputs of the kinds commitment, derive, subject ref, record and stream, which take a bare key.
// It stands apart because these kinds have an empty key or aad written, and the others have none.
// Several goroutines may read it.
type Keyed struct {
	Key   string   `json:"key"`
	Label string   `json:"label,omitempty"`
	Info  []string `json:"info,omitempty"`
	AAD   string   `json:"aad"`
}

// Stored has the rows that a store holds, by name, and the scope that is asked to open. Names and values are text.
// Several goroutines may read it.
type Stored struct {
	Deployment string            `json:"deployment"`
	Tenant     string            `json:"tenant"`
	Subject    string            `json:"subject,omitempty"`
	Rows       map[string]string `json:"rows"`
}

// Load returns the vectors of the file at path. It fails t for another format, a field
// that no kind has, and a file without vectors.
func Load(t testing.TB, path string) []Vector {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var f struct {
		Format  string   `json:"format"`
		Vectors []Vector `json:"vectors"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&f))
	require.Equal(t, format, f.Format)
	require.NotEmpty(t, f.Vectors)
	return f.Vectors
}

// Write writes the file at path anew, one line a vector.
func Write(t testing.TB, path string, list []Vector) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(`{"format":"` + format + `","vectors":[` + "\n")
	for i, v := range list {
		line, err := json.Marshal(v)
		require.NoError(t, err)
		if i > 0 {
			b.WriteString(",\n")
		}
		b.Write(line)
	}
	b.WriteString("\n]}\n")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
}

// BeginUpdate skips t unless update is set, the -update flag of the package that t tests. Then
// it fixes all randomness by seed until t ends, so that the same vectors are written each time.
func BeginUpdate(t *testing.T, update bool, seed uint64) {
	t.Helper()
	if !update {
		t.Skip("runs with -update only")
	}
	if fips140.Version() == "v1.0.0" {
		t.Skip("testing/cryptotest can't fix randomness under GOFIPS140=v1.0.0")
	}
	// With several processors it depends on the scheduler which goroutine's randomness package aead takes.
	procs := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(procs) })
	cryptotest.SetGlobalRandom(t, seed)
}

// Hex returns b in hex, as [Vector] has it in Out.
func Hex(b []byte) *string {
	s := hex.EncodeToString(b)
	return &s
}

// Unhex returns the bytes that s has in hex, and fails t where s is not hex.
func Unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}
