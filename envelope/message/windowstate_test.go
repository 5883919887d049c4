package message_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
)

func windowState(t testing.TB, w *message.Window) []byte {
	t.Helper()
	b, err := w.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

func windowParse(t testing.TB, b []byte, senders, width int) *message.Window {
	t.Helper()
	w, err := message.ParseWindow(b, &message.WindowOptions{Senders: senders, Width: width})
	require.NoError(t, err)
	return w
}

// TestWindowStateBytes: what FORMAT.md says, byte by byte.
func TestWindowStateBytes(t *testing.T) {
	const none = "8000000000000000"
	w := windowOf(t, 2, 128)
	require.Equal(t, "f802"+"00000080"+none+"00000000", hex.EncodeToString(windowState(t, w)))
	m := message.Message{Sender: message.Sender{Name: "ab", Instance: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}, Sequence: 200, Time: time.UnixMilli(0x1234)}
	require.True(t, w.Accept(m))
	m.Sequence, m.Time = 128, time.UnixMilli(0x1233)
	require.True(t, w.Accept(m))
	const head, bits = "026162" + "0102030405060708" + "00000000000000c8" + "0000000000001234", "0000000000000001" + "0000000000000100" // 128 is bit 0, 200 is bit 72
	require.Equal(t, "f802"+"00000080"+none+"00000001"+head+none+bits, hex.EncodeToString(windowState(t, w)))
	m.Sender = message.Sender{Instance: [8]byte{7: 9}}
	require.True(t, w.Accept(m))
	m.Sender.Instance[7], m.Sequence, m.Time = 10, 5, time.UnixMilli(0x5555) // forgets the first
	require.True(t, w.Accept(m))
	const floor = "0000000000001234"
	require.Equal(t, "f802"+"00000080"+floor+"00000002"+
		"00"+"0000000000000009"+"0000000000000080"+"0000000000001233"+none+"0000000000000001"+"0000000000000000"+
		"00"+"000000000000000a"+"0000000000000005"+"0000000000005555"+none+"0000000000000020"+"0000000000000000", hex.EncodeToString(windowState(t, w)))
	m.Sender.Instance[7], m.Sequence = 11, 0 // forgets the second: the third has the floor from before
	require.True(t, w.Accept(m))
	require.Equal(t, "00"+"000000000000000b"+"0000000000000000"+"0000000000005555"+floor+"0000000000000001"+"0000000000000000", hex.EncodeToString(windowState(t, w)[18+33+16:]))
	b, err := w.AppendBinary([]byte("before"))
	require.NoError(t, err)
	require.Equal(t, append([]byte("before"), windowState(t, w)...), b)
}

// TestWindowStateOrder: a restart forgets in the same order.
func TestWindowStateOrder(t *testing.T) {
	w, now := windowOf(t, 3, 64), time.Now()
	for i, n := range []int{1, 2, 3, 1} {
		require.True(t, w.Accept(windowMessage(n, uint64(i), now)))
	}
	state := windowState(t, w)
	w = windowParse(t, state, 3, 64)
	require.Equal(t, state, windowState(t, w))
	later := now.Add(time.Second)
	windowTakes(t, w, windowMessage(4, 1, later), nil) // forgets 2
	windowTakes(t, w, windowMessage(2, 9, now), message.ErrTooOld)
	windowTakes(t, w, windowMessage(3, 9, now), nil)
	windowTakes(t, w, windowMessage(1, 9, now), nil)
}

// TestWindowStateFewerSenders keeps the most recent ones, and forgets the others as at work.
func TestWindowStateFewerSenders(t *testing.T) {
	w, now := windowOf(t, 3, 64), time.Now()
	windowTakes(t, w, windowMessage(1, 1, now.Add(-time.Second)), nil)
	windowTakes(t, w, windowMessage(2, 1, now.Add(-2*time.Second)), nil)
	windowTakes(t, w, windowMessage(3, 1, now.Add(-time.Hour)), nil)
	w = windowParse(t, windowState(t, w), 1, 64)
	require.ErrorIs(t, w.Check(windowMessage(3, 1, now.Add(-time.Hour))), message.ErrReplayed)
	windowTakes(t, w, windowMessage(3, 2, now.Add(-time.Hour)), nil)
	windowTakes(t, w, windowMessage(2, 2, now.Add(-time.Second)), message.ErrTooOld)
	windowTakes(t, w, windowMessage(4, 1, now.Add(-time.Second)), message.ErrTooOld)
	windowTakes(t, w, windowMessage(4, 1, now), nil)
}

func TestWindowStateOtherWidth(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		from, to int
		want     map[uint64]error // after 500, 499, 400 and 380 were accepted
	}{
		"same":     {128, 128, map[uint64]error{500: message.ErrReplayed, 498: nil, 400: message.ErrReplayed, 399: nil, 373: nil, 372: message.ErrTooOld}},
		"narrower": {128, 64, map[uint64]error{500: message.ErrReplayed, 499: message.ErrReplayed, 498: nil, 437: nil, 436: message.ErrTooOld, 400: message.ErrTooOld}},
		"wider":    {128, 256, map[uint64]error{500: message.ErrReplayed, 498: nil, 400: message.ErrReplayed, 399: nil, 373: nil, 372: message.ErrTooOld, 244: message.ErrTooOld}},
		"uneven":   {128, 192, map[uint64]error{500: message.ErrReplayed, 498: nil, 400: message.ErrReplayed, 399: nil, 373: nil, 372: message.ErrTooOld, 308: message.ErrTooOld}},
	} {
		t.Run(name, func(t *testing.T) {
			w := windowOf(t, 1, c.from)
			for _, n := range []uint64{500, 499, 400, 380} {
				windowTakes(t, w, windowMessage(1, n, now), nil)
			}
			w = windowParse(t, windowState(t, w), 1, c.to)
			for n, want := range c.want {
				windowTakes(t, w, windowMessage(1, n, now), want)
			}
			for n := uint64(501); n < 1200; n++ { // nothing of the conversion stays in what comes later
				windowTakes(t, w, windowMessage(1, n, now), nil)
			}
		})
	}
}

// TestWindowStateLowNumbers: a sender that has not yet filled the ring.
func TestWindowStateLowNumbers(t *testing.T) {
	now := time.Now()
	for from := 64; from <= 448; from += 64 {
		for to := 64; to <= 448; to += 64 {
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
				w := windowOf(t, 1, from)
				for _, n := range []uint64{5, 2, 0} {
					windowTakes(t, w, windowMessage(1, n, now), nil)
				}
				w = windowParse(t, windowState(t, w), 1, to)
				for _, n := range []uint64{0, 2, 5} {
					windowTakes(t, w, windowMessage(1, n, now), message.ErrReplayed)
				}
				for _, n := range []uint64{1, 4, 3, 8, 7, 6} {
					windowTakes(t, w, windowMessage(1, n, now), nil)
				}
			})
		}
	}
}

func TestParseWindowRefuses(t *testing.T) {
	w, now := windowOf(t, 3, 64), time.UnixMilli(1_000_000)
	for n := range 5 { // two are forgotten
		require.True(t, w.Accept(windowMessage(n, 7, now.Add(time.Duration(n)*time.Second))))
	}
	good := windowState(t, w)
	const first, each, name = 18, 33 + 6 + 8, 6
	highest := first + 1 + name + 8
	for what, change := range map[string]func(b []byte) []byte{
		"empty":            func([]byte) []byte { return nil },
		"other first byte": func(b []byte) []byte { b[0] = 0xf5; return b },
		"other version":    func(b []byte) []byte { b[1] = 3; return b },
		"header cut":       func(b []byte) []byte { return b[:17] },
		"header alone":     func(b []byte) []byte { return b[:18] },
		"cut":              func(b []byte) []byte { return b[:len(b)-1] },
		"trailing byte":    func(b []byte) []byte { return append(b, 0) },
		"one more sender":  func(b []byte) []byte { b[17]++; return b },
		"one sender less":  func(b []byte) []byte { b[17]--; return b },
		"2^32-1 senders":   func(b []byte) []byte { copy(b[14:], "\xff\xff\xff\xff"); return b },
		"no width":         func(b []byte) []byte { copy(b[2:], "\x00\x00\x00\x00"); return b },
		"uneven width":     func(b []byte) []byte { b[5] = 65; return b },
		"huge width":       func(b []byte) []byte { copy(b[2:], "\x00\x20\x00\x00"); return b },
		"2^32-64 wide":     func(b []byte) []byte { copy(b[2:], "\xff\xff\xff\xc0"); return b },
		"longer name":      func(b []byte) []byte { b[first] = 255; return b },
		"same sender twice": func(b []byte) []byte {
			return append(b[:first+each], append(b[first:first+each:first+each], b[first+2*each:]...)...)
		},
		"zero sender":       func(b []byte) []byte { b[17]++; return append(append(b, make([]byte, 17)...), windowTail...) },
		"highest not there": func(b []byte) []byte { b[highest+7]++; return b },
		"floor after the global one": func(b []byte) []byte {
			binary.BigEndian.PutUint64(b[highest+16:], binary.BigEndian.Uint64(b[6:])+1)
			return b
		},
		"floor at the last": func(b []byte) []byte {
			copy(b[highest+8:highest+16], b[6:14])
			copy(b[highest+16:highest+24], b[6:14])
			return b
		},
	} {
		t.Run(what, func(t *testing.T) {
			for _, senders := range []int{1, 10} {
				_, err := message.ParseWindow(change(append([]byte(nil), good...)), &message.WindowOptions{Senders: senders, Width: 64})
				require.ErrorIs(t, err, envelope.ErrFormat)
			}
		})
	}
	require.Equal(t, good, windowState(t, windowParse(t, good, 3, 64)), "and the unchanged one is good")
}

// windowTail is the last time, floor and bits of a sender whose highest number is 0.
var windowTail = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, 5), 1<<63), 1)

// FuzzParseWindow: what is parsed is written the same again, accepts nothing of what it says was accepted, and takes no more memory than its options allow.
func FuzzParseWindow(f *testing.F) {
	w, now := windowOf(f, 3, 64), time.UnixMilli(1_000_000)
	f.Add(windowState(f, w))
	for n := range 5 {
		require.True(f, w.Accept(windowMessage(n, uint64(n)*30, now.Add(time.Duration(n)*time.Second))))
		f.Add(windowState(f, w))
	}
	f.Add(windowState(f, windowParse(f, windowState(f, w), 1, 128)))
	f.Add([]byte("\xf8\x02\x00\x10\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := message.ParseWindow(b, &message.WindowOptions{Senders: 2, Width: 128})
		if err != nil {
			require.ErrorIs(t, err, envelope.ErrFormat)
			return
		}
		converted := windowState(t, w)
		require.LessOrEqual(t, len(converted), 18+2*(33+255+16))
		require.Equal(t, converted, windowState(t, windowParse(t, converted, 2, 128)))
		width := int(binary.BigEndian.Uint32(b[2:]))
		same := windowParse(t, b, 1_000_000, width)
		require.Equal(t, b, windowState(t, same))
		if binary.BigEndian.Uint32(b[14:]) == 0 {
			return
		}
		var first message.Message // the sender that was accepted from least recently, and its highest
		n := 18 + 1 + int(b[18])
		first.Sender.Name = string(b[19:n])
		n += copy(first.Sender.Instance[:], b[n:])
		first.Sequence = binary.BigEndian.Uint64(b[n:])
		first.Time = time.UnixMilli(int64(binary.BigEndian.Uint64(b[n+8:])))
		require.ErrorIs(t, same.Check(first), message.ErrReplayed)
		require.Error(t, w.Check(first))
		require.False(t, w.Accept(first))
	})
}

func ExampleWindow() {
	w, err := message.NewWindow(&message.WindowOptions{Senders: 1000})
	if err != nil {
		panic(err)
	}
	// Topic.Open calls Check where TopicOptions.Window is set. Accept once the message is processed.
	m := message.Message{Sender: message.Sender{Name: "pump-7"}, Sequence: 1, Time: time.Now()}
	fmt.Println(w.Check(m), w.Accept(m))

	// Stored in the transaction of what processing did, the state outlives the process.
	state, err := w.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	w, err = message.ParseWindow(state, &message.WindowOptions{Senders: 1000})
	if err != nil {
		panic(err)
	}
	err = w.Check(m)
	fmt.Println(err, "->", envelope.ActionFor(err))
	// Output:
	// <nil> true
	// message: accepted before -> skip
}
