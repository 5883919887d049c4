package tlsconfig

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"
)

// PolicyFile is a policy that others sign, for many processes: a file that only makes stricter what a Server or Client keeps by its own options. Make one with [SignedPolicy]; it may be given to several, which is also what keeps
// all of them from an older file. It is safe for concurrent use.
type PolicyFile struct {
	path string
	keys []ed25519.PublicKey
	poll *poller

	mu   sync.Mutex
	good *signedPolicy // the last that could be taken, nil for none yet
}

// SignedPolicy returns the PolicyFile at path, of at most 64 KiB, signed by one of keys: give the next key beside the old one before the signer changes. [SignPolicy] makes such files. Have a key for each file: nothing in it says whom it is for, so
// that all it takes to give one fleet the file of another is a key that both trust.
//
// While a Server or Client has it, the file is looked at every 500 ms to 30 s, a ten-thousandth of the time until it expires, and a new version counts for every handshake from then on, without a restart. One whose time has not come is taken when it has.
// What is changed, signed by another key, expired, older than the last, or another file under the same version is not taken, nor is what this process can't keep: the last good file goes on, also when it expires, for those of the process that
// start meanwhile too. At its start there is none, so that NewServer and NewClient fail. Versions are remembered by the PolicyFile: make one, and keep it for as long as the process lives. After a restart any file counts that is signed and not expired. Sign for weeks, not years.
func SignedPolicy(path string, keys ...ed25519.PublicKey) *PolicyFile {
	f := &PolicyFile{path: path, poll: newPoller([]string{path})}
	for _, key := range keys {
		f.keys = append(f.keys, bytes.Clone(key))
	}
	return f
}

// changed returns a channel that is closed when the file reads otherwise. Take it before load.
func (f *PolicyFile) changed() <-chan struct{} { return f.poll.changed() }

// hold has the file looked at until ctx ends.
func (f *PolicyFile) hold(ctx context.Context) {
	f.poll.hold(ctx, func() time.Duration {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.good == nil {
			return pollMin
		}
		return pollEvery(time.Until(f.good.Expires))
	})
}

// load returns the last good file, nil for none, and why what is there now is not it, nil if it is.
func (f *PolicyFile) load(now time.Time) (*signedPolicy, *untaken) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next, err := f.read()
	if err != nil {
		reason := ReasonOther
		if _, ok := errors.AsType[untrustedPolicy](err); ok {
			reason = ReasonUntrusted
		}
		return f.good, &untaken{reason: reason, err: f.failure(err)}
	}
	if f.good != nil && next.digest == f.good.digest {
		return f.good, nil // also when it has expired since
	}
	switch {
	case f.good != nil && next.Version < f.good.Version:
		return f.good, &untaken{reason: ReasonOther, err: f.failure(fmt.Errorf("version %d comes after version %d: files go forward only", next.Version, f.good.Version))}
	case f.good != nil && next.Version == f.good.Version:
		return f.good, &untaken{reason: ReasonOther, err: f.failure(fmt.Errorf("version %d is there with two contents: give the new one a version of its own", next.Version))}
	case !now.Before(next.Expires):
		return f.good, &untaken{reason: ReasonExpired, err: f.failure(fmt.Errorf("version %d expired at %s", next.Version, utc(next.Expires)))}
	case now.Before(next.NotBefore):
		return f.good, &untaken{reason: ReasonNotYetValid, err: f.failure(fmt.Errorf("version %d counts from %s", next.Version, utc(next.NotBefore))), wait: next.NotBefore.Sub(now)}
	}
	f.good = next
	return next, nil
}

// read returns what is there now. Errors have no prefix.
func (f *PolicyFile) read() (*signedPolicy, error) {
	if err := checkPolicyKeys(f.keys); err != nil {
		return nil, err
	}
	contents, err := f.poll.read()
	if err != nil {
		return nil, err
	}
	return openSignedPolicy(contents[0], f.keys)
}

// failure returns an ErrInvalid that names the file.
func (f *PolicyFile) failure(err error) error {
	return invalid("policy file %q: %w", f.path, err)
}

// untaken is why a file is not taken.
type untaken struct {
	reason Reason
	err    error
	wait   time.Duration // how long it will be so for, where that is known: its time has not come
}

// early says whether all that is wrong with it is that its time has not come.
func (u *untaken) early() bool { return u.reason == ReasonNotYetValid }

// same says whether both say the same.
func (u *untaken) same(v *untaken) bool {
	if u == nil || v == nil {
		return u == v
	}
	return u.err.Error() == v.err.Error()
}
