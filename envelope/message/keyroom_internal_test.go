package message

import (
	"encoding/binary"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
)

func roomID(i int) (id aead.KeyID) {
	binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
	return id
}

// TestKeyRoomCopied: who brings another's key message first, and then many of its own, does not drive that key out once its own topic has brought it.
func TestKeyRoomCopied(t *testing.T) {
	r := newKeyRoom(100)
	r.put(&announced{id: roomID(0), from: "evil"})
	for i := range 50 {
		r.put(&announced{id: roomID(1 + i), from: "evil"})
	}
	require.True(t, r.brought(roomID(0), "own"))
	require.False(t, r.brought(roomID(9999), "own"))
	for i := range 300 {
		r.put(&announced{id: roomID(100 + i), from: "evil"})
		require.Len(t, r.keys, min(100, 52+i))
	}
	require.NotNil(t, r.get(roomID(0)))
	require.True(t, r.brought(roomID(0), "evil"), "it does not go back")
	require.Equal(t, "own", r.get(roomID(0)).from)
}

// TestKeyRoomOrder: of topics that brought as many, that whose use is longest ago loses a key, and the counts stay right.
func TestKeyRoomOrder(t *testing.T) {
	const n = 1000
	r := newKeyRoom(n)
	for i := range n {
		require.Nil(t, r.put(&announced{id: roomID(i), from: strconv.Itoa(i)}))
	}
	for i := 0; i < n; i += 2 {
		require.NotNil(t, r.get(roomID(i)))
	}
	for i := range n / 2 {
		gone := r.put(&announced{id: roomID(n + i), from: strconv.Itoa(n + i)})
		require.Equal(t, roomID(2*i+1), gone.id)
		require.Nil(t, r.get(gone.id))
	}
	total := 0
	for k, l := range r.by {
		total += k * l.Len()
	}
	require.Equal(t, n, total)
	require.Len(t, r.sources, n)
	require.Equal(t, 1, r.longest)
	one := newKeyRoom(1)
	for i := range 10 {
		one.put(&announced{id: roomID(i), from: strconv.Itoa(i % 2)})
		require.Len(t, one.keys, 1)
		require.Len(t, one.sources, 1)
	}
}
