// Package kms wraps short keys under a key that a key management service
// holds, and unwraps them again. It does not encrypt data: package envelope does, with keys that
// are wrapped here.
//
// # Choosing a provider
//
// [Key] works the same over every provider. kms/local keeps the key in a file on this machine: for development, tests, edge devices and
// single servers. It is free, needs no network, and is as safe as the file is. Back it up. Any other KMS takes a [Driver].
//
// [Rolling] moves from one key or provider to another while both are in use. [Openers] chooses one by URI.
//
// # What a provider must do
//
// A [Driver] has four methods. It authenticates every pair of the [Context], opens nothing but what was
// wrapped under the keys it was constructed with, never takes an address from what it is
// given to open, and sorts its errors into this package's sentinels, so that an outage
// ([ErrUnavailable], [ErrThrottled]) is never taken for a revocation ([ErrDisabled],
// [ErrAccessDenied], [ErrDestroyed]) or the reverse. Package kmstest checks all of that.
//
// # Errors
//
// Every error of a Key is an *[Error] and matches one sentinel. A call that the caller cancelled matches
// context.Canceled and no sentinel; one that ran out of time in flight matches both
// context.DeadlineExceeded and [ErrUnavailable]. Nothing is tried again here.
package kms
