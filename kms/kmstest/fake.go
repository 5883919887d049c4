package kmstest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/kms"
)

// Fake is a KMS with one key, in memory, for tests. It does what it is told to: see [Fault]. It is safe for concurrent use.
//
// It encrypts nothing: what it wraps it keeps, and what it gives for it is a ticket of 32 bytes that names nothing but
// its place. So it works in a synctest bubble in every FIPS mode, always answers alike, and forgets all that it wrapped with the
// process. Make it within the bubble.
type Fake struct {
	ref kms.Ref

	mu       sync.Mutex
	lag      time.Duration
	versions []time.Time // when each may be seen; version n is at n-1
	changes  []change    // of the state, as they were made: the last that may be seen holds
	tickets  map[string]ticket
	script   []Fault
	always   Fault
	replaced chan struct{} // closed when always is replaced
	calls    []Call
}

// change is a state that the key has from some time on.
type change struct {
	at    time.Time
	state kms.State
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
	now := time.Now()
	return &Fake{
		ref:      kms.Ref{Provider: "fake", KeyID: keyID},
		versions: []time.Time{now},
		changes:  []change{{now, kms.Enabled}},
		tickets:  map[string]ticket{},
		replaced: make(chan struct{}),
	}
}

// Driver returns a new client of the KMS: each stands for a process. It is a kms.Describer, kms.Rotator, kms.Destroyer and
// kms.Versioner, too. It learns of a rotation by another when it next wraps or describes.
func (f *Fake) Driver() kms.Driver { return &fakeDriver{f: f, closed: make(chan struct{})} }

// Lag has later changes of the key, by Rotate, SetState or a driver, seen only after d: a KMS with many
// machines is eventually consistent. 0, as at first, is at once.
func (f *Fake) Lag(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lag = d
}

// Rotate makes a new version of the key, as its owner would by hand, in whatever state it is. Old ones still unwrap.
func (f *Fake) Rotate() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rotate()
}

func (f *Fake) rotate() { f.versions = append(f.versions, time.Now().Add(f.lag)) }

// SetState has the key in a state, as its owner would by hand. kms.Unknown says that the KMS has no such key, which is
// how a key begins that is made in the middle of a test. It also ends a destruction that is scheduled, and
// undoes one that is done, as no other KMS does.
func (f *Fake) SetState(s kms.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes = append(f.changes, change{time.Now().Add(f.lag), s})
}

// state returns what state can be seen, and since when. Call it under mu.
func (f *Fake) state() (s kms.State, since time.Time) {
	now := time.Now()
	for _, c := range f.changes {
		if !c.at.After(now) {
			s, since = c.state, c.at
		}
	}
	return s, since
}

// version returns the newest version that can be seen. Call it under mu.
func (f *Fake) version() int {
	now := time.Now()
	n := len(f.versions)
	for n > 1 && f.versions[n-1].After(now) {
		n--
	}
	return n
}

// usable says why the key can't be used. Call it under mu.
func (f *Fake) usable() error {
	switch s, _ := f.state(); s {
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
	place := binary.BigEndian.AppendUint64([]byte(f.ref.KeyID), uint64(len(f.tickets)))
	blob := sha256.Sum256(place) // sparse, so that no other is met by chance
	f.tickets[string(blob[:])] = ticket{version, string(canonical), string(plaintext)}
	return kms.Wrapped{Ref: f.ref, Version: version, Blob: blob[:]}
}

// unwrap returns what was kept. Call it under mu.
func (f *Fake) unwrap(w kms.Wrapped, canonical []byte) ([]byte, error) {
	n, err := strconv.Atoi(w.Version)
	if err != nil || n < 1 || n > f.version() || strconv.Itoa(n) != w.Version {
		return nil, fmt.Errorf("%w: no version %.20q", kms.ErrNotFound, w.Version)
	}
	kept, ok := f.tickets[string(w.Blob)]
	if !ok || kept.version != w.Version || kept.context != string(canonical) {
		return nil, kms.ErrCiphertext
	}
	return []byte(kept.plaintext), nil
}
