//go:build !unix

package mqttseal_test

import "testing"

// startMosquitto skips: the test talks to it by signals.
func startMosquitto(t *testing.T) *broker {
	t.Helper()
	t.Skip("missing component: mosquitto")
	return nil
}
