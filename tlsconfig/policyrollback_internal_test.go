package tlsconfig

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// policyHistory is a policy file and those who write it.
type policyHistory struct {
	t         *testing.T
	key, next ed25519.PrivateKey
	path      string
	now       time.Time
}

func newPolicyHistory(t *testing.T) *policyHistory {
	key := func(b byte) ed25519.PrivateKey {
		seed := make([]byte, ed25519.SeedSize)
		seed[0] = b
		return ed25519.NewKeyFromSeed(seed)
	}
	return &policyHistory{t, key(1), key(2), filepath.Join(t.TempDir(), "policy.signed"), time.Now().Truncate(time.Second)}
}

// file is what a process has that starts now.
func (h *policyHistory) file() *PolicyFile {
	return SignedPolicy(h.path, h.key.Public().(ed25519.PublicKey), h.next.Public().(ed25519.PublicKey))
}

// put writes a version that counts for an hour from a time.
func (h *policyHistory) put(key ed25519.PrivateKey, version uint64, from time.Time, p Policy) {
	file, err := SignPolicy(key, PolicyDocument{Version: version, NotBefore: from, Expires: from.Add(time.Hour), Policy: &p})
	require.NoError(h.t, err)
	require.NoError(h.t, os.WriteFile(h.path, file, 0o600))
}

// loads requires that f has a version, 0 for none, and says why the file that is there is not it, "" for no reason.
func (h *policyHistory) loads(f *PolicyFile, version uint64, reason Reason) {
	h.t.Helper()
	good, failed := f.load(h.now)
	if version == 0 {
		require.Nil(h.t, good)
	} else {
		require.NotNil(h.t, good)
		require.Equal(h.t, version, good.Version)
	}
	if reason == Allowed {
		require.Nil(h.t, failed)
		return
	}
	require.NotNil(h.t, failed)
	require.Equal(h.t, reason, failed.reason)
	require.ErrorIs(h.t, failed.err, ErrInvalid)
}

// TestPolicyFileGoesForward: neither an older version nor another content of the same one is taken while the process lives, and after a restart expiry alone bounds what is.
func TestPolicyFileGoesForward(t *testing.T) {
	h := newPolicyHistory(t)
	f := h.file()
	h.put(h.key, 5, h.now, MozillaModern())
	h.loads(f, 5, Allowed)
	h.put(h.key, 4, h.now, Recommended())
	h.loads(f, 5, ReasonOther)
	h.put(h.key, 5, h.now, Recommended())
	h.loads(f, 5, ReasonOther)
	h.put(h.key, 5, h.now.Add(time.Second), MozillaModern()) // its times are part of what it says
	h.loads(f, 5, ReasonOther)
	h.put(h.next, 5, h.now, MozillaModern())
	h.loads(f, 5, Allowed)
	require.NoError(t, os.Remove(h.path))
	h.loads(f, 5, ReasonOther)
	h.put(h.key, 6, h.now, Recommended())
	h.loads(f, 6, Allowed)
	h.put(h.key, 5, h.now, MozillaModern())
	h.loads(f, 6, ReasonOther)
	h.loads(h.file(), 5, Allowed) // after a restart
	h.now = h.now.Add(time.Hour)
	h.loads(h.file(), 0, ReasonExpired)
	h.loads(f, 6, ReasonOther)
}

// TestPolicyFileExpires: at the very second, for who has not taken it before; who has keeps it, and takes no other that has expired.
func TestPolicyFileExpires(t *testing.T) {
	h := newPolicyHistory(t)
	begun := h.now
	f := h.file()
	h.put(h.key, 1, begun, MozillaModern())
	h.loads(f, 1, Allowed)
	h.now = begun.Add(time.Hour - time.Nanosecond)
	h.loads(h.file(), 1, Allowed)
	h.now = begun.Add(time.Hour)
	h.loads(h.file(), 0, ReasonExpired)
	h.loads(f, 1, Allowed)
	h.put(h.key, 2, begun, Recommended())
	h.loads(f, 1, ReasonExpired)
	h.put(h.key, 3, h.now, Recommended())
	h.loads(f, 3, Allowed)
}

// TestPolicyFileAndAClockSetBack: what was taken stays, and what was not waits for its time anew. A version that only waits is not remembered.
func TestPolicyFileAndAClockSetBack(t *testing.T) {
	h := newPolicyHistory(t)
	begun := h.now
	f := h.file()
	h.put(h.key, 1, begun, MozillaModern())
	h.loads(f, 1, Allowed)
	h.now = begun.Add(-time.Minute)
	h.loads(f, 1, Allowed)
	h.loads(h.file(), 0, ReasonNotYetValid)
	h.put(h.key, 3, begun, Recommended())
	h.loads(f, 1, ReasonNotYetValid)
	h.put(h.key, 2, begun.Add(-time.Hour/2), Recommended())
	h.loads(f, 2, Allowed)
	h.now = begun.Add(-24 * time.Hour)
	h.loads(f, 2, Allowed)
}

// TestPolicyFileBehindLinks: a volume that is swapped as Kubernetes does it, by a link to a directory, while it is read: each file is whole and of one version, and none of its moves is a fault.
func TestPolicyFileBehindLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	h := newPolicyHistory(t)
	volume := filepath.Dir(h.path)
	data := filepath.Join(volume, "..data")
	require.NoError(t, os.Symlink(filepath.Join("..data", "policy.signed"), h.path))
	visible := h.path
	put := func(version uint64) {
		name := filepath.Join(volume, fmt.Sprintf("..%d", version))
		require.NoError(t, os.Mkdir(name, 0o700))
		h.path = filepath.Join(name, "policy.signed")
		h.put(h.key, version, h.now, MozillaModern())
		require.NoError(t, os.Symlink(filepath.Base(name), data+"_tmp"))
		require.NoError(t, os.Rename(data+"_tmp", data))
		require.NoError(t, os.RemoveAll(filepath.Join(volume, fmt.Sprintf("..%d", version-1))))
	}
	put(1)
	f := SignedPolicy(visible, h.key.Public().(ed25519.PublicKey))
	h.loads(f, 1, Allowed)
	const last = 100
	done := make(chan struct{})
	go func() {
		defer close(done)
		for version := uint64(0); version < last; {
			good, failed := f.load(h.now)
			if failed != nil {
				t.Error(failed.err)
				return
			}
			if good.Version < version {
				t.Errorf("version %d comes after version %d", good.Version, version)
				return
			}
			version = good.Version
		}
	}()
	for version := uint64(2); version <= last; version++ {
		put(version)
	}
	<-done
	h.loads(f, last, Allowed)
}
