package secret

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

const (
	phcSalt   = "AAECAwQFBgcICQoLDA0ODw"
	phcTag    = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	phcArgon  = "$argon2id$v=19$m=19456,t=2,p=1$" + phcSalt + "$" + phcTag
	phcPBKDF2 = "$pbkdf2-sha256$i=600000$" + phcSalt + "$" + phcTag
)

// phcRaw returns the base64 of n bytes of 0x00, or with a last byte that shows it is read.
func phcRaw(n int) string {
	return string((&phc{salt: make([]byte, n)}).append(nil))[len("$pbkdf2-sha256$i=0$"):][:(n*8+5)/6]
}

func TestPHC(t *testing.T) {
	var b [32]byte
	for i := range b {
		b[i] = byte(i)
	}
	for text, want := range map[string]phc{
		phcArgon:  {algorithm: argon2id, memory: 19456, time: 2, threads: 1, salt: b[:16], tag: b[:]},
		phcPBKDF2: {algorithm: pbkdf2SHA256, iterations: 600_000, salt: b[:16], tag: b[:]},
		// the bounds themselves
		"$argon2id$v=19$m=8,t=1,p=1$AAECAwQFBgc$AAECAwQFBgcICQoLDA0ODw": {algorithm: argon2id, memory: 8, time: 1, threads: 1, salt: b[:8], tag: b[:16]},
		"$argon2id$v=19$m=262144,t=16,p=16$" + phcRaw(64) + "$" + phcRaw(64): {
			algorithm: argon2id, memory: 262144, time: 16, threads: 16, salt: make([]byte, 64), tag: make([]byte, 64),
		},
		"$pbkdf2-sha256$i=1$" + phcSalt + "$" + phcTag:        {algorithm: pbkdf2SHA256, iterations: 1, salt: b[:16], tag: b[:]},
		"$pbkdf2-sha256$i=10000000$" + phcSalt + "$" + phcTag: {algorithm: pbkdf2SHA256, iterations: 10_000_000, salt: b[:16], tag: b[:]},
	} {
		h, err := parsePHC([]byte(text), defaultMaxMemory)
		require.NoError(t, err, text)
		require.Equal(t, want, *h)
		require.Equal(t, text, string(h.append(nil)))
	}
}

// phcHostile are strings that a careless parser takes, computes for hours or allocates gigabytes for.
func phcHostile() map[string]string {
	argon := func(parameters string) string {
		return "$argon2id$v=19$" + parameters + "$" + phcSalt + "$" + phcTag
	}
	pbkdf2 := func(parameters string) string {
		return "$pbkdf2-sha256$" + parameters + "$" + phcSalt + "$" + phcTag
	}
	return map[string]string{
		"empty":                      "",
		"only $":                     "$",
		"many $":                     strings.Repeat("$", maxPHC),
		"too long":                   phcArgon + strings.Repeat("A", maxPHC),
		"megabytes":                  strings.Repeat(phcArgon, 1<<15),
		"megabytes of salt":          "$argon2id$v=19$m=19456,t=2,p=1$" + strings.Repeat("A", 1<<20) + "$" + phcTag,
		"no $":                       phcArgon[1:],
		"two $":                      "$" + phcArgon,
		"space before":               " " + phcArgon,
		"space after":                phcArgon + " ",
		"line break after":           phcArgon + "\n",
		"line break in the salt":     strings.Replace(phcArgon, phcSalt, phcSalt[:4]+"\n"+phcSalt[4:], 1),
		"carriage return in the tag": phcArgon[:len(phcArgon)-8] + "\r" + phcArgon[len(phcArgon)-8:],
		"NUL after":                  phcArgon + "\x00",
		"$ after":                    phcArgon + "$",
		"another part":               phcArgon + "$" + phcTag,
		"upper case":                 strings.ToUpper(phcArgon),

		"argon2i":           strings.Replace(phcArgon, "argon2id", "argon2i", 1),
		"argon2d":           strings.Replace(phcArgon, "argon2id", "argon2d", 1),
		"bcrypt":            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
		"scrypt":            "$scrypt$ln=17,r=8,p=1$" + phcSalt + "$" + phcTag,
		"PBKDF2 of another": strings.Replace(phcPBKDF2, "sha256", "sha512", 1),
		"passlib's PBKDF2":  "$pbkdf2-sha256$29000$" + phcSalt + "$" + phcTag,
		"unknown":           "$rot13$v=19$m=19456,t=2,p=1$" + phcSalt + "$" + phcTag,

		"v=16":       strings.Replace(phcArgon, "v=19", "v=16", 1),
		"v=019":      strings.Replace(phcArgon, "v=19", "v=019", 1),
		"no version": strings.Replace(phcArgon, "v=19$", "", 1),
		"two":        strings.Replace(phcArgon, "v=19$", "v=19$v=19$", 1),

		"m=0":              argon("m=0,t=2,p=1"),
		"m below 8p":       argon("m=31,t=2,p=4"),
		"m above the most": argon("m=262145,t=2,p=1"),
		"m=2^32-1":         argon("m=4294967295,t=2,p=1"),
		"m=2^32":           argon("m=4294967296,t=2,p=1"),
		"m=2^64":           argon("m=18446744073709551616,t=2,p=1"),
		"m of 400 digits":  argon("m=" + strings.Repeat("9", 400) + ",t=2,p=1"),
		"t=0":              argon("m=19456,t=0,p=1"),
		"t=17":             argon("m=19456,t=17,p=1"),
		"t=2^32":           argon("m=19456,t=4294967296,p=1"),
		"t=2^32-1":         argon("m=19456,t=4294967295,p=1"),
		"p=0":              argon("m=19456,t=2,p=0"),
		"p=17":             argon("m=19456,t=2,p=17"),
		"p=255":            argon("m=19456,t=2,p=255"),
		"p=256":            argon("m=19456,t=2,p=256"),
		"p=257, 1 as u8":   argon("m=19456,t=2,p=257"),
		"8p beyond 2^32":   argon("m=19456,t=2,p=536870913"),

		"negative":           argon("m=-19456,t=2,p=1"),
		"plus":               argon("m=+19456,t=2,p=1"),
		"leading zero":       argon("m=019456,t=2,p=1"),
		"hex":                argon("m=0x4c00,t=2,p=1"),
		"underscore":         argon("m=19_456,t=2,p=1"),
		"exponent":           argon("m=2e4,t=2,p=1"),
		"other digits":       argon("m=\u0967\u096f\u096a\u096b\u096c,t=2,p=1"),
		"full width":         argon("m=\uff11\uff19\uff14\uff15\uff16,t=2,p=1"),
		"space":              argon("m= 19456,t=2,p=1"),
		"space after comma":  argon("m=19456, t=2,p=1"),
		"no number":          argon("m=,t=2,p=1"),
		"no =":               argon("m19456,t=2,p=1"),
		"another order":      argon("t=2,m=19456,p=1"),
		"m twice":            argon("m=19456,m=19456,t=2,p=1"),
		"p twice":            argon("m=19456,t=2,p=1,p=1"),
		"m for t":            argon("m=19456,m=2,p=1"),
		"no p":               argon("m=19456,t=2"),
		"no parameters":      argon(""),
		"keyid":              argon("m=19456,t=2,p=1,keyid=AAAA"),
		"data":               argon("m=19456,t=2,p=1,data=AAAA"),
		"empty parameter":    argon("m=19456,t=2,p=1,"),
		"parameters missing": "$argon2id$v=19$" + phcSalt + "$" + phcTag,

		"no salt":             "$argon2id$v=19$m=19456,t=2,p=1$$" + phcTag,
		"salt of 7":           "$argon2id$v=19$m=19456,t=2,p=1$" + phcRaw(7) + "$" + phcTag,
		"salt of 65":          "$argon2id$v=19$m=19456,t=2,p=1$" + phcRaw(65) + "$" + phcTag,
		"salt of 300":         "$argon2id$v=19$m=19456,t=2,p=1$" + phcRaw(300) + "$" + phcTag,
		"no tag":              "$argon2id$v=19$m=19456,t=2,p=1$" + phcSalt,
		"empty tag":           "$argon2id$v=19$m=19456,t=2,p=1$" + phcSalt + "$",
		"tag of 15":           "$argon2id$v=19$m=19456,t=2,p=1$" + phcSalt + "$" + phcRaw(15),
		"tag of 65":           "$argon2id$v=19$m=19456,t=2,p=1$" + phcSalt + "$" + phcRaw(65),
		"padding":             phcArgon + "=",
		"padding of the salt": strings.Replace(phcArgon, phcSalt, phcSalt+"==", 1),
		"stray bits":          strings.Replace(phcArgon, phcSalt, phcSalt[:21]+"x", 1),
		"base64url":           strings.Replace(phcArgon, phcTag, strings.Repeat("-_", 21)+"A", 1),
		"no base64":           strings.Replace(phcArgon, phcTag, strings.Repeat("!", 43), 1),

		"i=0":                 pbkdf2("i=0"),
		"i above the most":    pbkdf2("i=10000001"),
		"i=2^32-1":            pbkdf2("i=4294967295"),
		"i=2^32+1":            pbkdf2("i=4294967297"),
		"i negative":          pbkdf2("i=-1"),
		"i with zero":         pbkdf2("i=0600000"),
		"i twice":             pbkdf2("i=600000,i=600000"),
		"l":                   pbkdf2("i=600000,l=32"),
		"m":                   pbkdf2("m=600000"),
		"PBKDF2 and nothing":  "$pbkdf2-sha256",
		"PBKDF2 with version": "$pbkdf2-sha256$v=19$i=600000$" + phcSalt + "$" + phcTag,
		"PBKDF2, no salt":     "$pbkdf2-sha256$i=600000$$" + phcTag,
		"PBKDF2, salt of 65":  "$pbkdf2-sha256$i=600000$" + phcRaw(65) + "$" + phcTag,
		"PBKDF2, tag of 65":   "$pbkdf2-sha256$i=600000$" + phcSalt + "$" + phcRaw(65),
		"PBKDF2, part after":  phcPBKDF2 + "$",
	}
}

func TestHostilePHC(t *testing.T) {
	for name, text := range phcHostile() {
		t.Run(name, func(t *testing.T) {
			b := []byte(text)
			h, err := parsePHC(b, defaultMaxMemory)
			require.ErrorIs(t, err, envelope.ErrFormat)
			require.Nil(t, h)
			require.Equal(t, text, string(b), "the argument changed")
			for _, secret := range []string{phcSalt[:10], phcTag[:10], "R9h/cIPz"} {
				require.NotContains(t, err.Error(), secret)
			}
			require.Less(t, len(err.Error()), 250)

			// Some KiB, where the parameters ask for gigabytes.
			const times = 50
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range times {
				parsePHC(b, math.MaxUint32)
			}
			runtime.ReadMemStats(&after)
			require.Less(t, (after.TotalAlloc-before.TotalAlloc)/times, uint64(8<<10))
		})
	}
}

// TestPHCBits flips every bit of a string: what is still read says what it says.
func TestPHCBits(t *testing.T) {
	for _, text := range []string{phcArgon, phcPBKDF2} {
		for bit := range len(text) * 8 {
			b := []byte(text)
			b[bit/8] ^= 1 << (bit % 8)
			phcCheck(t, b)
		}
		for n := range len(text) {
			phcCheck(t, []byte(text[:n]))
		}
	}
}

// phcCheck requires that what is read is within every bound, and has this form only.
func phcCheck(t *testing.T, b []byte) {
	t.Helper()
	h, err := parsePHC(b, defaultMaxMemory)
	if err != nil {
		require.ErrorIs(t, err, envelope.ErrFormat)
		require.Nil(t, h)
		return
	}
	require.LessOrEqual(t, len(b), 512)
	require.True(t, bytes.Equal(b, h.append(nil)), "another form")
	require.True(t, len(h.salt) >= 8 && len(h.salt) <= 64 && len(h.tag) >= 16 && len(h.tag) <= 64)
	switch h.algorithm {
	case argon2id:
		require.Zero(t, h.iterations)
		require.True(t, h.time >= 1 && h.time <= 16 && h.threads >= 1 && h.threads <= 16 && h.memory >= 8*h.threads && h.memory <= 256<<10)
	case pbkdf2SHA256:
		require.Zero(t, h.memory+h.time+h.threads)
		require.True(t, h.iterations >= 1 && h.iterations <= 10_000_000)
	default:
		t.Fatal("an algorithm that there is not")
	}
}

func TestPHCWeaker(t *testing.T) {
	argon := phc{algorithm: argon2id, memory: 20000, time: 3, threads: 2, salt: make([]byte, 16), tag: make([]byte, 32)}
	pbkdf2 := phc{algorithm: pbkdf2SHA256, iterations: 600_000, salt: make([]byte, 16), tag: make([]byte, 32)}
	for name, c := range map[string]struct {
		now    phc
		change func(h *phc)
		weaker bool
	}{
		"same":                {argon, func(*phc) {}, false},
		"PBKDF2, same":        {pbkdf2, func(*phc) {}, false},
		"now Argon2id":        {argon, func(h *phc) { *h = pbkdf2 }, true},
		"now PBKDF2":          {pbkdf2, func(h *phc) { *h = argon }, true},
		"less memory":         {argon, func(h *phc) { h.memory-- }, true},
		"more memory":         {argon, func(h *phc) { h.memory++ }, false},
		"less time":           {argon, func(h *phc) { h.time--; h.memory *= 2 }, true},
		"more time":           {argon, func(h *phc) { h.time++ }, false},
		"other threads":       {argon, func(h *phc) { h.threads = 1 }, false},
		"fewer iterations":    {pbkdf2, func(h *phc) { h.iterations-- }, true},
		"more iterations":     {pbkdf2, func(h *phc) { h.iterations++ }, false},
		"a shorter salt":      {argon, func(h *phc) { h.salt = h.salt[1:] }, true},
		"a shorter tag":       {pbkdf2, func(h *phc) { h.tag = h.tag[1:] }, true},
		"longer salt and tag": {pbkdf2, func(h *phc) { h.salt, h.tag = make([]byte, 64), make([]byte, 64) }, false},
	} {
		h := c.now
		c.change(&h)
		require.Equal(t, c.weaker, h.weaker(&c.now), name)
	}
}

func FuzzPHC(f *testing.F) {
	f.Add([]byte(phcArgon))
	f.Add([]byte(phcPBKDF2))
	f.Add(fmt.Appendf(nil, "$argon2id$v=19$m=%d,t=16,p=16$%s$%s", 256<<10, phcRaw(64), phcRaw(64)))
	for _, text := range phcHostile() {
		f.Add([]byte(text[:min(len(text), maxPHC+1)]))
	}
	f.Fuzz(phcCheck)
}
