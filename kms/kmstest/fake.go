package kmstest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/kms"
)

// Fake is a KMS with one key, in memory, for tests. It does what it is told to: see [Fault]. It is safe for concurrent use.
//
// It encrypts nothing: what it wraps it keeps, and what it gives for it is a ticket of 32 bytes, a hash of it and of how many there were
// before. So it works in a synctest bubble in every FIPS mode, always answers alike, opens nothing of another Fake's, and forgets all
// that it wrapped with the process. Do not show it real keys. Make it within the bubble.
type Fake struct {
	ref kms.Ref

	mu       sync.Mutex
	lags     lags
	versions []change // version n is at n-1
	states   []change // as they were made: the last that may be seen holds
	tickets  map[string]ticket
	script   []Fault
	always   []Fault
	replaced chan struct{} // closed when always is replaced
	calls    []Call
}

// change is what becomes of the key from some time on.
type change struct {
	at    time.Time
	lags  lags
	state kms.State // of a change of the state
}

// seenBy tells whether d may see it.
func (c change) seenBy(d kms.Driver) bool { return !c.at.Add(c.lags.of(d)).After(time.Now()) }

// lags are for how long drivers do not see a change, and under nil for how long those do not that are not listed.
type lags map[kms.Driver]time.Duration

func (l lags) of(d kms.Driver) time.Duration {
	if lag, ok := l[d]; ok {
		return lag
	}
	return l[nil]
}

// ticket is what a blob stands for.
type ticket struct {
	version   string
	context   string // canonical
	plaintext string
}

// NewFake returns a KMS that holds an enabled key of version "1". keyID is 1 to 65535 bytes, which
// kms.NewKey checks; the provider is "fake".
func NewFake(keyID string) *Fake {
	made := change{at: time.Now(), state: kms.Enabled}
	return &Fake{
		ref:      kms.Ref{Provider: "fake", KeyID: keyID},
		lags:     lags{},
		versions: []change{made},
		states:   []change{made},
		tickets:  map[string]ticket{},
		replaced: make(chan struct{}),
	}
}

// Driver returns a new client of the KMS: each stands for a process. It is a kms.Describer, kms.Rotator, kms.Destroyer and
// kms.Versioner, too. It learns of a rotation by another when it next wraps or describes.
func (f *Fake) Driver() kms.Driver { return &fakeDriver{f: f, closed: make(chan struct{})} }

// Lag has later changes of the key, by Rotate, SetState or a driver, seen only after d: a KMS with many
// machines is eventually consistent. 0, as at first, is at once. It is so for those drivers that are given, such as a
// region's, and for all if none is. Lag panics on a driver that this Fake did not return.
func (f *Fake) Lag(d time.Duration, drivers ...kms.Driver) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(drivers) == 0 {
		f.lags = lags{nil: d}
		return
	}
	f.lags = maps.Clone(f.lags) // changes hold the one before
	for _, driver := range drivers {
		f.mustOwn(driver)
		f.lags[driver] = d
	}
}

// mustOwn panics if d is no driver of the Fake.
func (f *Fake) mustOwn(d kms.Driver) {
	if own, ok := d.(*fakeDriver); !ok || own == nil || own.f != f {
		panic("kmstest: not a driver of this Fake: give it what its method Driver returned")
	}
}

// Rotate makes a new version of the key, as its owner would by hand, in whatever state it is. Old ones still unwrap.
func (f *Fake) Rotate() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rotate()
}

func (f *Fake) rotate() { f.versions = append(f.versions, change{at: time.Now(), lags: f.lags}) }

// SetState has the key in a state, as its owner would by hand. kms.Unknown says that the KMS has no such key, which is
// how a key begins that is made in the middle of a test. It also ends a destruction that is scheduled, and
// undoes one that is done, as no other KMS does.
func (f *Fake) SetState(s kms.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.become(s, time.Now())
}

// become has the key in a state from some time on. Call it under mu.
func (f *Fake) become(s kms.State, at time.Time) {
	f.states = append(f.states, change{at, f.lags, s})
}

// state returns what state d sees, and since when the key has it. Call it under mu.
func (f *Fake) state(d kms.Driver) (s kms.State, since time.Time) {
	for _, c := range f.states {
		if c.seenBy(d) {
			s, since = c.state, c.at
		}
	}
	return s, since
}

// version returns the newest version that d sees. Call it under mu.
func (f *Fake) version(d kms.Driver) int {
	n := len(f.versions)
	for n > 1 && !f.versions[n-1].seenBy(d) {
		n--
	}
	return n
}

// usable says why d can't use the key. Call it under mu.
func (f *Fake) usable(d kms.Driver) error {
	switch s, _ := f.state(d); s {
	case kms.Unknown:
		return kms.ErrNotFound
	case kms.Disabled:
		return kms.ErrDisabled
	case kms.PendingDeletion:
		return kms.ErrPendingDeletion
	case kms.Destroyed:
		return kms.ErrDestroyed
	}
	return nil
}

// wrap keeps plaintext. Call it under mu.
func (f *Fake) wrap(version string, plaintext, canonical []byte) kms.Wrapped {
	place := fmt.Appendf(nil, "%q %d %q %q %q", f.ref.KeyID, len(f.tickets), version, canonical, plaintext)
	blob := sha256.Sum256(place) // sparse, so that no other is met by chance
	f.tickets[string(blob[:])] = ticket{version, string(canonical), string(plaintext)}
	return kms.Wrapped{Ref: f.ref, Version: version, Blob: blob[:]}
}

// unwrap returns to d what was kept. Call it under mu.
func (f *Fake) unwrap(d kms.Driver, w kms.Wrapped, canonical []byte) ([]byte, error) {
	n, err := strconv.Atoi(w.Version)
	if err != nil || n < 1 || n > f.version(d) || strconv.Itoa(n) != w.Version {
		return nil, fmt.Errorf("%w: no version %.20q", kms.ErrNotFound, w.Version)
	}
	kept, ok := f.tickets[string(w.Blob)]
	if !ok || kept.version != w.Version || kept.context != string(canonical) {
		return nil, kms.ErrCiphertext
	}
	return []byte(kept.plaintext), nil
}
