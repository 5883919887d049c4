package secret

import (
	"crypto/fips140"
	"fmt"
	"runtime"

	"github.com/holdfast-go/holdfast/kms"
)

// OWASP's minimum for Argon2id, its work factor for PBKDF2-HMAC-SHA-256 (Password Storage Cheat Sheet), and RFC 9106's sizes of salt and tag.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	iterations   = 600_000
	saltSize     = 16 // bytes
	tagSize      = 32 // bytes

	defaultMaxMemory = 256 << 10 // KiB
	topMemory        = 1 << 20   // KiB
	topConcurrent    = 1024
)

// PasswordOptions are what a [Passwords] spends. nil and the zero value are the defaults: OWASP's minimum for Argon2id. In FIPS mode hashes are
// made with PBKDF2, and Memory, Time and Threads say only how many run at once.
type PasswordOptions struct {
	// Memory is what a new hash takes, in KiB. 0 means 19456, which is 19 MiB, and nothing below is accepted. At most 1048576, which is 1 GiB.
	Memory int
	// Time is how many passes over the memory a new hash makes. 0 means 2, and nothing below is accepted. At most 16.
	Time int
	// Threads is how many goroutines compute a new hash, the parallelism of Argon2id: more make it faster for the service and for an attacker alike. 0 means 1. At most 16.
	Threads int
	// Concurrent is how many hashes are computed at once, each call beyond waiting its turn: they hold Concurrent times Memory together, and about as much again until the
	// garbage collector has run. 0 means runtime.GOMAXPROCS, more of which does not make them faster. At most 1024.
	Concurrent int
	// MaxMemory is what a stored or imported hash may ask for, in KiB; one that asks for more than Concurrent times Memory runs alone. 0 means 262144, which is 256 MiB, or Memory
	// where that is more. At least Memory, at most 1048576. After Memory was lowered it must stay what Memory was, or the hashes from before are refused.
	MaxMemory int
}

// withDefaults returns the options with defaults, once they are within their bounds.
func (o *PasswordOptions) withDefaults() (own PasswordOptions, err error) {
	if o != nil {
		own = *o
	}
	for _, f := range []struct {
		name       string
		v          *int
		otherwise  int
		least, top int
	}{
		{"Memory", &own.Memory, argonMemory, argonMemory, topMemory},
		{"Time", &own.Time, argonTime, argonTime, maxArgonTime},
		{"Threads", &own.Threads, argonThreads, 1, maxArgonThreads},
		{"Concurrent", &own.Concurrent, min(runtime.GOMAXPROCS(0), topConcurrent), 1, topConcurrent},
	} {
		if err := defaultOption(f.name, f.v, f.otherwise, f.least, f.top); err != nil {
			return own, err
		}
	}
	err = defaultOption("MaxMemory", &own.MaxMemory, max(defaultMaxMemory, own.Memory), own.Memory, topMemory)
	return own, err
}

// defaultOption sets v where it is 0, and refuses it out of bounds.
func defaultOption(name string, v *int, otherwise, least, top int) error {
	if *v == 0 {
		*v = otherwise
	}
	if *v < least || *v > top {
		return fmt.Errorf("%w: PasswordOptions.%s is %d: set it to %d to %d, or to 0 for %d", kms.ErrInvalid, name, *v, least, top, otherwise)
	}
	return nil
}

// now returns the parameters of a new hash.
func (o *PasswordOptions) now() phc {
	if fips140.Enabled() {
		return phc{algorithm: pbkdf2SHA256, iterations: iterations}
	}
	return phc{algorithm: argon2id, memory: uint32(o.Memory), time: uint32(o.Time), threads: uint32(o.Threads)}
}
