package envelope

import "context"

// The limits of what a [Store] must take.
const (
	MaxRowKey   = 1024    // bytes of a key
	MaxRowValue = 1 << 16 // bytes of a value
	MaxChanges  = 128     // changes of one Apply
)

// Store keeps the rows of a [Keyring]: small values under keys that sort as bytes. Rows are written over and never removed. The stores of this module
// are memstore, boltstore and sqlstore; storetest says in tests what this page says in words.
//
// Apply is durable when it returns nil, and what any process reads after that is no older (read your writes, from every client). An error other than ErrConflict may
// come after the changes were made. All methods are safe for concurrent use, honour ctx, and neither keep nor change their
// arguments; what they return is the caller's. Errors never hold values.
type Store interface {
	// Get returns the row under key. A Row of Revision 0 says that there is none.
	Get(ctx context.Context, key string) (Row, error)
	// List returns the first rows, at most limit, whose keys start with prefix and come after after, in ascending order of their bytes. Fewer than limit
	// says that there are no more. limit is 1 to 1000.
	List(ctx context.Context, prefix, after string, limit int) ([]Row, error)
	// Apply makes all changes or none. When a row is not at the Revision that its change gives, it makes none and fails with ErrConflict. It takes 1 to MaxChanges
	// changes of different keys.
	Apply(ctx context.Context, changes ...Change) error
	// Close releases what the store holds. Later calls are ErrClosed; Close again does nothing.
	Close() error
}

// Row is a value with its key.
type Row struct {
	Key      string // 1 to MaxRowKey bytes, any bytes
	Value    []byte // up to MaxRowValue bytes
	Revision uint64 // another one after every write; 0 where there is no row
}

// Change writes a row, or only requires that nobody else does.
type Change struct {
	Row        // the new value, and the Revision that the row has now: 0 where there must be none
	Check bool // require the Revision, which is not 0, and write nothing
}

// Validate returns what is wrong with the arguments of an Apply, for every Store to call first.
func Validate(changes []Change) error {
	if len(changes) == 0 || len(changes) > MaxChanges {
		return invalid("Apply takes 1 to %d changes, not %d", MaxChanges, len(changes))
	}
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		switch {
		case len(c.Key) == 0 || len(c.Key) > MaxRowKey:
			return invalid("a row's key must be 1 to %d bytes, not %d", MaxRowKey, len(c.Key))
		case len(c.Value) > MaxRowValue:
			return invalid("a row's value must be at most %d bytes, not %d", MaxRowValue, len(c.Value))
		case c.Check && c.Revision == 0:
			return invalid("a Check needs a Revision")
		case seen[c.Key]:
			return invalid("two changes of one row")
		}
		seen[c.Key] = true
	}
	return nil
}
