package tlsconfig

import (
	"context"
	"crypto/tls"
	"sync/atomic"
	"time"
)

// Files returns the Identity of two PEM files: the chain, leaf first, and the private key in PKCS#8, PKCS#1 or SEC1. Each has at most 1 MiB; both may be the same file.
//
// While a Server or Client has it, the files are looked at every 500 ms to 30 s, a ten-thousandth of the time that the certificate has left, and a new pair is served without a restart. Contents count, not times; paths are opened anew each time, so Kubernetes volumes work.
// A pair that is half-written, mismatched, expired, not yet valid or weaker than the policy leaves the last good one in place. It is safe for concurrent use.
func Files(cert, key string) Identity {
	return newFileIdentity(cert, key, func(_ context.Context, key []byte) ([]byte, error) { return key, nil })
}

// fileIdentity is an Identity and a source.
type fileIdentity struct {
	cert, key string
	open      func(ctx context.Context, key []byte) ([]byte, error)
	poll      *poller
	ends      atomic.Pointer[time.Time] // of the certificate that was read last, nil for none yet
}

// newFileIdentity returns an Identity of files whose key open makes readable.
func newFileIdentity(cert, key string, open func(context.Context, []byte) ([]byte, error)) *fileIdentity {
	return &fileIdentity{cert: cert, key: key, open: open, poll: newPoller([]string{cert, key})}
}

// Certificate reads the files. It returns ErrCertificate if they can't be read or are not a pair.
func (f *fileIdentity) Certificate(ctx context.Context) (*tls.Certificate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	contents, err := f.poll.read()
	if err != nil {
		return nil, unusable("%w", err)
	}
	key, err := f.open(ctx, contents[1])
	if err != nil {
		return nil, unusable("open %q: %w", f.key, err)
	}
	defer clear(key)
	c, err := parsePair(contents[0], key)
	if err != nil {
		return nil, unusable("%q with %q: %w", f.cert, f.key, err)
	}
	f.ends.Store(&c.Leaf.NotAfter)
	return c, nil
}

// Changed fires when the content of one of the files differs, while it is held.
func (f *fileIdentity) Changed() <-chan struct{} { return f.poll.changed() }

func (f *fileIdentity) hold(ctx context.Context) {
	f.poll.hold(ctx, func() time.Duration {
		if ends := f.ends.Load(); ends != nil {
			return pollEvery(time.Until(*ends))
		}
		return pollMin
	})
}
