package secret

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	"github.com/holdfast-go/holdfast/envelope"
)

// The algorithms, as PHC strings name them.
const (
	argon2id     = "argon2id"
	pbkdf2SHA256 = "pbkdf2-sha256"
)

// What is believed of a stored hash, before memory or time is spent on it.
const (
	maxPHC           = 512        // bytes of the string
	maxArgonTime     = 16         // passes
	maxArgonThreads  = 16         // lanes
	argonLaneMemory  = 8          // KiB that a lane needs: RFC 9106 section 3.1
	maxIterations    = 10_000_000 // some 3 seconds
	minSalt, maxSalt = 8, 64      // bytes
	minTag, maxTag   = 16, 64     // bytes
)

// phc is a password hash: what a PHC string says. Parameters of the other algorithm are 0.
type phc struct {
	algorithm  string
	memory     uint32 // KiB
	time       uint32 // passes
	threads    uint32 // lanes
	iterations uint32
	salt, tag  []byte
}

// parsePHC reads a PHC string in the only form that append writes, and checks every parameter. It fails with envelope.ErrFormat, and its
// errors show nothing of the string. maxMemory is in KiB.
func parsePHC(b []byte, maxMemory uint32) (*phc, error) {
	if len(b) > maxPHC {
		return nil, malformed("it has more than %d bytes", maxPHC)
	}
	parts := bytes.SplitN(b, []byte("$"), 7)
	if len(parts) < 2 || len(parts[0]) != 0 {
		return nil, malformed("it does not start with $ and an algorithm")
	}
	var h *phc
	var err error
	switch string(parts[1]) {
	case argon2id:
		h, err = parseArgon2id(parts[2:], maxMemory)
	case pbkdf2SHA256:
		h, err = parsePBKDF2(parts[2:])
	default:
		err = otherAlgorithm(string(parts[1]))
	}
	if err != nil {
		return nil, err
	}
	// One form only: no leading zeros, signs, line breaks or stray bits.
	again := h.append(make([]byte, 0, maxPHC))
	defer clear(again)
	if !bytes.Equal(again, b) {
		h.clear()
		return nil, malformed("its numbers or its base64 are not written in the one form that is read")
	}
	return h, nil
}

func parseArgon2id(parts [][]byte, maxMemory uint32) (*phc, error) {
	if len(parts) != 4 || string(parts[0]) != "v=19" {
		return nil, malformed("argon2id is read as $argon2id$v=19$m=..,t=..,p=..$salt$tag: version 19 only, all parts, nothing else")
	}
	var n [3]uint32
	if !numbers(parts[1], n[:], "m", "t", "p") {
		return nil, malformed("the parameters of argon2id are m, t and p, in this order, each a decimal number below 2^32")
	}
	h := &phc{algorithm: argon2id, memory: n[0], time: n[1], threads: n[2]}
	switch {
	case h.time < 1 || h.time > maxArgonTime:
		return nil, malformed("t is %d, and must be 1 to %d", h.time, maxArgonTime)
	case h.threads < 1 || h.threads > maxArgonThreads:
		return nil, malformed("p is %d, and must be 1 to %d", h.threads, maxArgonThreads)
	case h.memory < argonLaneMemory*h.threads:
		return nil, malformed("m is %d, and must be %d times p at least", h.memory, argonLaneMemory)
	case h.memory > maxMemory:
		return nil, malformed("m is %d, more than the %d of PasswordOptions.MaxMemory", h.memory, maxMemory)
	}
	return h, h.bytes(parts[2], parts[3])
}

func parsePBKDF2(parts [][]byte) (*phc, error) {
	var n [1]uint32
	if len(parts) != 3 || !numbers(parts[0], n[:], "i") {
		return nil, malformed("pbkdf2-sha256 is read as $pbkdf2-sha256$i=..$salt$tag: all parts, nothing else")
	}
	h := &phc{algorithm: pbkdf2SHA256, iterations: n[0]}
	if h.iterations < 1 || h.iterations > maxIterations {
		return nil, malformed("i is %d, and must be 1 to %d", h.iterations, maxIterations)
	}
	return h, h.bytes(parts[1], parts[2])
}

// bytes reads salt and tag.
func (h *phc) bytes(salt, tag []byte) error {
	var err error
	if h.salt, err = decode("salt", salt, minSalt, maxSalt); err != nil {
		return err
	}
	h.tag, err = decode("tag", tag, minTag, maxTag)
	return err
}

func decode(what string, text []byte, least, most int) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return nil, malformed("the %s is no base64 without padding", what) // err would show where, and nothing that helps
	}
	if len(b) < least || len(b) > most {
		return nil, malformed("the %s has %d bytes, and must have %d to %d", what, len(b), least, most)
	}
	return b, nil
}

// numbers reads "m=1,t=2" into n, with exactly these names in this order.
func numbers(b []byte, n []uint32, names ...string) bool {
	fields := bytes.SplitN(b, []byte(","), len(names)+1)
	if len(fields) != len(names) {
		return false
	}
	for i, name := range names {
		digits, found := bytes.CutPrefix(fields[i], []byte(name+"="))
		v, err := strconv.ParseUint(string(digits), 10, 32)
		if !found || err != nil {
			return false
		}
		n[i] = uint32(v)
	}
	return true
}

// append appends the PHC string to dst.
func (h *phc) append(dst []byte) []byte {
	if h.algorithm == argon2id {
		dst = fmt.Appendf(dst, "$%s$v=19$m=%d,t=%d,p=%d$", argon2id, h.memory, h.time, h.threads)
	} else {
		dst = fmt.Appendf(dst, "$%s$i=%d$", pbkdf2SHA256, h.iterations)
	}
	dst = base64.RawStdEncoding.AppendEncode(dst, h.salt)
	dst = append(dst, '$')
	return base64.RawStdEncoding.AppendEncode(dst, h.tag)
}

// weaker tells whether h is of another algorithm than now, or below it in anything that an attacker has to spend.
func (h *phc) weaker(now *phc) bool {
	return h.algorithm != now.algorithm || h.memory < now.memory || h.time < now.time || h.iterations < now.iterations ||
		len(h.salt) < saltSize || len(h.tag) < tagSize
}

func (h *phc) clear() {
	clear(h.salt)
	clear(h.tag)
}

// otherAlgorithm refuses a name, and repeats it only where it is a known one: it might be anything, such as a password.
func otherAlgorithm(name string) error {
	switch {
	case slices.Contains([]string{"2", "2a", "2b", "2x", "2y"}, name):
		name = "bcrypt"
	case !slices.Contains([]string{"argon2i", "argon2d", "scrypt", "pbkdf2", "pbkdf2-sha512"}, name):
		name = "the algorithm"
	}
	return malformed("%s is not supported: %s and %s are", name, argon2id, pbkdf2SHA256)
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: password hash: %s", envelope.ErrFormat, fmt.Sprintf(format, args...))
}
