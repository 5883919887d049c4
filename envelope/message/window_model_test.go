package message_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/bubble"
)

// windowBubble hides Deadline, which a bubble forbids, from rapid.
type windowBubble struct{ testing.TB }

// TestWindowModel: nothing is accepted twice, whoever is forgotten, however often the process starts again, and whatever the clocks of senders say. Who is new is refused no longer than documented.
func TestWindowModel(t *testing.T) {
	bubbles := 20 // rapid has a day in each
	if testing.Short() {
		bubbles = 1
	}
	for range bubbles {
		bubble.Test(t, windowBubbleModel)
	}
}

func windowBubbleModel(t *testing.T) {
	rapid.Check(windowBubble{t}, func(rt *rapid.T) {
		m := &windowModel{sent: map[windowKey]message.Message{}, accepted: map[windowKey]bool{}, options: drawWindow(rt)}
		m.w = windowOf(t, m.options.Senders, m.options.Width)
		rt.Repeat(map[string]func(*rapid.T){"message": m.message, "again": m.again, "fresh": m.fresh, "wait": m.wait, "restart": m.restart, "damage": m.damage})
	})
}

func drawWindow(rt *rapid.T) message.WindowOptions {
	return message.WindowOptions{Senders: rapid.IntRange(1, 3).Draw(rt, "senders"), Width: 64 * rapid.IntRange(1, 3).Draw(rt, "width")}
}

type windowKey struct {
	sender   int
	sequence uint64
}

type windowModel struct {
	w        *message.Window
	options  message.WindowOptions
	keys     []windowKey // of sent
	sent     map[windowKey]message.Message
	accepted map[windowKey]bool
	latest   time.Time // of what was accepted
	others   int       // fresh senders
}

// message brings a message, mostly a new one.
func (m *windowModel) message(rt *rapid.T) {
	first := [...]uint64{0, 1000, math.MaxUint64 - 150, 5}
	k := windowKey{sender: rapid.IntRange(0, 3).Draw(rt, "sender")}
	k.sequence = first[k.sender] + rapid.Uint64Range(0, 150).Draw(rt, "sequence")
	msg, ok := m.sent[k]
	if !ok {
		off := time.Duration(rapid.Int64Range(-600, 600).Draw(rt, "off by")) * 100 * time.Millisecond
		if rapid.IntRange(0, 9).Draw(rt, "clock") == 0 {
			off *= 100_000
		}
		msg = windowMessage(k.sender, k.sequence, time.Now().Add(off+123*time.Microsecond))
		m.sent[k] = msg
		m.keys = append(m.keys, k)
	}
	m.bring(rt, k, msg)
}

// again brings a message that was there before.
func (m *windowModel) again(rt *rapid.T) {
	if len(m.keys) == 0 {
		rt.Skip("there is none yet")
	}
	k := rapid.SampledFrom(m.keys).Draw(rt, "message")
	m.bring(rt, k, m.sent[k])
}

// bring checks a message, and maybe processes it.
func (m *windowModel) bring(rt *rapid.T, k windowKey, msg message.Message) {
	before, err := m.w.AppendBinary(nil)
	require.NoError(rt, err)
	refused := m.w.Check(msg)
	ahead, err := m.w.AppendAccepted(nil, msg)
	require.Equal(rt, refused, err, "it fails as Check does")
	after, err := m.w.AppendBinary(nil)
	require.NoError(rt, err)
	require.Equal(rt, before, after, "neither changes anything")
	if refused != nil && !m.accepted[k] {
		require.ErrorIs(rt, refused, message.ErrTooOld, "it was never accepted")
	}
	if rapid.IntRange(0, 3).Draw(rt, "lost") > 0 {
		require.Equal(rt, refused == nil, m.w.Accept(msg))
		m.note(rt, k, msg, refused)
		if refused == nil {
			m.foreseen(rt, ahead)
		}
	}
}

// foreseen: the state of AppendAccepted is the one after Accept.
func (m *windowModel) foreseen(rt *rapid.T, ahead []byte) {
	w, err := message.ParseWindow(ahead, &m.options)
	require.NoError(rt, err)
	got, err := w.AppendBinary(nil)
	require.NoError(rt, err)
	want, err := m.w.AppendBinary(nil)
	require.NoError(rt, err)
	require.Equal(rt, want, got)
}

func (m *windowModel) note(rt *rapid.T, k windowKey, msg message.Message, refused error) {
	if refused != nil {
		return
	}
	require.False(rt, m.accepted[k], "accepted twice: %+v", k)
	m.accepted[k] = true
	if msg.Time.After(m.latest) {
		m.latest = msg.Time
	}
	require.ErrorIs(rt, m.w.Check(msg), message.ErrReplayed)
}

// fresh: a sender that nobody has heard of is taken when its message is later than all that was accepted, for which 5 minutes are enough.
func (m *windowModel) fresh(rt *rapid.T) {
	later := rapid.IntRange(0, 7).Draw(rt, "later") == 0
	if later {
		time.Sleep(5*time.Minute + time.Millisecond)
	}
	m.others++
	k := windowKey{1000 + m.others, uint64(m.others)}
	msg := windowMessage(k.sender, k.sequence, time.Now())
	refused := m.w.Check(msg)
	if later || msg.Time.UnixMilli() > m.latest.UnixMilli() {
		require.NoError(rt, refused)
	}
	require.Equal(rt, refused == nil, m.w.Accept(msg))
	m.note(rt, k, msg, refused)
}

func (m *windowModel) wait(rt *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 90).Draw(rt, "seconds")) * time.Second)
}

func (m *windowModel) restart(rt *rapid.T) {
	state, err := m.w.AppendBinary(nil)
	require.NoError(rt, err)
	if rapid.Bool().Draw(rt, "other options") {
		m.options = drawWindow(rt)
	}
	m.w, err = message.ParseWindow(state, &m.options)
	require.NoError(rt, err)
}

// damage: a state that ends early or goes on after its end is refused.
func (m *windowModel) damage(rt *rapid.T) {
	state, err := m.w.AppendBinary(nil)
	require.NoError(rt, err)
	n := rapid.IntRange(0, len(state)-1).Draw(rt, "bytes")
	_, err = message.ParseWindow(state[:n], nil)
	require.Error(rt, err)
	_, err = message.ParseWindow(append(state, 0), nil)
	require.Error(rt, err)
}

// TestWindowOrder: with room for all senders each new message within the width is accepted, whatever the order, and what is refused has the reason that a set of all accepted ones gives.
func TestWindowOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := message.WindowOptions{Senders: 3, Width: 64 * rapid.IntRange(1, 3).Draw(rt, "width")}
		w := windowOf(t, o.Senders, o.Width)
		now := time.Now()
		accepted, highest := map[windowKey]bool{}, map[int]uint64{}
		step := rapid.OneOf(rapid.Uint64Range(0, 5), rapid.Uint64Range(0, 400))
		at := [3]uint64{0, 500, math.MaxUint64 - 3000}
		for range rapid.IntRange(1, 300).Draw(rt, "messages") {
			k := windowKey{sender: rapid.IntRange(0, 2).Draw(rt, "sender")}
			if up := step.Draw(rt, "step"); rapid.IntRange(0, 3).Draw(rt, "up") == 0 && at[k.sender] < math.MaxUint64-up {
				at[k.sender] += up
			}
			k.sequence = at[k.sender] - min(at[k.sender], step.Draw(rt, "below"))
			top, known := highest[k.sender]
			var want error
			switch {
			case known && k.sequence <= top && top-k.sequence >= uint64(o.Width):
				want = message.ErrTooOld
			case accepted[k]:
				want = message.ErrReplayed
			default:
				accepted[k] = true
				highest[k.sender] = max(top, k.sequence)
			}
			windowTakes(rt, w, windowMessage(k.sender, k.sequence, now), want)
			if rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
				state, err := w.AppendBinary(nil)
				require.NoError(rt, err)
				w, err = message.ParseWindow(state, &o)
				require.NoError(rt, err)
			}
		}
	})
}
