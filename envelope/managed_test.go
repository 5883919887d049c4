package envelope_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
)

const (
	streamSegment = 4096
	streamHeader  = 17 + 74 // the key's name, and FLOE's header
)

var streamOptions = &aead.StreamOptions{SegmentSize: streamSegment}

// sealStream returns the managed stream of n bytes of streamBytes.
func sealStream(t testing.TB, scope envelope.Scope, n int) []byte {
	t.Helper()
	var sealed bytes.Buffer
	w, err := scope.NewWriter(t.Context(), &sealed, binding, streamOptions)
	require.NoError(t, err)
	_, err = w.Write(streamBytes(n))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return sealed.Bytes()
}

// openers are the two ways to open a stream.
var openers = map[string]func(ctx context.Context, scope envelope.Scope, b []byte, at envelope.Binding) ([]byte, error){
	"Reader": func(ctx context.Context, scope envelope.Scope, b []byte, at envelope.Binding) ([]byte, error) {
		r, err := scope.NewReader(ctx, bytes.NewReader(b), at, nil)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	},
	"ReaderAt": func(ctx context.Context, scope envelope.Scope, b []byte, at envelope.Binding) ([]byte, error) {
		r, err := scope.NewReaderAt(ctx, bytes.NewReader(b), int64(len(b)), at, nil)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	},
}

// streamScopes are a tenant and a subject.
func streamScopes(g *rig) map[string]envelope.Scope {
	return map[string]envelope.Scope{"tenant": g.Tenant("acme"), "subject": g.Tenant("acme").Subject("ada")}
}

func TestStreams(t *testing.T) {
	g := newRig(t, nil)
	for who, scope := range streamScopes(g) {
		for _, n := range []int{0, 1, streamSegment - 33, streamSegment - 32, streamSegment - 31, 3*streamSegment + 5} {
			name := fmt.Sprintf("%s, %d bytes", who, n)
			sealed := sealStream(t, scope, n)
			require.Equal(t, byte(0xf7), sealed[0], name)
			require.Equal(t, warm(t, scope).record[1:17], sealed[1:17], name)
			size, err := aead.SealedSize(int64(n), streamSegment)
			require.NoError(t, err)
			require.Len(t, sealed, int(size)+17, name)

			pull, err := scope.NewSealReader(t.Context(), bytes.NewReader(streamBytes(n)), binding, streamOptions)
			require.NoError(t, err, name)
			size, err = pull.Size(int64(n))
			require.NoError(t, err, name)
			pulled, err := io.ReadAll(iotest.OneByteReader(pull))
			require.NoError(t, err, name)
			require.Len(t, pulled, int(size), name)
			for way, open := range openers {
				for _, b := range [][]byte{sealed, pulled} {
					got, err := open(t.Context(), scope, b, binding)
					require.NoError(t, err, name+way)
					require.True(t, bytes.Equal(streamBytes(n), got), name+way)
				}
			}
			r, err := scope.NewReader(t.Context(), iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(sealed))), binding, nil)
			require.NoError(t, err, name)
			got, err := io.ReadAll(r)
			require.NoError(t, err, name)
			require.True(t, bytes.Equal(streamBytes(n), got), name)
		}
	}
}

// TestStreamRandomAccess reads parts of a stream.
func TestStreamRandomAccess(t *testing.T) {
	g := newRig(t, nil)
	const n = 5*streamSegment + 7
	sealed := sealStream(t, g.Tenant("acme"), n)
	r, err := g.Tenant("acme").NewReaderAt(t.Context(), bytes.NewReader(sealed), int64(len(sealed)), binding, nil)
	require.NoError(t, err)
	require.Equal(t, int64(n), r.Size())
	for _, at := range []int{0, 1, streamSegment - 40, 2 * streamSegment, n - 10} {
		p := make([]byte, 10)
		got, err := r.ReadAt(p, int64(at))
		require.NoError(t, err)
		require.Equal(t, streamBytes(n)[at:at+10], p[:got])
	}
}

// TestStreamsOfOthers opens a stream as what it is not.
func TestStreamsOfOthers(t *testing.T) {
	g := newRig(t, nil)
	acme := g.Tenant("acme")
	for way, open := range openers {
		for _, c := range []struct {
			name   string
			sealed envelope.Scope
			opened envelope.Scope
			at     envelope.Binding
			err    error
		}{
			{"other tenant", acme, g.Tenant("other"), binding, envelope.ErrWrongScope},
			{"tenant's as a subject's", acme, acme.Subject("ada"), binding, envelope.ErrWrongScope},
			{"subject's as the tenant's", acme.Subject("ada"), acme, binding, envelope.ErrWrongScope},
			{"other subject", acme.Subject("ada"), acme.Subject("bob"), binding, envelope.ErrWrongScope},
			{"subject of another tenant", acme.Subject("ada"), g.Tenant("other").Subject("ada"), binding, envelope.ErrWrongScope},
			{"other binding", acme, acme, envelope.Bind("users", "email", "8"), envelope.ErrOpen},
			{"no binding", acme, acme, envelope.Binding{}, envelope.ErrUnbound},
		} {
			_, err := open(t.Context(), c.opened, sealStream(t, c.sealed, 100), c.at)
			require.ErrorIs(t, err, c.err, "%s, %s", way, c.name)
		}
		record := warm(t, acme).record
		_, err := open(t.Context(), acme, record, binding)
		require.ErrorIs(t, err, envelope.ErrFormat, way)
		_, err = acme.Open(t.Context(), sealStream(t, acme, 100), binding)
		require.ErrorIs(t, err, envelope.ErrFormat, way)
		renamed := append([]byte{0xf7}, record[1:]...)
		_, err = open(t.Context(), acme, append(renamed, make([]byte, 100)...), binding)
		require.Equal(t, envelope.Reject, envelope.ActionFor(err), way)
	}
	_, err := acme.NewWriter(t.Context(), io.Discard, binding, &aead.StreamOptions{SegmentSize: 1})
	require.Error(t, err)
	_, err = acme.NewReaderAt(t.Context(), bytes.NewReader(nil), -1, binding, nil)
	require.ErrorIs(t, err, envelope.ErrTruncated)
}

// TestStreamsCutAndLengthened cuts a stream at every place, and flips bits of what leads it.
func TestStreamsCutAndLengthened(t *testing.T) {
	g := newRig(t, nil)
	for who, scope := range streamScopes(g) {
		sealed := sealStream(t, scope, 300)
		for way, open := range openers {
			for n := range sealed {
				_, err := open(t.Context(), scope, sealed[:n], binding)
				require.ErrorIs(t, err, envelope.ErrTruncated, "%s, %s, %d bytes", who, way, n)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s, %s, %d bytes", who, way, n)
			}
			_, err := open(t.Context(), scope, append(bytes.Clone(sealed), 0), binding)
			require.Equal(t, envelope.Reject, envelope.ActionFor(err), "%s, %s", who, way)
			for i := range sealed {
				if i > 0 && i < 17 {
					continue // another key's name: see TestUnknownKeysAreAskedForInPauses
				}
				flipped := bytes.Clone(sealed)
				flipped[i] ^= 1
				_, err := open(t.Context(), scope, flipped, binding)
				if i < 19 || i > 20 { // or segments larger than StreamOptions allow
					require.Equal(t, envelope.Reject, envelope.ActionFor(err), "%s, %s, byte %d: %v", who, way, i, err)
				}
				require.Error(t, err, "%s, %s, byte %d", who, way, i)
			}
		}
	}
}

// TestStreamsOfErasedKeys finds a tombstone where the key was.
func TestStreamsOfErasedKeys(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		acme := g.Tenant("acme")
		sealed := sealStream(t, acme, 100)
		reader, err := acme.NewReader(t.Context(), bytes.NewReader(sealed), binding, nil)
		require.NoError(t, err)
		g.store.edit(func(row envelope.Row) (envelope.Row, bool) {
			if row.Key == "tenant/acme/data/0000000001" {
				row.Value = bytes.Replace(row.Value, []byte(`"wrapped":`), []byte(`"destroyed":"2026-01-01T00:00:00Z","ref":"case 7","wrapped":`), 1)
			}
			return row, true
		})
		sleep(6 * time.Minute)
		for way, open := range openers {
			_, err := open(t.Context(), acme, sealed, binding)
			require.ErrorIs(t, err, envelope.ErrErased, way)
			require.Equal(t, envelope.Skip, envelope.ActionFor(err))
			var said *envelope.Error
			require.ErrorAs(t, err, &said)
			require.Equal(t, "case 7", said.Ref)
			require.Equal(t, 2026, said.Since.Year())
		}
		got, err := io.ReadAll(reader)
		require.NoError(t, err, "a stream that was open goes on")
		require.Equal(t, streamBytes(100), got)
	})
}

// TestStreamFailures has the other side of a stream fail.
func TestStreamFailures(t *testing.T) {
	g := newRig(t, nil)
	acme := g.Tenant("acme")
	sealed := sealStream(t, acme, 100)
	_, err := acme.NewReader(t.Context(), iotest.ErrReader(errStore), binding, nil)
	require.ErrorIs(t, err, errStore)
	_, err = acme.NewReader(t.Context(), io.MultiReader(bytes.NewReader(sealed[:9]), iotest.ErrReader(errStore)), binding, nil)
	require.ErrorIs(t, err, errStore)
	_, err = acme.NewWriter(t.Context(), failingWriter{}, binding, nil)
	require.ErrorIs(t, err, errStore)
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errStore }
