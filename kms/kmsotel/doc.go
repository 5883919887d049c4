// Package kmsotel shows the calls of [kms.Key] to its provider in OpenTelemetry: a span and a measurement for each attempt.
//
//	observer, err := kmsotel.New(nil)
//	key, err := kms.NewKey(driver, &kms.Options{Observer: observer})
//
// It is a module of its own, so that nobody needs OpenTelemetry for kms.
//
// # Spans
//
// An attempt is a span of kind client, named "kms" and the operation, such as "kms unwrap". Its parent is the span of the caller's
// context. It is made when the attempt has ended, with the times of the [kms.Event]: spans that a provider's SDK makes are
// siblings of it, not children.
//
//	holdfast.kms.operation      string  "wrap", "unwrap", "describe", "rotate", "destroy" or "check"
//	holdfast.kms.provider       string  such as "awskms"
//	holdfast.kms.key_id         string  the provider's name of the key, such as an ARN
//	holdfast.kms.attempt        int     1 for the first; 0 for a call that was refused before it reached the provider
//	holdfast.kms.class          string  what [kms.Class] makes of the error: "ok", "throttled", "access_denied", ...
//	holdfast.kms.request_id     string  the provider's, where there is one
//	holdfast.kms.context.<key>  string  a context value whose key kms.Options.ObserveContext lists
//
// A call that was refused before it reached the provider, say by the circuit breaker or for a wrong argument, is a span of kind
// internal. The status is Error, with the class for its description, on any class but "ok" and "canceled". "check" is the call of
// [kms.Key.Check] that must be refused: there "ciphertext" and "access_denied" are no errors, and "ok" is one.
//
// A span has room for 128 attributes, unless the SDK is told otherwise. What is over it is of the context, no matter which key's.
//
// Strings are cut at 1 KiB and made UTF-8, since one that is not could cost an exporter its whole batch.
//
// # Metrics
//
//	holdfast.kms.attempt.duration  histogram  s       of attempts that reached the provider; 1 ms to 10 s in 13 bounds
//	holdfast.kms.call.refused      counter    {call}  of calls that did not
//
// Both have the attributes holdfast.kms.operation, holdfast.kms.provider and holdfast.kms.class, and no other. That makes at most
// 6 operations times 14 classes for each provider, and a dozen time series in practice. Neither the key id is among
// them, since there may be a key for each customer, nor any value of a context. Measurements are made in the context of the
// span, so that exemplars lead to it.
//
// # What is never shown
//
// Plaintext, key bytes, context values that are not listed, and the texts of errors, since a driver may come from anywhere.
//
// # Cost
//
// An observation runs in the caller's goroutine and makes no I/O: about 10 µs and 20 allocations with the SDK's span and metric
// providers, next to milliseconds of a KMS. Exporting is the SDK's.
package kmsotel
