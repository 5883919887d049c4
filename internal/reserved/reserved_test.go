package reserved_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/reserved"
)

func TestAllow(t *testing.T) {
	ctx := t.Context()
	require.False(t, reserved.Allowed(ctx))
	inner, cancel := context.WithCancel(reserved.Allow(ctx))
	defer cancel()
	require.True(t, reserved.Allowed(inner))
	require.False(t, reserved.Allowed(ctx))
}
