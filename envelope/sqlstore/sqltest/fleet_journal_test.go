package sqltest

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The deeds of a member of the fleet: those that it is about to try, and those that were acknowledged to it.
const (
	sealed      = "sealed"
	opened      = "opened"
	rotated     = "rotated"
	erasing     = "erasing"
	erased      = "erased"
	readmitting = "readmitting"
	readmitted  = "readmitted"
	compacted   = "compacted"
	skipped     = "skipped" // an operation failed and the action for its error is Skip
	wrong       = "wrong"   // something happened that must not
)

// deed is a line of a journal.
type deed struct {
	What    string
	Time    time.Time // before it began, by the clock of the member
	Tenant  string
	Subject string    `json:",omitempty"` // "" for the tenant itself
	Record  []byte    `json:",omitempty"` // of what was sealed
	Hash    []byte    `json:",omitempty"` // of the plaintext
	Keys    []string  `json:",omitempty"` // in hex: the one that sealed or opened, those that were erased
	ClearBy time.Time `json:",omitzero"`  // of what was erased
	Ref     string    `json:",omitempty"` // of an erasure
	Text    string    `json:",omitempty"` // of what is wrong
}

// place is a tenant or subject.
type place struct{ tenant, subject string }

func (d deed) place() place { return place{d.Tenant, d.Subject} }

// journal is the file of one member, which outlives its being killed.
type journal struct{ file *os.File }

func newJournal(path string) (journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	return journal{f}, err
}

// note writes a line. It is the kernel's when note returns.
func (j journal) note(d deed) error {
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = j.file.Write(append(line, '\n'))
	return err
}

// deeds returns the lines of all journals in a folder.
func deeds(t *testing.T, dir string) (all []deed) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	require.NoError(t, err)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		lines := bytes.Split(b, []byte("\n"))
		for _, line := range lines[:len(lines)-1] { // what follows the last line feed was acknowledged to nobody
			var d deed
			require.NoError(t, json.Unmarshal(line, &d))
			all = append(all, d)
		}
	}
	return all
}

// someRecord returns a record that some member has sealed, often one of the latest. It tells whether it has found one.
func someRecord(dir string, random *rand.Rand) (d deed, ok bool) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil || len(paths) == 0 {
		return d, false
	}
	f, err := os.Open(paths[random.IntN(len(paths))])
	if err != nil {
		return d, false
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return d, false
	}
	window := make([]byte, min(size, 8<<10))
	at := size - int64(len(window))
	if random.IntN(2) == 0 {
		at = random.Int64N(at + 1)
	}
	if _, err := f.ReadAt(window, at); err != nil {
		return d, false
	}
	lines := bytes.Split(window, []byte("\n"))
	for range lines {
		line := lines[random.IntN(len(lines))] // the first and the last may not be whole
		d := deed{}
		if json.Unmarshal(line, &d) == nil && d.What == sealed {
			return d, true
		}
	}
	return d, false
}
