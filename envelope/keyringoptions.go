package envelope

import (
	"crypto"
	"crypto/ed25519"
	"time"
)

// KeyringOptions are the policy of a [Keyring]. nil and the zero value are the defaults.
type KeyringOptions struct {
	// CacheTTL is how long an unwrapped key and the state of its rows are used before both are asked for again: what a revocation at the KMS, a Disable or an
	// Erase in another process takes to arrive. 0 means 5 minutes: some 300 calls a day for each key in use, and an erasure that holds everywhere within the
	// time in which a person reads its confirmation. It counts the time that the machine runs: one that was suspended goes on where it stopped. 1 second to 24 hours.
	CacheTTL time.Duration
	// RefreshAhead is how long before the end of CacheTTL a key in use is asked for again in the background, less up to a quarter of it at random so that the keys
	// of a fleet don't meet. 0 means a fifth of CacheTTL, which is more than a KMS takes on a bad day. At most half of CacheTTL.
	RefreshAhead time.Duration
	// StaleIfError is how long after CacheTTL keys still open while the KMS can't be reached, and WriteStaleIfError how long they still seal. A refusal by the KMS ends both at once, and the store's answers are never
	// used for longer than CacheTTL. 0 means 1 hour, longer than most outages, and 3 minutes: what is sealed during an outage might be under a key that its owner
	// has revoked, so it should fail before much of it piles up. Negative for not at all. At most 24 hours, WriteStaleIfError at most StaleIfError.
	StaleIfError, WriteStaleIfError time.Duration
	// RotateAfter is the age at which a key gets a new version, at its next use for sealing after a load. 0 means 365 days, as KMS providers rotate theirs: the format sets no limit that a
	// service could reach. Negative for never. At least an hour.
	RotateAfter time.Duration
	// CacheEntries is how many tenants and subjects have keys in memory, some 4 KiB each on 2 cores and 8 KiB on 8. 0 means 10000. At most 10 million.
	CacheEntries int
	// ExplicitCreate has Seal fail with ErrUnknownKey for a tenant or subject that has no key, until Create is called: so that a mistyped name makes no tenant. By default the first Seal creates it.
	ExplicitCreate bool
	// AllowUnbound lets the zero Binding pass, for records that existed before their bindings. By default it is refused.
	AllowUnbound bool
	// Audit is told of every use of the KMS and every change of a key. nil for nobody.
	Audit Auditor
	// Signer signs receipts of erasure: an Ed25519 key, here or in an HSM. nil leaves them unsigned.
	Signer crypto.Signer
}

const maxWindow = 24 * time.Hour

// withDefaults returns a copy with the defaults filled in, or says what is out of bounds.
func (o *KeyringOptions) withDefaults() (KeyringOptions, error) {
	var own KeyringOptions
	if o != nil {
		own = *o
	}
	orDefault(&own.CacheTTL, 5*time.Minute)
	orDefault(&own.RefreshAhead, own.CacheTTL/5)
	orDefault(&own.StaleIfError, time.Hour)
	orDefault(&own.WriteStaleIfError, min(3*time.Minute, max(own.StaleIfError, -1)))
	orDefault(&own.RotateAfter, 365*24*time.Hour)
	orDefault(&own.CacheEntries, 10_000)
	refuse := func(field, bounds string) (KeyringOptions, error) {
		return own, invalid("KeyringOptions.%s must be %s", field, bounds)
	}
	switch {
	case own.CacheTTL < time.Second || own.CacheTTL > maxWindow:
		return refuse("CacheTTL", "1 second to 24 hours, or 0 for 5 minutes")
	case own.RefreshAhead < 0 || own.RefreshAhead > own.CacheTTL/2:
		return refuse("RefreshAhead", "at most half of CacheTTL, or 0 for a fifth of it")
	case own.StaleIfError > maxWindow:
		return refuse("StaleIfError", "at most 24 hours, 0 for an hour, or negative for none")
	case own.WriteStaleIfError > max(own.StaleIfError, 0):
		return refuse("WriteStaleIfError", "at most StaleIfError, 0 for 3 minutes, or negative for none")
	case own.RotateAfter > 0 && own.RotateAfter < time.Hour:
		return refuse("RotateAfter", "at least an hour, 0 for a year, or negative for never")
	case own.CacheEntries < 1 || own.CacheEntries > 10_000_000:
		return refuse("CacheEntries", "1 to 10 million, or 0 for 10000")
	}
	if own.Signer != nil {
		if _, ok := own.Signer.Public().(ed25519.PublicKey); !ok {
			return refuse("Signer", "an Ed25519 key")
		}
	}
	own.StaleIfError, own.WriteStaleIfError = max(own.StaleIfError, 0), max(own.WriteStaleIfError, 0)
	return own, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
