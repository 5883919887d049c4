//go:build !unix

package main

import "testing"

// startMosquitto skips: the test talks to it by signals.
func startMosquitto(t *testing.T) starter {
	t.Helper()
	t.Skip("missing component: mosquitto")
	return nil
}
