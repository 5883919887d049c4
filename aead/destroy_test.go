package aead

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// panics returns what f panics with, as text, and "" when it does not.
func panics(f func()) (message string) {
	defer func() {
		if r := recover(); r != nil {
			message = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

func TestUseAfterDestroyPanics(t *testing.T) {
	k := NewKey()
	sealed, id, name := k.Seal(nil, []byte("x"), nil), k.ID(), k.String()
	k.Destroy()
	k.Destroy()
	for _, c := range []struct {
		name string
		use  func()
	}{
		{"Seal", func() { k.Seal(nil, nil, nil) }},
		{"Open", func() { _, _ = k.Open(nil, sealed, nil) }},
		{"Bytes", func() { k.Bytes() }},
		{"Derive", func() { k.Derive("a") }},
		{"Equal", func() { k.Equal(NewKey()) }},
		{"Equal to it", func() { NewKey().Equal(k) }},
		{"NewWriter", func() { _, _ = NewWriter(new(bytes.Buffer), k, nil, nil) }},
		{"NewReader", func() { _, _ = NewReader(bytes.NewReader(make([]byte, 200)), k, nil, nil) }},
		{"NewReaderAt", func() { _, _ = NewReaderAt(bytes.NewReader(make([]byte, 200)), 200, k, nil, nil) }},
		{"NewSealReader", func() { _, _ = NewSealReader(new(bytes.Buffer), k, nil, nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, panics(c.use), "destroyed")
		})
	}
	require.Equal(t, id, k.ID())
	require.Equal(t, name, k.String())
	require.Equal(t, name, fmt.Sprint(k))
}

func TestNamesOfAKeyThatWasNeverNamed(t *testing.T) {
	k := parse(t, pattern(KeySize))
	k.Destroy()
	require.Equal(t, parse(t, pattern(KeySize)).ID(), k.ID())
}

func TestDestroyLeavesOthersAlone(t *testing.T) {
	k := NewKey()
	same, derived := parse(t, k.Bytes()), k.Derive("a")
	var b bytes.Buffer
	w, err := NewWriter(&b, k, nil, nil)
	require.NoError(t, err)
	sealed := k.Seal(nil, []byte("x"), nil)
	k.Destroy()
	_, err = same.Open(nil, sealed, nil)
	require.NoError(t, err)
	derived.Seal(nil, nil, nil)
	_, err = w.Write(pattern(100_000)) // a stream has its own keys
	require.NoError(t, err)
	require.NoError(t, w.Close())
	got, err := openStreamBytes(same, nil, b.Bytes(), nil)
	require.NoError(t, err)
	require.Equal(t, pattern(100_000), got)
}

// TestDestroyMeetsUses lets every use meet a Destroy: it panics, or it is as good as before.
func TestDestroyMeetsUses(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 50
	}
	for range rounds {
		k := NewKey()
		same := parse(t, k.Bytes())
		known, derived := same.Seal(nil, []byte("known"), nil), same.Derive("a")
		uses := []func() error{
			func() error {
				_, err := same.Open(nil, k.Seal(nil, []byte("x"), nil), nil)
				return err
			},
			func() error {
				_, err := k.Open(nil, known, nil)
				return err
			},
			func() error {
				if !derived.Equal(k.Derive("a")) {
					return ErrOpen
				}
				return nil
			},
			func() error {
				if !bytes.Equal(same.Bytes(), k.Bytes()) {
					return ErrOpen
				}
				return nil
			},
			func() error {
				var b bytes.Buffer
				w, err := NewWriter(&b, k, nil, nil)
				if err == nil {
					_, err = NewReader(&b, same, nil, nil)
					w.Abort()
				}
				return err
			},
		}
		var wg sync.WaitGroup
		for _, use := range uses {
			wg.Go(func() {
				var err error
				for panics(func() { err = use() }) == "" {
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 2 {
			wg.Go(k.Destroy)
		}
		wg.Wait()
		require.NotEmpty(t, panics(func() { k.Bytes() }))
	}
}
