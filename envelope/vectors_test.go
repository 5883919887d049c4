package envelope

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
)

const (
	vectorsFile = "testdata/vectors.json"
	listsFile   = "testdata/lists.json" // messages with a list of recipients
)

type vector = vectors.Vector

func TestVectors(t *testing.T) {
	openers := newOpeners(t)
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			require.Equal(t, "message", v.Kind)
			out, class := openers.open(v, openAll)
			require.Equal(t, v.Expect, class)
			if v.Expect == "ok" {
				require.Equal(t, *v.Out, hex.EncodeToString(out))
			} else {
				require.Nil(t, out)
			}
		})
	}
}

// TestVectorsReaderAt opens the messages at random places: it may find another fault of the body first,
// but it opens exactly those that Open opens.
func TestVectorsReaderAt(t *testing.T) {
	openers := newOpeners(t)
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			out, class := openers.open(v, openAt)
			if v.Expect == "ok" {
				require.Equal(t, "ok", class)
				require.Equal(t, *v.Out, hex.EncodeToString(out))
				return
			}
			require.Contains(t, []string{"open", "truncated", "format", "context"}, class)
		})
	}
}

// openAll opens a message as a whole.
func openAll(s *Sealer, message []byte, ec kms.Context) ([]byte, error) {
	return s.Open(context.Background(), message, ec)
}

// openAt opens a message through NewReaderAt.
func openAt(s *Sealer, message []byte, ec kms.Context) ([]byte, error) {
	r, err := s.NewReaderAt(context.Background(), bytes.NewReader(message), int64(len(message)), ec, nil)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
}

// class is the expect field that an error of Open answers to. The wrong context and wrong bytes are one error,
// but the first is found before any call to the KMS.
func class(err error, unwraps int) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrOpen) && unwraps == 0, errors.Is(err, kms.ErrInvalid):
		return "context"
	case errors.Is(err, ErrOpen), errors.Is(err, kms.ErrNotFound):
		return "open"
	case errors.Is(err, ErrTruncated):
		return "truncated"
	case errors.Is(err, ErrFormat), errors.Is(err, ErrTooLarge):
		return "format"
	}
	return err.Error()
}

func loadVectors(t testing.TB) []vector {
	t.Helper()
	return slices.Concat(vectors.Load(t, vectorsFile), vectors.Load(t, listsFile))
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	return vectors.Unhex(t, s)
}

func hexOf(b []byte) *string { return vectors.Hex(b) }
