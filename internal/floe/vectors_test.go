package floe

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/vectors"
)

const vectorsFile = "testdata/vectors.json"

// readerLimit is the largest segment that a reader accepts unless it is told otherwise.
const readerLimit = 16 << 20

func TestVectors(t *testing.T) {
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			require.Equal(t, "stream", v.Kind)
			out, err := openStream((*[KeySize]byte)(unhex(t, v.Key)), unhex(t, v.AAD), unhex(t, v.In), readerLimit, rotation)
			require.Equal(t, v.Expect, class(err))
			if v.Expect == "ok" {
				require.Equal(t, *v.Out, hex.EncodeToString(out))
			}
		})
	}
}

// class is the expect field that an error answers to.
func class(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrOpen):
		return "open"
	case errors.Is(err, ErrTruncated):
		return "truncated"
	case errors.Is(err, ErrFormat), errors.Is(err, ErrTooLarge):
		return "format"
	}
	return err.Error()
}

// openStream is the plainest reader: it opens a whole stream in memory.
func openStream(key *[KeySize]byte, aad, b []byte, maxSegment int, rotation uint) ([]byte, error) {
	if len(b) < HeaderSize {
		return nil, ErrTruncated
	}
	s, err := Open(key, aad, (*[HeaderSize]byte)(b), maxSegment)
	if err != nil {
		return nil, err
	}
	s.rotation = rotation
	c := s.Cursor()
	var out []byte
	b = b[HeaderSize:]
	for i := uint64(0); ; i++ {
		n, last, err := s.Frame(b)
		if err != nil {
			return nil, err
		}
		if out, err = c.Open(out, b[:n], i, last); err != nil {
			return nil, err
		}
		if b = b[n:]; last && len(b) > 0 {
			return nil, ErrFormat
		} else if last {
			return out, nil
		}
	}
}

func loadVectors(t testing.TB) []vectors.Vector {
	t.Helper()
	return vectors.Load(t, vectorsFile)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	return vectors.Unhex(t, s)
}
