// Package kms wraps short keys under a key that a key management service
// holds, and unwraps them again. It does not encrypt data: package envelope does, with keys that
// are wrapped here.
//
// # Choosing a provider
//
// [Key] works the same over every provider:
//
//   - kms/local keeps the key in a file on this machine: for development, tests, edge devices and
//     single servers. It is free, needs no network, and is as safe as the file is. Back it up.
//   - kms/awskms calls AWS KMS: for services in AWS, and wherever a key's use must be recorded and its policy kept apart from the data.
//   - kms/hpke wraps to a public key: for services that write and must not read, and for a recovery key that lies offline.
//
// Any other KMS takes a [Driver]; examples/driver is one to start from.
//
// [AnyOf] wraps under several keys, each of which can open: regions, providers, a recovery key. [Rolling] moves from one key or
// provider to another while both are in use. [Openers] chooses a provider by URI.
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
// context.DeadlineExceeded and [ErrUnavailable]. [Class] has it in one word.
//
// # When the service is slow, throttled or gone
//
// A call takes [Options].Timeout at most, with all its attempts, pauses and waits, and 10 ms more with a driver that ignores its context. Wrap, Unwrap and Describe are tried again after
// [ErrUnavailable] and [ErrThrottled] and after nothing else: never after an answer, such as [ErrCiphertext]. Pauses are random between 0 and a
// bound that doubles, on top of what the provider asks for, so that callers do not come back all at once.
//
// After [Options].BreakAfter calls in a row without an answer the circuit breaker opens: Wrap and Unwrap fail at once for [Options].BreakFor, and then one call
// tries. Callers that cancel, or whose own deadline ends within a second, count as nothing, and so do refusals that
// a driver may make by itself, such as [ErrCiphertext]; other refusals count as answers. At most [Options].Concurrency calls are in flight, whatever
// number of callers waits for a service that comes back.
//
// [Key.Check] at start-up finds wrong credentials, wrong keys and a provider that does not bind the context. [Key.Status] tells from the last answers, without I/O, how a
// key is; an [Observer] is told of every attempt. Neither holds a context value that [Options].ObserveContext does not list.
package kms
