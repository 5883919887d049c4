package message_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

// windows are states of a Window, with what they have accepted.
func (w *vectorWriter) windows() {
	v := messageVector{Vector: vectors.Vector{Kind: "window"}}
	add := func(name string, window *message.Window) []byte {
		in := windowState(w.t, window)
		out, err := w.o.window(in)
		require.NoError(w.t, err)
		w.add(v, "window "+name, "ok", in, out)
		return in
	}
	one := windowOf(w.t, 2, 128)
	add("of nobody", one)
	now := time.UnixMilli(900_000_000_000)
	ada := message.Message{Sender: message.Sender{Name: "ada", Instance: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}, Time: now}
	bob, nameless := ada, ada
	bob.Sender.Name, nameless.Sender.Name = "bob", ""
	for _, n := range []uint64{200, 128, 73, 199, 1 << 40, 1<<40 - 127, 1<<40 - 63} {
		ada.Sequence = n
		require.True(w.t, one.Accept(ada))
		if n == 199 {
			add("of one sender", one)
		}
	}
	add("of high numbers", one)
	for _, n := range []uint64{0, 1, 5, 63, 64} {
		bob.Sequence = n
		require.True(w.t, one.Accept(bob))
	}
	add("of two senders", one)
	nameless.Sequence, nameless.Time = 1<<64-1, now.Add(time.Hour) // forgets ada
	require.True(w.t, one.Accept(nameless))
	good := add("that has forgotten, and the highest number", one)
	require.Equal(w.t, uint64(now.UnixMilli()), binary.BigEndian.Uint64(good[6:]))

	const first, width = 18, 128
	bobs := first + 1 + 3 + 8 // where numbers and times of bob begin
	next := bobs + 24 + width/8
	for n := range good {
		w.add(v, fmt.Sprintf("window cut %d", n), "format", good[:n], nil)
	}
	put := func(at int, b ...byte) []byte { return slices.Concat(good[:at], b, good[at+len(b):]) }
	floor := good[6:14]
	for _, c := range []struct {
		name string
		in   []byte
	}{
		{"with a trailing byte", append(slices.Clone(good), 0)},
		{"of another type", put(1, 3)},
		{"of another first byte", put(0, 0xf7)},
		{"of no width", put(2, 0, 0, 0, 0)},
		{"of a width that 64 does not divide", put(2, 0, 0, 0, 65)},
		{"of too much width", put(2, 0, 0x10, 0, 0x40)},
		{"that counts one sender more", put(14, 0, 0, 0, 3)},
		{"that counts one sender less", put(14, 0, 0, 0, 1)},
		{"that counts no sender", put(14, 0, 0, 0, 0)},
		{"that counts 2^32-1 senders", put(14, 0xff, 0xff, 0xff, 0xff)},
		{"of a longer name", put(first, 4)},
		{"of one sender twice", slices.Concat(good[:next], good[first:next])},
		{"of nobody without instance", slices.Concat(good[:next], make([]byte, 1+8), good[next+1+8:])},
		{"without the highest number", put(bobs+24, make([]byte, width/8)...)},
		{"of another highest number", put(bobs, 0, 0, 0, 0, 0, 0, 0, 65)},
		{"whose sender's floor is higher", put(next+1+8+16, binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(floor)+1)...)},
		{"whose sender's last time is its floor", put(bobs+8, slices.Concat(floor, floor)...)},
	} {
		w.add(v, "window "+c.name, "format", c.in, nil)
	}
}
