package kms_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestOpeners(t *testing.T) {
	k := newKey(t, newScript())
	var asked string
	o := kms.Openers{
		"script": func(_ context.Context, u *url.URL) (*kms.Key, error) {
			asked = u.String()
			return k, nil
		},
		"broken": func(context.Context, *url.URL) (*kms.Key, error) { return nil, kms.ErrAccessDenied },
		"absent": nil,
	}
	got, err := o.Open(t.Context(), "script://host/path?x=1")
	require.NoError(t, err)
	require.Same(t, k, got)
	require.Equal(t, "script://host/path?x=1", asked)

	_, err = o.Open(t.Context(), "broken:")
	require.ErrorIs(t, err, kms.ErrAccessDenied)

	for _, uri := range []string{"", "script", "/script", "scripts://host", "scrip://host", "absent://host", "://", "script://user:canary@ho st/"} {
		t.Run(uri, func(t *testing.T) {
			got, err := o.Open(t.Context(), uri)
			requireOnly(t, err, kms.ErrInvalid)
			require.Nil(t, got)
			require.NotContains(t, err.Error(), "canary")
		})
	}
	_, err = o.Open(t.Context(), "aws://host")
	require.ErrorContains(t, err, "absent, broken, script") // the fix is in the text
	_, err = kms.Openers(nil).Open(t.Context(), "script://host")
	requireOnly(t, err, kms.ErrInvalid)
}
