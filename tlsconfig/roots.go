package tlsconfig

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Roots are the certificate authorities that count. RootFiles, RootPEM and SystemRoots make them; others may be implemented anywhere. It is safe for concurrent use.
type Roots interface {
	// Pool returns the roots. Nobody may change them after. An empty pool is refused.
	Pool() (*x509.CertPool, error)
	// Changed returns a channel that is closed when Pool may return something else, and then replaced by an open one. It is nil for what never changes.
	Changed() <-chan struct{}
}

// rootLister is what Roots are besides whose certificates can be told one by one.
type rootLister interface {
	list() ([]*x509.Certificate, error)
}

// RootFiles returns the Roots of PEM files, at most 1 MiB each. All count. A file without a CA certificate, or with anything else but blank lines and lines that start with #, is an error.
//
// While a Server or Client has them, the files are looked at every 500 ms to 30 s, and new roots count without a restart. Files that can't be read leave the last good roots in place.
func RootFiles(paths ...string) Roots {
	return &rootFiles{paths: slices.Clone(paths), poll: newPoller(paths)}
}

// rootFiles are Roots and a source.
type rootFiles struct {
	paths []string
	poll  *poller
	ends  atomic.Pointer[time.Time] // when the first of them ends, nil for not known
}

// Pool reads the files. It returns ErrInvalid if they can't be read or are not roots.
func (r *rootFiles) Pool() (*x509.CertPool, error) { return poolOf(r) }

// Changed fires when the content of one of the files differs, while it is held.
func (r *rootFiles) Changed() <-chan struct{} { return r.poll.changed() }

func (r *rootFiles) hold(ctx context.Context) {
	r.poll.hold(ctx, func() time.Duration {
		if ends := r.ends.Load(); ends != nil {
			return pollEvery(time.Until(*ends))
		}
		return pollMin
	})
}

func (r *rootFiles) list() ([]*x509.Certificate, error) {
	if len(r.paths) == 0 {
		return nil, invalid("RootFiles without a file")
	}
	contents, err := r.poll.read()
	if err != nil {
		return nil, invalid("roots: %w", err)
	}
	var roots []*x509.Certificate
	for i, content := range contents {
		more, err := parseRoots(content)
		if err != nil {
			return nil, invalid("roots: %q: %w", r.paths[i], err)
		}
		roots = append(roots, more...)
	}
	first := slices.MinFunc(roots, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	r.ends.Store(&first.NotAfter)
	return roots, nil
}

// RootPEM returns the Roots of one or more CA certificates in PEM. They never change. Anything else there but blank lines and lines that start with # is an error, which Pool returns.
func RootPEM(pem []byte) Roots { return rootPEM(bytes.Clone(pem)) }

// rootPEM are Roots.
type rootPEM []byte

func (r rootPEM) Pool() (*x509.CertPool, error) { return poolOf(r) }

func (r rootPEM) Changed() <-chan struct{} { return nil }

func (r rootPEM) list() ([]*x509.Certificate, error) {
	roots, err := parseRoots(r)
	if err != nil {
		return nil, invalid("roots: %w", err)
	}
	return roots, nil
}

// SystemRoots returns the Roots of the operating system, for servers on the Internet. They are those of when the process first looked.
func SystemRoots() Roots { return systemRoots{} }

// systemRoots are Roots.
type systemRoots struct{}

func (systemRoots) Pool() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, invalid("roots of the system: %w", err)
	}
	return pool, nil
}

func (systemRoots) Changed() <-chan struct{} { return nil }

// isSystem says whether r are SystemRoots.
func isSystem(r Roots) bool {
	_, ok := r.(systemRoots)
	return ok
}

// parseRoots returns the CA certificates of a PEM file. Errors have no prefix.
func parseRoots(data []byte) ([]*x509.Certificate, error) {
	blocks, text, err := pemBlocks(data)
	switch {
	case err != nil:
		return nil, err
	case text:
		return nil, errors.New("there is text outside of the PEM blocks: start such lines with #")
	case len(blocks) == 0:
		return nil, errors.New("there is no certificate in PEM")
	}
	roots := make([]*x509.Certificate, len(blocks))
	for i, block := range blocks {
		if block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			return nil, fmt.Errorf("PEM block %d is not a plain CERTIFICATE but %.40q", i+1, block.Type)
		}
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		if !root.IsCA {
			return nil, fmt.Errorf("certificate %d is not that of a CA", i+1)
		}
		roots[i] = root
	}
	return roots, nil
}

// poolOf returns a pool of what l lists.
func poolOf(l rootLister) (*x509.CertPool, error) {
	roots, err := l.list()
	if err != nil {
		return nil, err
	}
	return newPool(roots), nil
}

// newPool returns a pool of roots.
func newPool(roots []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, root := range roots {
		pool.AddCert(root)
	}
	return pool
}
