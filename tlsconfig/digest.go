package tlsconfig

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// digest hashes parts, each with its length.
type digest struct{ h hash.Hash }

func newDigest(label string) *digest {
	return (&digest{sha256.New()}).add([]byte("holdfast tlsconfig " + label))
}

func (d *digest) add(part []byte) *digest {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(part)))
	d.h.Write(n[:])
	d.h.Write(part)
	return d
}

func (d *digest) sum() [32]byte { return [32]byte(d.h.Sum(nil)) }
