package tlsconfig_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

const identityDay = 24 * time.Hour

// filesHeld holds the pair of a directory in a bubble.
func filesHeld(t *testing.T, dir string) (tlsconfig.Held, *identityEvents) {
	t.Helper()
	events := new(identityEvents)
	h, err := tlsconfig.HoldIdentity(t.Context(), tlsconfig.Files(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")), forbidWeak, events.tell)
	require.NoError(t, err)
	require.Empty(t, events.take())
	return h, events
}

// filesPolled lets the time for a poll pass.
func filesPolled() {
	time.Sleep(31 * time.Second)
	synctest.Wait()
}

func TestFilesBadReload(t *testing.T) {
	ca := bubbleCA(t)
	first, second := bubbleLeaf(ca, 90*identityDay, "a.example"), bubbleLeaf(ca, 90*identityDay, "a.example")
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("sealed")})
	expired := ca.Issue(&tlsconfigtest.Leaf{NotBefore: bubbleStart.Add(-2 * identityDay), NotAfter: bubbleStart.Add(-identityDay)})
	future := ca.Issue(&tlsconfigtest.Leaf{NotBefore: bubbleStart.Add(identityDay), NotAfter: bubbleStart.Add(2 * identityDay)})
	weak := bubbleLeaf(ca, 90*identityDay, "weak.example")
	// edit returns a kind of bad reload that changes the files of the second pair.
	edit := func(file string, change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			tlsconfigtest.WritePair(t, dir, second)
			path := filepath.Join(dir, file)
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, change(content), 0o600))
		}
	}
	pair := func(c tls.Certificate) func(*testing.T, string) {
		return func(t *testing.T, dir string) { tlsconfigtest.WritePair(t, dir, c) }
	}
	for _, test := range []struct {
		name   string
		reload func(t *testing.T, dir string)
		reason tlsconfig.Reason
	}{
		{"half of the certificate", edit("tls.crt", func(b []byte) []byte { return b[:len(b)/4] }), tlsconfig.ReasonOther},
		{"leaf and half of the intermediate", edit("tls.crt", func(b []byte) []byte { return b[:len(b)*3/4] }), tlsconfig.ReasonOther},
		{"damaged line of the intermediate", edit("tls.crt", func(b []byte) []byte {
			at := bytes.LastIndex(b, []byte("-----BEGIN"))
			return append(bytes.Clone(b[:at]), b[at+1:]...)
		}), tlsconfig.ReasonOther},
		{"half of the key", edit("tls.key", func(b []byte) []byte { return b[:len(b)/2] }), tlsconfig.ReasonOther},
		{"empty certificate", edit("tls.crt", func([]byte) []byte { return nil }), tlsconfig.ReasonOther},
		{"empty key", edit("tls.key", func([]byte) []byte { return nil }), tlsconfig.ReasonOther},
		{"garbage", edit("tls.crt", func(b []byte) []byte { return bytes.Repeat([]byte{7}, len(b)) }), tlsconfig.ReasonOther},
		{"encrypted key", edit("tls.key", func([]byte) []byte { return encrypted }), tlsconfig.ReasonOther},
		{"two keys", edit("tls.key", func(b []byte) []byte { return append(b, b...) }), tlsconfig.ReasonOther},
		{"too large", edit("tls.key", func(b []byte) []byte { return append(b, bytes.Repeat([]byte("\n"), 1<<20)...) }), tlsconfig.ReasonOther},
		{"vanished", func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "tls.crt"))) }, tlsconfig.ReasonOther},
		{"directory", func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "tls.key")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "tls.key"), 0o700))
		}, tlsconfig.ReasonOther},
		{"mismatch", func(t *testing.T, dir string) {
			key, err := os.ReadFile(filepath.Join(dir, "tls.key"))
			require.NoError(t, err)
			tlsconfigtest.WritePair(t, dir, second)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.key"), key, 0o600))
		}, tlsconfig.ReasonOther},
		{"expired", pair(expired), tlsconfig.ReasonExpired},
		{"not yet valid", pair(future), tlsconfig.ReasonNotYetValid},
		{"weaker than the policy", pair(weak), tlsconfig.ReasonWeak},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			tlsconfigtest.WritePair(t, dir, first)
			bubble.Test(t, func(t *testing.T) {
				h, events := filesHeld(t, dir)
				before := identityFor(t, h, "")
				changed := h.Changed()
				test.reload(t, dir)
				for range 5 { // that it lasts is told once
					filesPolled()
				}
				require.Same(t, before, identityFor(t, h, ""))
				told := events.take()
				require.Len(t, told, 1)
				require.Equal(t, tlsconfig.KindCertificate, told[0].Kind)
				require.Equal(t, test.reason, told[0].Reason, "%v", told[0].Err)
				require.True(t, first.Leaf.NotAfter.Equal(told[0].NotAfter))
				require.NoError(t, h.Healthy(time.Now()))
				require.ErrorIs(t, h.Healthy(first.Leaf.NotAfter.Add(-20*identityDay)), told[0].Err) // in the last third

				if test.name == "directory" {
					require.NoError(t, os.Remove(filepath.Join(dir, "tls.key")))
				}
				select {
				case <-changed:
					require.Fail(t, "nothing has changed yet")
				default:
				}
				tlsconfigtest.WritePair(t, dir, second)
				filesPolled()
				identityIs(t, second, identityFor(t, h, ""))
				<-changed
				told = events.take()
				require.Len(t, told, 1)
				require.Equal(t, tlsconfig.Allowed, told[0].Reason)
				require.NoError(t, told[0].Err)
				require.NoError(t, h.Healthy(first.Leaf.NotAfter.Add(-20*identityDay)))
			})
		})
	}
}

// A renewer that writes one file after the other is seen in between.
func TestFilesOneAfterTheOther(t *testing.T) {
	ca := bubbleCA(t)
	first, second := bubbleLeaf(ca, 90*identityDay), bubbleLeaf(ca, 90*identityDay)
	dir, next := t.TempDir(), t.TempDir()
	tlsconfigtest.WritePair(t, dir, first)
	tlsconfigtest.WritePair(t, next, second)
	bubble.Test(t, func(t *testing.T) {
		h, events := filesHeld(t, dir)
		for _, file := range []string{"tls.crt", "tls.key"} {
			identityIs(t, first, identityFor(t, h, ""))
			require.NoError(t, os.Rename(filepath.Join(next, file), filepath.Join(dir, file)))
			filesPolled()
		}
		identityIs(t, second, identityFor(t, h, ""))
		require.Len(t, events.take(), 2)
	})
}

// A file that comes back as it was is the end of the failure, and not another certificate.
func TestFilesBack(t *testing.T) {
	dir := t.TempDir()
	tlsconfigtest.WritePair(t, dir, bubbleLeaf(bubbleCA(t), 90*identityDay))
	bubble.Test(t, func(t *testing.T) {
		h, events := filesHeld(t, dir)
		path := filepath.Join(dir, "tls.key")
		require.NoError(t, os.Rename(path, path+".away"))
		filesPolled()
		require.ErrorIs(t, events.take()[0].Err, os.ErrNotExist)
		changed := h.Changed()
		require.NoError(t, os.Rename(path+".away", path))
		filesPolled()
		require.Equal(t, tlsconfig.Allowed, events.take()[0].Reason)
		select {
		case <-changed:
			require.Fail(t, "it is the same certificate")
		default:
		}
	})
}

func TestFilesSameBytes(t *testing.T) {
	dir, c := t.TempDir(), bubbleLeaf(bubbleCA(t), 90*identityDay)
	tlsconfigtest.WritePair(t, dir, c)
	bubble.Test(t, func(t *testing.T) {
		h, events := filesHeld(t, dir)
		before := identityFor(t, h, "")
		tlsconfigtest.WritePair(t, dir, c)
		filesPolled()
		require.Same(t, before, identityFor(t, h, ""))
		require.Empty(t, events.take())
	})
}

// Nothing of the files changes, and yet the certificate can be served once its time has come.
func TestFilesBecomeValid(t *testing.T) {
	ca, dir := bubbleCA(t), t.TempDir()
	tlsconfigtest.WritePair(t, dir, bubbleLeaf(ca, 90*identityDay))
	future := ca.Issue(&tlsconfigtest.Leaf{NotBefore: bubbleStart.Add(time.Hour), NotAfter: bubbleStart.Add(90 * identityDay)})
	bubble.Test(t, func(t *testing.T) {
		h, events := filesHeld(t, dir)
		tlsconfigtest.WritePair(t, dir, future)
		time.Sleep(54 * time.Minute)
		synctest.Wait()
		require.Equal(t, tlsconfig.ReasonNotYetValid, events.take()[0].Reason)
		before := identityFor(t, h, "")
		time.Sleep(2 * time.Minute) // the minutes that are granted to clocks are not needed while another certificate is good
		synctest.Wait()
		require.Same(t, before, identityFor(t, h, ""))
		require.Equal(t, tlsconfig.ReasonNotYetValid, events.take()[0].Reason)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		identityIs(t, future, identityFor(t, h, ""))
		require.Len(t, events.take(), 1)
	})
}

// Kubernetes has the files as symlinks into ..data, a symlink to a directory, and swaps that.
func TestFilesKubernetes(t *testing.T) {
	ca, dir := bubbleCA(t), t.TempDir()
	first, second := bubbleLeaf(ca, 90*identityDay), bubbleLeaf(ca, 90*identityDay)
	for name, c := range map[string]tls.Certificate{"..1": first, "..2": second} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		tlsconfigtest.WritePair(t, filepath.Join(dir, name), c)
	}
	if err := os.Symlink("..1", filepath.Join(dir, "..data")); err != nil {
		t.Skipf("no symlinks here: %v", err)
	}
	for _, file := range []string{"tls.crt", "tls.key"} {
		require.NoError(t, os.Symlink(filepath.Join("..data", file), filepath.Join(dir, file)))
	}
	bubble.Test(t, func(t *testing.T) {
		h, events := filesHeld(t, dir)
		identityIs(t, first, identityFor(t, h, ""))
		require.NoError(t, os.Symlink("..2", filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "..1")))
		filesPolled()
		identityIs(t, second, identityFor(t, h, ""))
		require.Len(t, events.take(), 1)
	})
}

func TestFilesPollInterval(t *testing.T) {
	ca := bubbleCA(t)
	for _, test := range []struct{ life, want time.Duration }{
		{90 * identityDay, 30 * time.Second},
		{47 * identityDay, 30 * time.Second},
		{6 * identityDay, 30 * time.Second},
		{identityDay, 8640 * time.Millisecond},
		{time.Hour, 500 * time.Millisecond},
	} {
		t.Run(test.life.String(), func(t *testing.T) {
			require.Equal(t, test.want, tlsconfig.PollEvery(test.life))
			dir := t.TempDir()
			pairs := make([]tls.Certificate, 6)
			for i := range pairs {
				pairs[i] = bubbleLeaf(ca, test.life)
			}
			tlsconfigtest.WritePair(t, dir, pairs[0])
			bubble.Test(t, func(t *testing.T) {
				h, _ := filesHeld(t, dir)
				for _, c := range pairs[1:] { // written right after a look, and so seen at the next
					changed, since := h.Changed(), time.Now()
					tlsconfigtest.WritePair(t, dir, c)
					<-changed
					require.LessOrEqual(t, time.Since(since), test.want)
					require.GreaterOrEqual(t, time.Since(since), test.want*9/10-10*time.Millisecond) // less time is left, and jitter
				}
			})
		})
	}
}

// pollersRunning returns how many goroutines look at files.
func pollersRunning() int {
	buf := make([]byte, 1<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "tlsconfig.(*poller).hold in goroutine")
}

func TestFilesSharedPoller(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	require.Eventually(t, func() bool { return pollersRunning() == 0 }, time.Minute, time.Millisecond, "those of other tests end")
	dir := t.TempDir()
	cert, key := tlsconfigtest.WritePair(t, dir, tlsconfigtest.NewCA(t, nil).Issue(nil))
	id := tlsconfig.Files(cert, key)
	_, err := id.Certificate(t.Context())
	require.NoError(t, err)
	require.Zero(t, pollersRunning(), "nobody holds it")
	ctxs := make([]context.CancelFunc, 2)
	for i := range ctxs {
		ctx, cancel := context.WithCancel(t.Context())
		ctxs[i] = cancel
		_, err := tlsconfig.HoldIdentity(ctx, id, forbidWeak, new(identityEvents).tell)
		require.NoError(t, err)
	}
	require.Equal(t, 1, pollersRunning())
	ctxs[0]()
	require.Equal(t, 1, pollersRunning())
	ctxs[1]() // and goleak waits for its end
}

// The first of two holders goes, and the second still sees what changes; after a time without any a third does.
func TestFilesHoldersInTurn(t *testing.T) {
	ca, dir := bubbleCA(t), t.TempDir()
	pairs := []tls.Certificate{bubbleLeaf(ca, 90*identityDay), bubbleLeaf(ca, 90*identityDay), bubbleLeaf(ca, 90*identityDay)}
	cert, key := tlsconfigtest.WritePair(t, dir, pairs[0])
	bubble.Test(t, func(t *testing.T) {
		id := tlsconfig.Files(cert, key)
		hold := func() (tlsconfig.Held, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			h, err := tlsconfig.HoldIdentity(ctx, id, forbidWeak, new(identityEvents).tell)
			require.NoError(t, err)
			return h, cancel
		}
		one, endOne := hold()
		two, endTwo := hold()
		endOne()
		synctest.Wait()
		tlsconfigtest.WritePair(t, dir, pairs[1])
		filesPolled()
		identityIs(t, pairs[0], identityFor(t, one, ""))
		identityIs(t, pairs[1], identityFor(t, two, ""))
		endTwo()
		time.Sleep(time.Hour)
		three, endThree := hold()
		tlsconfigtest.WritePair(t, dir, pairs[2])
		filesPolled()
		identityIs(t, pairs[2], identityFor(t, three, ""))
		endThree()
	})
}

func TestFilesKeyForms(t *testing.T) {
	c := tlsconfigtest.NewCA(t, nil).Issue(nil)
	sec1, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key := tlsconfigtest.WritePair(t, dir, c)
	chain, err := os.ReadFile(cert)
	require.NoError(t, err)
	pkcs8, err := os.ReadFile(key)
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"PKCS#8":                pkcs8,
		"SEC1":                  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}),
		"SEC1 with parameters":  append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{5, 0}}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...),
		"Windows line ends":     bytes.ReplaceAll(pkcs8, []byte("\n"), []byte("\r\n")),
		"text before":           append([]byte("Bag Attributes\n  friendlyName: a\n"), pkcs8...),
		"chain in the file too": append(bytes.Clone(chain), pkcs8...),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(key, content, 0o600))
			got, err := tlsconfig.Files(cert, key).Certificate(t.Context())
			require.NoError(t, err)
			identityIs(t, c, got)
		})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = tlsconfig.Files(cert, key).Certificate(ended)
	require.ErrorIs(t, err, context.Canceled)
}

// No error shows the key, however broken the file.
func TestFilesErrorsHaveNoKey(t *testing.T) {
	dir := t.TempDir()
	cert, key := tlsconfigtest.WritePair(t, dir, tlsconfigtest.NewCA(t, nil).Issue(nil))
	content, err := os.ReadFile(key)
	require.NoError(t, err)
	lines := strings.Split(string(content), "\n")
	for i := range content[:len(content)-1] {
		require.NoError(t, os.WriteFile(key, content[:i], 0o600))
		_, err := tlsconfig.Files(cert, key).Certificate(t.Context())
		require.ErrorIs(t, err, tlsconfig.ErrCertificate)
		for _, secret := range lines[1 : len(lines)-2] {
			require.NotContains(t, fmt.Sprintf("%+v", err), secret[:8])
		}
	}
}

func FuzzPair(f *testing.F) {
	dir := f.TempDir()
	cert, key := tlsconfigtest.WritePair(f, dir, tlsconfigtest.NewCA(f, nil).Intermediate(nil).Issue(nil))
	chain, err := os.ReadFile(cert)
	require.NoError(f, err)
	private, err := os.ReadFile(key)
	require.NoError(f, err)
	f.Add(chain, private)
	f.Add(chain[:len(chain)/2], private)
	f.Add(private, chain)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"), []byte{})
	f.Fuzz(func(t *testing.T, chain, key []byte) {
		c, err := tlsconfig.ParsePair(chain, key)
		if err != nil {
			require.Nil(t, c)
			return
		}
		require.Equal(t, bytes.Count(chain, []byte("-----BEGIN CERTIFICATE-----")), len(c.Certificate), "a certificate was skipped")
	})
}
