package envelope

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// The phases of a keyset. Its timer and its loads move it on; only a fresh one is used without a look at the clock.
const (
	expired uint32 = iota // nothing was loaded, or CacheTTL is over, or the last load failed
	fresh                 // rows and KMS were asked within CacheTTL
	due                   // fresh, and the next use asks again in the background
	gone                  // evicted
)

// serve returns nil when the keys may seal or open at this moment, after it has asked store and KMS where that is needed.
func (ks *keyset) serve(ctx context.Context, sealing bool) error {
	if ks.parent != nil {
		if err := ks.parent.serve(ctx, sealing); err != nil {
			return err
		}
	}
	switch ks.phase.Load() {
	case gone:
		return errGone
	case fresh:
		return nil
	case due:
		if ks.phase.CompareAndSwap(due, fresh) {
			ks.begin(ctx)
		}
		return nil
	}
	if err, known := ks.verdict(ctx, sealing, false); known {
		return err
	}
	if err := ks.reload(ctx); ctx.Err() != nil || errors.Is(err, errGone) || errors.Is(err, ErrClosed) {
		return err
	}
	err, _ := ks.verdict(ctx, sealing, true)
	return err
}

// verdict tells whether the keys may be used as the last load left them. It is not known when another load is needed first.
func (ks *keyset) verdict(ctx context.Context, sealing, loaded bool) (err error, known bool) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	now := time.Now()
	again := !loaded && !now.Before(ks.retryAt)
	window := ks.ring.StaleIfError
	if sealing {
		window = ks.ring.WriteStaleIfError
	}
	switch {
	case ks.phase.Load() == gone:
		return errGone, true
	case ks.outage && ks.rows != nil && ks.rows.head.State == active && // no other failure is bridged, and old rows are not
		now.Before(ks.rows.readAt.Add(ks.ring.CacheTTL)) && now.Before(ks.kmsAt.Add(ks.ring.CacheTTL+window)):
		if again {
			ks.retryAt = now.Add(pause)
			ks.begin(ctx)
		}
		return nil, true
	case again:
		return nil, false
	}
	return ks.failed, true
}

// begin loads in the background.
func (ks *keyset) begin(ctx context.Context) {
	if ks.ring.begin() != nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer ks.ring.work.Done()
		ks.reload(ctx)
	}()
}

// once runs load, or waits for the one of the same name that runs.
func (ks *keyset) once(ctx context.Context, name string, load func(ctx context.Context) error) error {
	done := ks.loads.DoChan(name, func() (any, error) {
		if err := ks.ring.begin(); err != nil {
			return nil, err
		}
		defer ks.ring.work.Done()
		own, end := ks.ring.detached(ctx)
		defer end()
		err := load(own)
		if err != nil && ks.ring.life.Err() != nil {
			return nil, ErrClosed
		}
		return nil, err
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reload reads the rows again and has the KMS unwrap the keys in use again.
func (ks *keyset) reload(ctx context.Context) error {
	return ks.once(ctx, "rows", func(ctx context.Context) error {
		at, wraps := time.Now(), ks.wraps()
		ks.mu.Lock()
		ks.begun++
		load := ks.begun
		ks.mu.Unlock()
		rows, err := ks.read(ctx)
		if err == nil && rows.head.State == active && ks.parent == nil {
			err = ks.recheck(ctx, rows)
		}
		err = ks.settle(load, at, rows, err)
		if have := ks.wraps(); slices.ContainsFunc(wraps, func(k *liveKey) bool { return !slices.Contains(have, k) }) {
			ks.dropSubjects()
		}
		return err
	})
}

// newer reloads until the rows are from a load that began after this call: one in flight may have read them before. That the KMS can't be reached is no failure here.
func (ks *keyset) newer(ctx context.Context) error {
	ks.mu.Lock()
	before := ks.begun
	ks.mu.Unlock()
	for {
		err := ks.reload(ctx)
		ks.mu.Lock()
		done := ks.taken > before
		failed := ks.failed
		ks.mu.Unlock()
		switch {
		case done && (failed == nil || kmsOutage(failed)):
			return nil
		case done:
			return failed
		case err != nil:
			return err
		}
	}
}

// expire has the next use ask store and KMS first.
func (ks *keyset) expire() {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	ks.failed, ks.outage, ks.retryAt, ks.stale = nil, false, time.Time{}, ks.begun
	ks.phase.CompareAndSwap(fresh, expired)
	ks.phase.CompareAndSwap(due, expired)
}

// settle takes in how a load that began at a time ended. rows is nil when the store failed.
func (ks *keyset) settle(load uint64, at time.Time, rows *stored, err error) error {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if ks.phase.Load() == gone || errors.Is(err, errGone) { // of a key that the load needed: it is no answer
		return errGone
	}
	if rows != nil && load <= ks.stale {
		return errGone
	}
	now := time.Now()
	if rows != nil {
		ks.rows, ks.taken, ks.bad = rows, load, nil
		if refused := ks.refusal(rows); refused != nil {
			err = refused
		}
		ks.keep(rows)
	}
	ks.failed = err
	if rows != nil {
		ks.outage = kmsOutage(err)
	}
	switch {
	case err == nil:
		ks.kmsAt, ks.retryAt = at, time.Time{}
		ahead := ks.ring.RefreshAhead
		ks.dueAt = at.Add(ks.ring.CacheTTL - ahead + rand.N(ahead/4+1))
		ks.phase.Store(fresh)
		ks.arm(now)
	case rows == nil || kmsOutage(err):
		ks.retryAt = now.Add(pause - rand.N(pause/4))
		if now.Before(ks.expiry()) {
			ks.dueAt = ks.retryAt
			ks.arm(now)
		} else {
			ks.phase.Store(expired)
		}
	default:
		ks.phase.Store(expired)
		ks.refused(err)
	}
	return err
}

// refusal is why a scope in this state is not served, or nil.
func (ks *keyset) refusal(rows *stored) error {
	cause := map[state]error{disabled: ErrDisabled, erasing: ErrErased, erased: ErrErased}[rows.head.State]
	if cause == nil {
		return nil
	}
	return &Error{Tenant: ks.tenant, Since: rows.head.Since, Ref: rows.head.Ref, Err: cause}
}

// expiry is when store or KMS must have been asked again.
func (ks *keyset) expiry() time.Time {
	if ks.rows == nil {
		return time.Time{}
	}
	at := ks.rows.readAt
	if ks.kmsAt.Before(at) {
		at = ks.kmsAt
	}
	return at.Add(ks.ring.CacheTTL)
}

// arm sets the timer for the next phase.
func (ks *keyset) arm(now time.Time) {
	next := ks.expiry()
	if ks.dueAt.After(now) && ks.dueAt.Before(next) {
		next = ks.dueAt
	}
	if ks.timer == nil {
		ks.timer = time.AfterFunc(next.Sub(now), ks.tick)
	} else {
		ks.timer.Reset(next.Sub(now))
	}
}

// tick moves a fresh keyset on when its time has come.
func (ks *keyset) tick() {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	now := time.Now()
	switch ks.phase.Load() {
	case expired, gone:
	default:
		if !now.Before(ks.expiry()) {
			ks.phase.Store(expired)
			return
		}
		if !now.Before(ks.dueAt) {
			ks.phase.Store(due)
		}
		ks.arm(now)
	}
}
