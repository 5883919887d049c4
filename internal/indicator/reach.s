//go:build fipsindicator

// Empty: it lets reach.go declare functions without a body.
