package aead

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecordKnownAnswers(t *testing.T) {
	for _, c := range []struct{ name, key, aad, sealed string }{
		{"01", strings.Repeat("\x01", KeySize), "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{"03", strings.Repeat("\x03", KeySize), "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sealed, err := hex.DecodeString(c.sealed)
			require.NoError(t, err)
			got, err := parse(t, []byte(c.key)).Open(nil, append([]byte("ABCDEFGHIJKLMNOPQRSTUVWX"), sealed...), []byte(c.aad))
			require.NoError(t, err)
			require.Equal(t, "XAES-256-GCM", string(got))
		})
	}
}

func recordSizes() (sizes []int) {
	for n := range 301 {
		sizes = append(sizes, n)
	}
	for n := 512; n <= 1<<20; n *= 2 {
		sizes = append(sizes, n-1, n, n+1)
	}
	return sizes
}

func TestRecordRoundTrip(t *testing.T) {
	k := NewKey()
	same := parse(t, k.Bytes())
	for _, n := range recordSizes() {
		plaintext, ad := pattern(n), pattern(n%40)
		sealed := k.Seal(nil, plaintext, ad)
		require.Len(t, sealed, n+Overhead)
		for _, opener := range []*Key{k, same} {
			got, err := opener.Open(nil, sealed, ad)
			require.NoError(t, err)
			require.True(t, bytes.Equal(plaintext, got), "%d bytes", n)
		}
		require.True(t, bytes.Equal(pattern(n), plaintext), "Seal must leave its arguments alone")
	}
}

func TestRecordsDiffer(t *testing.T) {
	k := NewKey()
	nonces := map[string]bool{}
	for range 10_000 {
		nonces[string(k.Seal(nil, nil, nil)[:24])] = true
	}
	require.Len(t, nonces, 10_000)
}

func TestRecordDst(t *testing.T) {
	k, plaintext, ad := NewKey(), []byte("plaintext"), []byte("ad")
	sealed := k.Seal(nil, plaintext, ad)
	for _, c := range []struct {
		name        string
		length, cap int
	}{
		{"nil", 0, 0},
		{"short", 0, 5},
		{"one byte short of room", 0, len(plaintext) - 1},
		{"exact room", 0, len(sealed)},
		{"prefix, no room", 3, 3},
		{"prefix, some room", 3, 20},
		{"prefix, exact room", 3, 3 + len(sealed)},
		{"prefix, more room", 3, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := func() []byte {
				if c.cap == 0 {
					return nil
				}
				return append(make([]byte, 0, c.cap), pattern(c.length)...)
			}
			d := dst()
			got := k.Seal(d, plaintext, ad)
			require.Equal(t, pattern(c.length), append([]byte{}, got[:c.length]...))
			require.Equal(t, c.cap >= c.length+len(sealed), cap(d) > 0 && &d[:1][0] == &got[0], "dst is used when it has room")
			opened, err := k.Open(dst(), got[c.length:], ad)
			require.NoError(t, err)
			require.Equal(t, append(pattern(c.length), plaintext...), opened)
		})
	}
}

// warm opens a record until its subkey is kept.
func warm(t *testing.T, k *Key, sealed, ad []byte) {
	t.Helper()
	for range 3 {
		_, err := k.Open(nil, sealed, ad)
		require.NoError(t, err)
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, n := range []int{0, 1, 100, 1 << 10, 64 << 10} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			k, plaintext, ad := NewKey(), make([]byte, n), make([]byte, 30)
			dst := make([]byte, 0, n+Overhead)
			own := k.Seal(nil, plaintext, ad)
			foreign := parse(t, k.Bytes()).Seal(nil, plaintext, ad)
			require.Zero(t, testing.AllocsPerRun(100, func() { k.Seal(dst, plaintext, ad) }), "Seal")
			warm(t, k, own, ad)
			require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = k.Open(dst, own, ad) }), "Open")
			warm(t, k, foreign, ad)
			require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = k.Open(dst, foreign, ad) }), "Open of another process's")
			inPlace := make([]byte, n, n+Overhead)
			require.Zero(t, testing.AllocsPerRun(100, func() {
				if _, err := k.Open(k.Seal(inPlace[:0], inPlace, ad)[:0], inPlace[:n+Overhead], ad); err != nil {
					t.Error(err)
				}
			}), "both in place")
		})
	}
}

func TestRecordFaults(t *testing.T) {
	k, ad := NewKey(), []byte("ad")
	sealed := k.Seal(nil, []byte("plaintext"), ad)
	check := func(k *Key, b, ad []byte) {
		t.Helper()
		got, err := k.Open(nil, b, ad)
		require.ErrorIs(t, err, ErrOpen)
		require.Nil(t, got)
	}
	for bit := range len(sealed) * 8 {
		check(k, flip(sealed, bit), ad)
	}
	for n := range len(sealed) {
		check(k, sealed[:n], ad)
	}
	check(k, append(bytes.Clone(sealed), 0), ad)
	check(k, nil, nil)
	check(k, sealed, []byte("ae"))
	check(k, sealed, nil)
	check(NewKey(), sealed, ad)
	check(k.Derive("a"), sealed, ad)
	_, err := k.Open(nil, sealed, ad)
	require.NoError(t, err)
}

// TestFailedOpenLeavesNothing looks for plaintext in what dst has room for.
func TestFailedOpenLeavesNothing(t *testing.T) {
	k := NewKey()
	for _, n := range []int{1, 16, 100, 5000} {
		plaintext := bytes.Repeat([]byte("secret! "), n/8+1)[:n]
		sealed := k.Seal(nil, plaintext, nil)
		for _, bit := range []int{0, 20 * 8, 24 * 8, len(sealed)*8 - 1} {
			dst := append(make([]byte, 0, 3+n+100), "dst"...)
			got, err := k.Open(dst, flip(sealed, bit), nil)
			require.ErrorIs(t, err, ErrOpen)
			require.Nil(t, got)
			require.Equal(t, "dst", string(dst))
			require.Equal(t, make([]byte, n+100), dst[3:cap(dst)])

			inPlace := flip(sealed, bit)
			_, err = k.Open(inPlace[:0], inPlace, nil)
			require.ErrorIs(t, err, ErrOpen)
			require.False(t, n >= 8 && bytes.Contains(inPlace[:cap(inPlace)], plaintext[:8]))
		}
	}
}

func TestConcurrentRecords(t *testing.T) {
	k := NewKey()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				plaintext := pattern(g + i)
				got, err := k.Open(nil, k.Seal(nil, plaintext, plaintext), plaintext)
				if err != nil || !bytes.Equal(got, plaintext) {
					t.Error("does not open")
				}
			}
		})
	}
	wg.Wait()
}
