// Package verify is the door through which this module's own packages tell a
// kms.AnyOf key how to know the plaintext that was wrapped, so that a member
// that unwraps to anything else is found out.
package verify

import "context"

type door struct{}

// With returns a context under which an AnyOf key takes for its plaintext only
// what known accepts. known neither keeps nor changes its argument.
func With(ctx context.Context, known func(plaintext []byte) bool) context.Context {
	return context.WithValue(ctx, door{}, known)
}

// Without returns a context under which With was not called: for what a driver does with it.
func Without(ctx context.Context) context.Context {
	if ctx.Value(door{}) == nil {
		return ctx
	}
	return context.WithValue(ctx, door{}, nil)
}

// Known tells whether plaintext is accepted under ctx: always, where With was not called.
func Known(ctx context.Context, plaintext []byte) bool {
	known, ok := ctx.Value(door{}).(func([]byte) bool)
	return !ok || known(plaintext)
}
