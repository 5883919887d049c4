package kms

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/internal/verify"
)

// AnyOptions are the settings of [AnyOf]. nil and the zero value are the defaults.
type AnyOptions struct {
	// Minimum is how many members must have wrapped for Wrap to succeed. 0 means all of them. With fewer than all, data may be under fewer
	// keys until it is wrapped anew, and wrapping anew may take away a recipient that is down: see Report and [Key.Stale].
	Minimum int
	// Timeout bounds a call, besides the caller's own context and the members' Timeouts. Unwrap gives each member that it asks an equal share of
	// the time that is left, so that the last one gets some too. 0 means 10 seconds; negative is refused.
	Timeout time.Duration
	// Report is told of what a success would hide: the members that failed to wrap, or that did not open what another then opened.
	// op is "wrap", "unwrap" or "check". It is called before the call returns, by several goroutines at once. nil for none.
	Report func(ctx context.Context, op string, failed []*Error)
}

// AnyOf returns a Key that wraps under each of 1 to 16 keys, and unwraps with the first that can: keys of several regions or
// providers, or an offline recovery key. It is an OR: the weakest member decides who can open.
//
// Wrap asks all members at once, and takes as long as the slowest. Unwrap asks one at a time, in the order of
// keys, those last that were down in the past 30 seconds. It also unwraps what a member wrapped alone. When all fail, the class of the error is that of an outage if there was
// one, since that member might have opened it, and then the class that is easiest to mend: disabled, pending deletion, access denied, destroyed, not
// found, and [ErrCiphertext] only when all say so.
//
// A member that fails where another then succeeds is told to Report. One that unwraps to other bytes than were wrapped can't be told from an honest one here;
// package envelope can tell, by the message, and then the next member is asked and the liar is reported, too.
//
// A key that joins or leaves makes what was wrapped before stale ([Key.Stale]): wrap it anew. Ref is {"any", ""}. Describe, Rotate and Destroy are
// ErrUnsupported: ask the members. [Key.Check] checks each, and takes Minimum for enough. Closing the key does not close the members: close them after it. AnyOf fails with [ErrInvalid] when a
// key is nil, an AnyOf key or given twice, or an option is out of bounds.
func AnyOf(keys []*Key, o *AnyOptions) (*Key, error) {
	refuse := func(format string, values ...any) (*Key, error) {
		return nil, &Error{Op: "any of", Err: fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, values...)...)}
	}
	if len(keys) == 0 || len(keys) > maxRecipients {
		return refuse("give it 1 to %d keys, not %d", maxRecipients, len(keys))
	}
	a := &anyOf{}
	if o != nil {
		a.AnyOptions = *o
	}
	if a.Minimum < 0 || a.Minimum > len(keys) {
		return refuse("AnyOptions.Minimum must be 1 to the number of keys, or 0 for all")
	}
	if a.Timeout < 0 {
		return refuse("AnyOptions.Timeout must be positive, or 0 for 10 seconds")
	}
	orDefault(&a.Minimum, len(keys))
	orDefault(&a.Timeout, 10*time.Second)
	seen := map[Ref]bool{}
	for i, k := range keys {
		switch {
		case k == nil || k.driver == nil:
			return refuse("key %d is nil or zero", i)
		case k.ref.Provider == anyProvider:
			return refuse("key %d is an AnyOf key: list its members", i)
		case seen[k.ref]:
			return refuse("key %d, %.300q, is given twice", i, k.ref.String())
		}
		seen[k.ref] = true
		a.members = append(a.members, &member{key: k})
	}
	return newKey(a, nil), nil
}

// anyOf is the Driver of an AnyOf key.
type anyOf struct {
	AnyOptions
	members []*member
}

func (a *anyOf) Ref() Ref { return Ref{Provider: anyProvider} }

func (a *anyOf) Wrap(ctx context.Context, plaintext []byte, ec Context) (Wrapped, error) {
	timed, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	wrapped := make([]Wrapped, len(a.members))
	errs := a.each(func(i int, m *member) (err error) {
		wrapped[i], err = m.key.Wrap(timed, plaintext, ec)
		m.noteWrap(err)
		return err
	})
	var list []Wrapped
	for i, err := range errs {
		if err == nil {
			list = append(list, wrapped[i])
		}
	}
	failed := failures(errs)
	if len(list) < a.Minimum {
		return Wrapped{}, together(ctx, "wrap", failed)
	}
	w, err := wrapAny(list)
	if err == nil {
		a.tell(ctx, "wrap", failed)
	}
	return w, err
}

func (a *anyOf) Unwrap(ctx context.Context, w Wrapped, ec Context) ([]byte, error) {
	list, err := w.recipients()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrCiphertext, err)
	}
	timed, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	var failed []*Error
	for turns := a.turns(list); len(turns) > 0; {
		t := turns[0]
		turns = turns[1:]
		if err := timed.Err(); err != nil {
			failed = append(failed, &Error{Op: "unwrap", Ref: t.key.ref, Err: err})
			continue
		}
		if !t.down && !t.ask() {
			t.down = true
			turns = append(turns, t)
			continue
		}
		plaintext, err := t.unwrap(ctx, timed, 1+len(turns), ec)
		if err == nil {
			a.tell(ctx, "unwrap", failed)
			return plaintext, nil
		}
		failed = append(failed, err.(*Error))
	}
	return nil, together(ctx, "unwrap", failed)
}

// turn is one member's try at a recipient.
type turn struct {
	*member
	w    Wrapped
	down bool
}

// unwrap takes at most an equal share of the time left for it and the turns after it. caller is the caller's context, timed the same
// under the Timeout.
func (t turn) unwrap(caller, timed context.Context, turns int, ec Context) ([]byte, error) {
	start := time.Now()
	deadline, _ := timed.Deadline()
	share, cancel := context.WithTimeout(timed, time.Until(deadline)/time.Duration(turns))
	defer cancel()
	plaintext, err := t.key.Unwrap(share, t.w, ec)
	if err == nil && !verify.Known(caller, plaintext) {
		clear(plaintext)
		plaintext, err = nil, &Error{Op: "unwrap", Ref: t.key.ref, Err: fmt.Errorf("%w: it unwrapped to other bytes than were wrapped", ErrCiphertext)}
	}
	own, ends := caller.Deadline()
	switch {
	case share.Err() == nil || time.Since(start) >= patience || caller.Err() == nil && !(ends && own.Equal(deadline)):
		t.note(err)
	case caller.Err() == nil:
		t.hurried() // it had a share of a caller's own short time
	}
	return plaintext, err
}

// turns returns who may open which of list, in the order in which to ask: members that are up before those that are down, and
// each first for its own recipient and then for one that it owns besides.
func (a *anyOf) turns(list []Wrapped) []turn {
	var up, down, never []turn
	for _, m := range a.members {
		due := m.due()
		add := func(w Wrapped) {
			switch {
			case m.key.wrapOnly:
				never = append(never, turn{m, w, !due})
			case due:
				up = append(up, turn{m, w, false})
			default:
				down = append(down, turn{m, w, true})
			}
		}
		besides := -1
		for i, w := range list {
			switch m.key.fit(w) {
			case 2:
				add(w)
			case 1:
				if besides < 0 { // more would let whoever wrote the list have us make as many calls as they like
					besides = i
				}
			}
		}
		if besides >= 0 {
			add(list[besides])
		}
	}
	if len(up)+len(down) == 0 {
		return never // it says why it can't
	}
	return append(up, down...)
}

// tell reports what a success would hide.
func (a *anyOf) tell(ctx context.Context, op string, failed []*Error) {
	if len(failed) > 0 && a.Report != nil {
		a.Report(ctx, op, failed)
	}
}

// Close leaves the members to their owners.
func (a *anyOf) Close() error { return nil }

func (a *anyOf) refs() []Ref { return nil } // nobody's twice: it has no key of its own

// fit counts what the members can open.
func (a *anyOf) fit(w Wrapped) (n int) {
	list, err := w.recipients()
	if err != nil {
		return 1 // it is ours to refuse
	}
	for _, w := range list {
		best := 0
		for _, m := range a.members {
			best = max(best, m.key.fit(w))
		}
		n += best
	}
	return n
}

// stale tells whether w is anything but one fresh recipient for each member. Members that own each other's recipients are
// taken for replicas of one key, which all own the same.
func (a *anyOf) stale(w Wrapped) bool {
	list, err := w.recipients()
	if err != nil || w.Provider != anyProvider {
		return true
	}
	var rest []*member // those whose own Ref is not in the list
	for _, m := range a.members {
		n := len(list)
		list = slices.DeleteFunc(list, func(w Wrapped) bool { return w.Ref == m.key.ref && !m.key.Stale(w) })
		if len(list) == n {
			rest = append(rest, m)
		}
	}
	for _, m := range rest {
		i := slices.IndexFunc(list, func(w Wrapped) bool { return !m.key.Stale(w) })
		if i < 0 {
			return true
		}
		list = slices.Delete(list, i, i+1)
	}
	return len(list) > 0
}
