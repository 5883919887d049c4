package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"go.etcd.io/bbolt"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// revisionSize is how many bytes of the revision, big-endian, stand before each value in the file.
const revisionSize = 8

var errDamaged = fmt.Errorf("%w: the file is damaged, or is no store: restore it from a backup", kms.ErrInvalid)

// encode returns what the file has under a row's key after a write of r at its revision.
func encode(r envelope.Row) []byte {
	b := make([]byte, 0, revisionSize+len(r.Value))
	b = binary.BigEndian.AppendUint64(b, r.Revision+1)
	return append(b, r.Value...)
}

// decode copies the row out of what the file has under its key.
func decode(key string, b []byte) (envelope.Row, error) {
	if len(b) < revisionSize || len(b) > revisionSize+envelope.MaxRowValue || len(key) > envelope.MaxRowKey {
		return envelope.Row{}, errDamaged
	}
	revision := binary.BigEndian.Uint64(b)
	if revision == 0 || revision == math.MaxUint64 { // the next write would wrap around
		return envelope.Row{}, errDamaged
	}
	return envelope.Row{Key: key, Value: bytes.Clone(b[revisionSize:]), Revision: revision}, nil
}

// find returns the row under key, of revision 0 if there is none.
func find(b *bbolt.Bucket, key string) (envelope.Row, error) {
	v := b.Get([]byte(key))
	if v == nil {
		return envelope.Row{Key: key}, nil
	}
	return decode(key, v)
}
