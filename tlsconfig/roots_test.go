package tlsconfig_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

func TestRootPEM(t *testing.T) {
	a, b := tlsconfigtest.NewCA(t, nil), tlsconfigtest.NewCA(t, nil)
	both := slices.Concat(a.PEM(), b.PEM())
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Issue(nil).Certificate[0]})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")})
	trusted := pem.EncodeToMemory(&pem.Block{Type: "TRUSTED CERTIFICATE", Bytes: a.Certificate().Raw})
	headers := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"a": "b"}, Bytes: a.Certificate().Raw})
	two := a.Pool()
	two.AddCert(b.Certificate())
	for _, test := range []struct {
		name string
		pem  []byte
		want *x509.CertPool // nil for ErrInvalid
	}{
		{"one", a.PEM(), a.Pool()},
		{"two", both, two},
		{"twice the same", slices.Concat(a.PEM(), both), two},
		{"comments and blank lines", slices.Concat([]byte("# our CA\n\n"), a.PEM(), []byte("\n  \n# the next\n"), b.PEM()), two},
		{"Windows line ends", bytes.ReplaceAll(both, []byte("\n"), []byte("\r\n")), two},
		{"no newline at the end", bytes.TrimSpace(both), two},
		{"nothing", nil, nil},
		{"comment alone", []byte("# none"), nil},
		{"garbage", []byte("garbage"), nil},
		{"garbage between", slices.Concat(a.PEM(), []byte("garbage\n"), b.PEM()), nil},
		{"garbage after", append(bytes.Clone(both), "garbage"...), nil},
		{"DER", a.Certificate().Raw, nil},
		{"half of the second", both[:len(both)*3/4], nil},
		{"first without its end", slices.Concat(a.PEM()[:len(a.PEM())-30], []byte("\n"), b.PEM()), nil},
		{"damaged first line", both[1:], nil},
		{"no certificate in the block", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("garbage")}), nil},
		{"leaf", leaf, nil},
		{"CA and leaf", append(a.PEM(), leaf...), nil},
		{"private key", append(a.PEM(), key...), nil},
		{"another type", trusted, nil},
		{"headers", headers, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			roots := tlsconfig.RootPEM(test.pem)
			require.Nil(t, roots.Changed())
			pool, err := roots.Pool()
			_, held := tlsconfig.HoldRoots(t.Context(), roots, new(identityEvents).tell)
			if test.want == nil {
				require.ErrorIs(t, err, tlsconfig.ErrInvalid)
				require.ErrorIs(t, held, tlsconfig.ErrInvalid)
				require.Nil(t, pool)
				return
			}
			require.NoError(t, err)
			require.NoError(t, held)
			require.True(t, test.want.Equal(pool))
		})
	}
}

func TestRootFilesBadReload(t *testing.T) {
	o := &tlsconfigtest.CAOptions{NotBefore: bubbleStart, NotAfter: bubbleStart.Add(90 * identityDay)}
	first, second := tlsconfigtest.NewCA(t, o), tlsconfigtest.NewCA(t, o)
	leaf := bubbleLeaf(first, identityDay)
	for name, bad := range map[string][]byte{
		"empty":     {},
		"garbage":   []byte("garbage"),
		"half":      second.PEM()[:len(second.PEM())/2],
		"leaf":      pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}),
		"too large": append(second.PEM(), bytes.Repeat([]byte("\n"), 1<<20)...),
		"vanished":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ca.pem")
			require.NoError(t, os.WriteFile(path, first.PEM(), 0o600))
			bubble.Test(t, func(t *testing.T) {
				events := new(identityEvents)
				h, err := tlsconfig.HoldRoots(t.Context(), tlsconfig.RootFiles(path), events.tell)
				require.NoError(t, err)
				before, digest := h.Now()
				require.True(t, first.Pool().Equal(before))
				changed := h.Changed()
				if bad == nil {
					require.NoError(t, os.Remove(path))
				} else {
					require.NoError(t, os.WriteFile(path, bad, 0o600))
				}
				for range 5 {
					filesPolled()
				}
				pool, same := h.Now()
				require.Same(t, before, pool)
				require.Equal(t, digest, same)
				told := events.take()
				require.Len(t, told, 1)
				require.Equal(t, tlsconfig.KindTrust, told[0].Kind)
				require.Equal(t, tlsconfig.ReasonOther, told[0].Reason)
				require.ErrorIs(t, told[0].Err, tlsconfig.ErrInvalid)
				require.ErrorIs(t, h.Healthy(time.Now()), told[0].Err)
				select {
				case <-changed:
					require.Fail(t, "nothing has changed yet")
				default:
				}

				require.NoError(t, os.WriteFile(path, second.PEM(), 0o600))
				filesPolled()
				<-changed
				pool, other := h.Now()
				require.True(t, second.Pool().Equal(pool))
				require.NotEqual(t, digest, other)
				told = events.take()
				require.Len(t, told, 1)
				require.Equal(t, tlsconfig.Allowed, told[0].Reason)
				require.NoError(t, h.Healthy(time.Now()))
				require.ErrorIs(t, h.Healthy(bubbleStart.Add(91*identityDay)), tlsconfig.ErrInvalid)
			})
		})
	}
}

// Files with the same certificates, written otherwise, are the same roots.
func TestRootFilesDigest(t *testing.T) {
	o := &tlsconfigtest.CAOptions{NotBefore: bubbleStart, NotAfter: bubbleStart.Add(90 * identityDay)}
	a, b := tlsconfigtest.NewCA(t, o), tlsconfigtest.NewCA(t, o)
	path := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(path, append(a.PEM(), b.PEM()...), 0o600))
	bubble.Test(t, func(t *testing.T) {
		events := new(identityEvents)
		h, err := tlsconfig.HoldRoots(t.Context(), tlsconfig.RootFiles(path), events.tell)
		require.NoError(t, err)
		_, digest := h.Now()
		changed := h.Changed()
		require.NoError(t, os.WriteFile(path, slices.Concat([]byte("# new\n"), b.PEM(), a.PEM(), b.PEM()), 0o600))
		filesPolled()
		_, same := h.Now()
		require.Equal(t, digest, same)
		require.Empty(t, events.take())
		require.NoError(t, os.WriteFile(path, b.PEM(), 0o600))
		filesPolled()
		<-changed
		_, other := h.Now()
		require.NotEqual(t, digest, other)
		one, err := tlsconfig.HoldRoots(t.Context(), tlsconfig.RootPEM(b.PEM()), events.tell)
		require.NoError(t, err)
		_, same = one.Now()
		require.Equal(t, other, same, "the same roots have one digest, wherever they are from")
	})
}

func TestRootFilesRefused(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	dir := t.TempDir()
	good := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(good, ca.PEM(), 0o600))
	for name, paths := range map[string][]string{
		"no file":   nil,
		"missing":   {good, filepath.Join(dir, "none")},
		"directory": {dir},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tlsconfig.RootFiles(paths...).Pool()
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
		})
	}
	pool, err := tlsconfig.RootFiles(good, good).Pool()
	require.NoError(t, err)
	require.True(t, ca.Pool().Equal(pool))
}

func TestSystemRoots(t *testing.T) {
	require.True(t, tlsconfig.IsSystem(tlsconfig.SystemRoots()))
	require.False(t, tlsconfig.IsSystem(tlsconfig.RootPEM(nil)))
	want, err := x509.SystemCertPool()
	if err != nil || want.Equal(x509.NewCertPool()) {
		t.Skip("this system has no roots")
	}
	a, err := tlsconfig.HoldRoots(t.Context(), tlsconfig.SystemRoots(), new(identityEvents).tell)
	require.NoError(t, err)
	pool, digest := a.Now()
	require.True(t, want.Equal(pool))
	b, err := tlsconfig.HoldRoots(t.Context(), tlsconfig.SystemRoots(), new(identityEvents).tell)
	require.NoError(t, err)
	_, other := b.Now()
	require.NotEqual(t, digest, other, "another process may have other roots of the system")
	require.NoError(t, a.Healthy(time.Now()))
}

// rootsSwitch are Roots of a user that change on demand.
type rootsSwitch struct {
	mu    sync.Mutex
	pool  *x509.CertPool
	err   error
	moved chan struct{}
}

func (r *rootsSwitch) Pool() (*x509.CertPool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pool, r.err
}

func (r *rootsSwitch) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moved
}

func (r *rootsSwitch) set(pool *x509.CertPool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pool, r.err = pool, err
	close(r.moved)
	r.moved = make(chan struct{})
}

func TestRootsOfUser(t *testing.T) {
	ca, other := tlsconfigtest.NewCA(t, nil), tlsconfigtest.NewCA(t, nil)
	events := new(identityEvents)
	_, err := tlsconfig.HoldRoots(t.Context(), nil, events.tell)
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	for name, r := range map[string]*rootsSwitch{
		"nil pool, which would be that of the system": {},
		"empty pool": {pool: x509.NewCertPool()},
		"failure":    {pool: ca.Pool(), err: errIdentityForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tlsconfig.HoldRoots(t.Context(), r, events.tell)
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
		})
	}
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		r := &rootsSwitch{pool: ca.Pool(), moved: make(chan struct{})}
		h, err := tlsconfig.HoldRoots(t.Context(), r, events.tell)
		require.NoError(t, err)
		before, digest := h.Now()
		r.pool.AddCert(other.Certificate()) // against the rules
		require.True(t, ca.Pool().Equal(before))
		r.set(nil, nil)
		synctest.Wait()
		require.ErrorIs(t, events.take()[0].Err, tlsconfig.ErrInvalid)
		kept, same := h.Now()
		require.Same(t, before, kept)
		require.Equal(t, digest, same)
		r.set(other.Pool(), nil)
		synctest.Wait()
		pool, changed := h.Now()
		require.True(t, other.Pool().Equal(pool))
		require.NotEqual(t, digest, changed)
		require.Equal(t, tlsconfig.Allowed, events.take()[0].Reason)
	})
}

func FuzzRoots(f *testing.F) {
	ca := tlsconfigtest.NewCA(f, nil)
	f.Add(ca.PEM())
	f.Add(append(ca.PEM(), ca.PEM()...))
	f.Add(ca.PEM()[:100])
	f.Add([]byte("# none\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		roots, err := tlsconfig.ParseRoots(data)
		if err != nil {
			require.Empty(t, roots)
			return
		}
		require.Equal(t, bytes.Count(data, []byte("-----BEGIN CERTIFICATE-----")), len(roots), "a certificate was skipped")
		for _, root := range roots {
			require.True(t, root.IsCA)
		}
	})
}
