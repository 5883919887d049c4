package tlsconfig_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// kmsKey stands for a key in a KMS: it does what sign says.
type kmsKey struct {
	crypto.Signer
	sign func(key crypto.Signer, rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

func (k *kmsKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.sign(k.Signer, rand, digest, opts)
}

// newKMSKey returns a certificate and its key in a KMS that signs whatever it is asked to.
func newKMSKey(t testing.TB, kind tlsconfigtest.Key) (tls.Certificate, *kmsKey) {
	t.Helper()
	c := tlsconfigtest.NewCA(t, nil).Issue(&tlsconfigtest.Leaf{DNS: []string{"a.example"}, Key: kind})
	return c, &kmsKey{c.PrivateKey.(crypto.Signer), crypto.Signer.Sign}
}

var errKMS = errors.New("no such algorithm")

// onlyPSS256 is a KMS key of the kind RSA_SIGN_PSS_2048_SHA256.
func onlyPSS256(key crypto.Signer, rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); !pss || opts.HashFunc() != crypto.SHA256 {
		return nil, errKMS
	}
	return key.Sign(rand, digest, opts)
}

// onlyPKCS1 is a KMS that knows no PSS, and ignores that it was asked for.
func onlyPKCS1(key crypto.Signer, rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return key.Sign(rand, digest, opts.HashFunc())
}

func TestSigner(t *testing.T) {
	pss := []tls.SignatureScheme{tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512}
	pkcs1 := []tls.SignatureScheme{tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512}
	for _, test := range []struct {
		name string
		kind tlsconfigtest.Key
		sign func(crypto.Signer, io.Reader, []byte, crypto.SignerOpts) ([]byte, error)
		want []tls.SignatureScheme
		only uint16 // version, 0 for both
	}{
		{"ECDSA P-256", tlsconfigtest.KeyP256, nil, []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, 0},
		{"ECDSA P-384", tlsconfigtest.KeyP384, nil, []tls.SignatureScheme{tls.ECDSAWithP384AndSHA384}, 0},
		{"ECDSA P-521", tlsconfigtest.KeyP521, nil, []tls.SignatureScheme{tls.ECDSAWithP521AndSHA512}, 0},
		{"Ed25519", tlsconfigtest.KeyEd25519, nil, []tls.SignatureScheme{tls.Ed25519}, 0},
		{"RSA", tlsconfigtest.KeyRSA2048, nil, append(pss, pkcs1...), 0},
		{"RSA with one algorithm", tlsconfigtest.KeyRSA2048, onlyPSS256, pss[:1], 0},
		{"RSA that says it does PSS", tlsconfigtest.KeyRSA2048, onlyPKCS1, pkcs1, tls.VersionTLS12},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, key := newKMSKey(t, test.kind)
			signs, sign := 0, key.sign
			if test.sign != nil {
				sign = test.sign
			}
			key.sign = func(key crypto.Signer, rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
				signs++
				return sign(key, rand, digest, opts)
			}
			id := tlsconfig.Signer(c.Certificate, key, nil)
			require.Nil(t, id.Changed())
			h, err := tlsconfig.HoldIdentity(t.Context(), id, forbidWeak, new(identityEvents).tell)
			require.NoError(t, err)
			got := identityFor(t, h, "")
			require.Equal(t, test.want, got.SupportedSignatureAlgorithms)
			before := signs
			_, err = id.Certificate(t.Context())
			require.NoError(t, err)
			require.Equal(t, before, signs, "it is found out once")
			roots := x509.NewCertPool()
			roots.AddCert(c.Leaf)
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				server := &tls.Config{GetCertificate: h.Get, MinVersion: version, MaxVersion: version}
				client := &tls.Config{RootCAs: roots, ServerName: "a.example"}
				_, _, serverErr, clientErr := tlsconfigtest.Pipe(t, server, client)
				if test.only != 0 && test.only != version {
					require.Error(t, serverErr)
					continue
				}
				require.NoError(t, serverErr)
				require.NoError(t, clientErr)
			}
		})
	}
}

// messageKey is a crypto.MessageSigner that can't sign digests.
type messageKey struct{ crypto.Signer }

func (messageKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errKMS }

func (m messageKey) SignMessage(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	return crypto.SignMessage(m.Signer, rand, msg, opts)
}

func TestSignerOfMessages(t *testing.T) {
	c, key := newKMSKey(t, tlsconfigtest.KeyP256)
	got, err := tlsconfig.Signer(c.Certificate, messageKey{key}, nil).Certificate(t.Context())
	require.NoError(t, err)
	_, err = got.PrivateKey.(crypto.MessageSigner).SignMessage(rand.Reader, []byte("message"), crypto.SHA256)
	require.NoError(t, err)
	_, err = got.PrivateKey.(crypto.Signer).Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
	require.ErrorIs(t, err, errKMS)
}

func TestSignerRefused(t *testing.T) {
	c, key := newKMSKey(t, tlsconfigtest.KeyP256)
	other, _ := newKMSKey(t, tlsconfigtest.KeyP256)
	fails := &kmsKey{key.Signer, func(crypto.Signer, io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errKMS }}
	lies := &kmsKey{key.Signer, func(key crypto.Signer, rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		digest[0]++
		return key.Sign(rand, digest, opts)
	}}
	empty := &kmsKey{key.Signer, func(crypto.Signer, io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, nil }}
	panics := &kmsKey{key.Signer, func(crypto.Signer, io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { panic("broken") }}
	for _, test := range []struct {
		name   string
		chain  [][]byte
		signer crypto.Signer
		o      *tlsconfig.SignerOptions
		want   error
	}{
		{"nil signer", c.Certificate, nil, nil, tlsconfig.ErrInvalid},
		{"empty chain", nil, key, nil, tlsconfig.ErrInvalid},
		{"timeout too short", c.Certificate, key, &tlsconfig.SignerOptions{Timeout: time.Millisecond}, tlsconfig.ErrInvalid},
		{"timeout negative", c.Certificate, key, &tlsconfig.SignerOptions{Timeout: -1}, tlsconfig.ErrInvalid},
		{"timeout too long", c.Certificate, key, &tlsconfig.SignerOptions{Timeout: time.Hour}, tlsconfig.ErrInvalid},
		{"negative", c.Certificate, key, &tlsconfig.SignerOptions{Concurrent: -1}, tlsconfig.ErrInvalid},
		{"too many", c.Certificate, key, &tlsconfig.SignerOptions{Concurrent: 1025}, tlsconfig.ErrInvalid},
		{"garbage", [][]byte{[]byte("garbage")}, key, nil, tlsconfig.ErrCertificate},
		{"certificate of another", other.Certificate, key, nil, tlsconfig.ErrCertificate},
		{"fails", c.Certificate, fails, nil, errKMS},
		{"fails, class", c.Certificate, fails, nil, tlsconfig.ErrCertificate},
		{"lies", c.Certificate, lies, nil, tlsconfig.ErrCertificate},
		{"signs nothing", c.Certificate, empty, nil, tlsconfig.ErrCertificate},
		{"panics", c.Certificate, panics, nil, tlsconfig.ErrCertificate},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := tlsconfig.Signer(test.chain, test.signer, test.o).Certificate(t.Context())
			require.ErrorIs(t, err, test.want)
			require.Nil(t, got)
		})
	}
}

// What fails at first is tried again when it is asked for again.
func TestSignerRecovers(t *testing.T) {
	c, key := newKMSKey(t, tlsconfigtest.KeyP256)
	broken := true
	key.sign = func(key crypto.Signer, rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		if broken {
			return nil, errKMS
		}
		return key.Sign(rand, digest, opts)
	}
	id := tlsconfig.Signer(c.Certificate, key, nil)
	_, err := id.Certificate(t.Context())
	require.ErrorIs(t, err, errKMS)
	broken = false
	_, err = id.Certificate(t.Context())
	require.NoError(t, err)
}

// A KMS that hangs holds up no handshake longer than the timeout, and no more goroutines than allowed.
func TestSignerHangs(t *testing.T) {
	needClock(t)
	c, key := newKMSKey(t, tlsconfigtest.KeyEd25519)
	bubble.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		var underWay, most atomic.Int32
		release := make(chan struct{})
		key.sign = func(key crypto.Signer, rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
			n := underWay.Add(1)
			defer underWay.Add(-1)
			most.Store(max(most.Load(), n))
			if hang.Load() {
				<-release
			}
			return key.Sign(rand, digest, opts)
		}
		id := tlsconfig.Signer(c.Certificate, key, &tlsconfig.SignerOptions{Timeout: 3 * time.Second, Concurrent: 2})
		got, err := id.Certificate(t.Context())
		require.NoError(t, err)
		hang.Store(true)
		start := time.Now()
		failed := make(chan error)
		for range 10 {
			go func() {
				_, err := crypto.SignMessage(got.PrivateKey.(crypto.Signer), rand.Reader, []byte("message"), crypto.Hash(0))
				failed <- err
			}()
		}
		for range 10 {
			err := <-failed
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, tlsconfig.ReasonTimeout, tlsconfig.ReasonOf(err))
		}
		require.Equal(t, 3*time.Second, time.Since(start))
		require.Equal(t, int32(2), most.Load())
		require.Equal(t, int32(2), underWay.Load(), "those that are late count")
		close(release) // the late answers are dropped, and their places are free
		synctest.Wait()
		require.Zero(t, underWay.Load())
		_, err = crypto.SignMessage(got.PrivateKey.(crypto.Signer), rand.Reader, []byte("message"), crypto.Hash(0))
		require.NoError(t, err)
	})
}

// A KMS that hangs at the start is an error after the timeout, or when the caller's context ends.
func TestSignerHangsAtStart(t *testing.T) {
	needClock(t)
	c, key := newKMSKey(t, tlsconfigtest.KeyRSA2048)
	bubble.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		key.sign = func(crypto.Signer, io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
			<-release
			return nil, errKMS
		}
		id := tlsconfig.Signer(c.Certificate, key, nil)
		start := time.Now()
		_, err := id.Certificate(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 2*time.Second, time.Since(start), "one timeout, not one for each algorithm")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := id.Certificate(ctx)
			ended <- err
		}()
		synctest.Wait()
		waiting, giveUp := context.WithCancel(t.Context())
		go func() {
			_, err := id.Certificate(waiting) // for its turn
			ended <- err
		}()
		synctest.Wait()
		giveUp()
		require.ErrorIs(t, <-ended, context.Canceled)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.Equal(t, 2*time.Second, time.Since(start))
		close(release)
	})
}

// A late signer reads a copy: who asked may use its buffer again.
func TestSignerCopies(t *testing.T) {
	c, key := newKMSKey(t, tlsconfigtest.KeyP256)
	bubble.Test(t, func(t *testing.T) {
		got, err := tlsconfig.Signer(c.Certificate, key, nil).Certificate(t.Context())
		require.NoError(t, err)
		release, seen := make(chan struct{}), make(chan byte)
		key.sign = func(_ crypto.Signer, _ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
			<-release
			seen <- digest[0]
			return nil, errKMS
		}
		digest := make([]byte, 32)
		digest[0] = 1
		_, err = got.PrivateKey.(crypto.Signer).Sign(rand.Reader, digest, crypto.SHA256)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		digest[0] = 2
		close(release)
		require.Equal(t, byte(1), <-seen)
	})
}

func ExampleSigner() {
	// kms stands for the client of a KMS or HSM: a crypto.Signer. Keys there often do one algorithm only.
	chain, kms := exampleKMS()
	id := tlsconfig.Signer(chain, kms, &tlsconfig.SignerOptions{Timeout: time.Second})

	c, err := id.Certificate(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.SupportedSignatureAlgorithms)
	// Output: [ECDSAWithP384AndSHA384]
}
