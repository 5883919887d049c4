package tlsconfig

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// How files are looked at.
const (
	maxFile   = 1 << 20                // bytes of one file
	readTries = 3                      // of a file that is not there
	pollShare = 10000                  // a poll at least each of this many parts of the time that is left
	pollMin   = 500 * time.Millisecond // between two polls
	pollMax   = 30 * time.Second
)

// pollEvery returns how often to look for a successor of what ends in left: 500 ms to 30 s.
func pollEvery(left time.Duration) time.Duration {
	return min(max(left/pollShare, pollMin), pollMax)
}

// readBounded returns the content of a regular file of at most 1 MiB. The path is opened anew, so that it follows symlinks where they lead now: one that is swapped meanwhile, as in a volume of Kubernetes, is followed again.
// Errors name the file and have no prefix.
func readBounded(path string) (content []byte, err error) {
	for range readTries {
		if content, err = readOnce(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return content, err
}

func readOnce(path string) ([]byte, error) {
	info, err := os.Stat(path) // first: to open a named pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%q is larger than the %d bytes allowed", path, maxFile)
	}
	return content, nil
}

// poller looks whether files change, while somebody holds it. It is safe for concurrent use.
type poller struct {
	paths []string
	moved change

	mu      sync.Mutex
	holders int
	stop    context.CancelFunc // of the goroutine that runs while there are holders
	seen    [sha256.Size]byte  // digest of what was read last, zero for never
}

// newPoller returns a poller of these files. It looks at nothing until it is held.
func newPoller(paths []string) *poller { return &poller{paths: append([]string(nil), paths...)} }

// hold has the files looked at until ctx ends, every interval(). There is one goroutine however many hold it, with the interval of the one who held first.
func (p *poller) hold(ctx context.Context, interval func() time.Duration) {
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holders++; p.holders == 1 {
		run, stop := context.WithCancel(context.WithoutCancel(ctx)) // not of ctx: others may hold it longer
		p.stop = stop
		go p.run(run, interval)
	}
	context.AfterFunc(ctx, p.release)
}

// release takes one holder away and ends the goroutine with the last.
func (p *poller) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holders--; p.holders == 0 {
		p.stop()
	}
}

// run looks at the files until ctx ends.
func (p *poller) run(ctx context.Context, interval func() time.Duration) {
	timer := time.NewTimer(jitter(interval()))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		contents, _ := p.read() // an error is a change too: who reads next sees it
		for _, content := range contents {
			clear(content) // it may be a private key
		}
		timer.Reset(jitter(interval()))
	}
}

// jitter returns d less up to a tenth, so that the processes of a fleet don't look in step. It returns at least pollMin.
func jitter(d time.Duration) time.Duration {
	d = max(d, pollMin)
	return max(d-rand.N(d/10), pollMin)
}

// changed returns a channel that is closed when a file reads otherwise than last time, which includes that it can't be read. Take it before read, or a change in between is missed.
func (p *poller) changed() <-chan struct{} { return p.moved.wait() }

// read returns the contents in the order of the paths, or the error of the first that can't be read. A difference to what was last read, by whomever, is announced.
func (p *poller) read() ([][]byte, error) {
	contents, err := readFiles(p.paths)
	digest := digestContents(contents, err)
	p.mu.Lock()
	differs := p.seen != digest && p.seen != [sha256.Size]byte{}
	p.seen = digest
	p.mu.Unlock()
	if differs {
		p.moved.announce()
	}
	return contents, err
}

// readFiles reads all files, or none.
func readFiles(paths []string) ([][]byte, error) {
	contents := make([][]byte, 0, len(paths))
	for _, path := range paths {
		content, err := readBounded(path)
		if err != nil {
			return nil, err
		}
		contents = append(contents, content)
	}
	return contents, nil
}

// digestContents returns a digest that differs when the contents or the error do.
func digestContents(contents [][]byte, err error) [sha256.Size]byte {
	h := sha256.New()
	if err != nil {
		contents = [][]byte{[]byte(err.Error())}
		h.Write([]byte{1}) // lengths below start with 0
	}
	var size [8]byte
	for _, content := range contents {
		binary.BigEndian.PutUint64(size[:], uint64(len(content)))
		h.Write(size[:])
		h.Write(content)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
