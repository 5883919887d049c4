package verify_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/verify"
)

func TestKnown(t *testing.T) {
	ctx := t.Context()
	require.True(t, verify.Known(ctx, []byte("any")))
	ctx, cancel := context.WithCancel(verify.With(ctx, func(b []byte) bool { return string(b) == "right" }))
	defer cancel()
	require.True(t, verify.Known(ctx, []byte("right")))
	require.False(t, verify.Known(ctx, []byte("wrong")))
	require.True(t, verify.Known(verify.Without(ctx), []byte("wrong")))
	require.Equal(t, t.Context(), verify.Without(t.Context()))
}
