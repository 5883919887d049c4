// Package reserved is the door through which this module's own packages use
// the KMS context keys that callers may not set.
package reserved

import "context"

// Prefix starts every context key that belongs to this module.
const Prefix = "holdfast:"

type door struct{}

// Allow returns a context under which kms.Key accepts keys that start with
// Prefix. Drivers get it too, so that one can stand on other Keys.
func Allow(ctx context.Context) context.Context { return context.WithValue(ctx, door{}, true) }

// Allowed tells whether ctx comes from Allow.
func Allowed(ctx context.Context) bool { return ctx.Value(door{}) != nil }
