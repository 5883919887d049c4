package awskmstest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A handler ends when its client leaves, when the server closes, and when its time has come.
func TestWait(t *testing.T) {
	s := &Server{closing: make(chan struct{})}
	require.True(t, s.wait(t.Context(), 0))
	require.True(t, s.wait(t.Context(), 1))
	left, leave := context.WithCancel(t.Context())
	leave()
	require.False(t, s.wait(left, time.Hour))
	close(s.closing)
	require.False(t, s.wait(t.Context(), time.Hour))
}
